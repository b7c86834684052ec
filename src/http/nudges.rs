//! Waits that get no timer of their own, because nearly all are over at the second look.
//!
//! actix-http asks a handler for its answer before it has read the body that lies behind the head, and
//! again right after (actix-http 3.12, `h1/dispatcher.rs`). A timer for a wait that short costs more
//! than finding the answer. What still waits when the worker next looks around is woken, and takes a
//! timer then.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// One worker's waits without a timer.
#[derive(Debug, Default)]
pub struct Nudges {
    waiting: RefCell<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    places: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Nudges {
    /// Waits for `wanted` until it is looked at a second time: when something has come for it, or at
    /// the next [`Self::nudge_all`]. `None` where it is not there by then.
    pub async fn second_look<F: Future>(&self, mut wanted: Pin<&mut F>) -> Option<F::Output> {
        let mut place = None;
        poll_fn(|cx| match wanted.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if place.is_some() => Poll::Ready(None),
            Poll::Pending => {
                place = Some(self.enter(cx));
                Poll::Pending
            }
        })
        .await
    }

    /// Wakes all that wait.
    pub fn nudge_all(&self) {
        for waker in self.waiting.borrow().places.iter().flatten() {
            waker.wake_by_ref();
        }
    }

    fn enter(&self, cx: &Context<'_>) -> Place<'_> {
        let mut waiting = self.waiting.borrow_mut();
        let waker = Some(cx.waker().clone());
        let number = waiting.free.pop().unwrap_or(waiting.places.len());
        match waiting.places.get_mut(number) {
            Some(place) => *place = waker,
            None => waiting.places.push(waker),
        }
        Place { nudges: self, number }
    }
}

/// A place among those that wait, until it is dropped.
struct Place<'a> {
    nudges: &'a Nudges,
    number: usize,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.nudges.waiting.borrow_mut();
        if let Some(place) = waiting.places.get_mut(self.number) {
            *place = None;
            waiting.free.push(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::task::noop_waker;
    use tokio::sync::oneshot;

    use super::*;

    fn places(nudges: &Nudges) -> (usize, usize) {
        let waiting = nudges.waiting.borrow();
        (waiting.places.len(), waiting.free.len())
    }

    #[test]
    fn what_has_come_by_the_second_look_is_taken_and_what_has_not_is_given_up() {
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        for comes in [true, false] {
            let nudges = Nudges::default();
            let (sender, mut receiver) = oneshot::channel();
            let mut look = Box::pin(nudges.second_look(Pin::new(&mut receiver)));
            assert!(look.as_mut().poll(&mut cx).is_pending());
            assert_eq!(places(&nudges), (1, 0));
            if comes {
                sender.send(7).unwrap();
            }
            let Poll::Ready(found) = look.as_mut().poll(&mut cx) else { panic!("still waits") };
            assert_eq!(found, comes.then_some(Ok(7)));
            drop(look);
            assert_eq!(places(&nudges), (1, 1));
        }
    }

    #[tokio::test]
    async fn a_nudge_wakes_what_would_wait_for_ever() {
        let nudges = Nudges::default();
        let mut never = pin!(std::future::pending::<()>());
        let looks = nudges.second_look(never.as_mut());
        let nudge = async { nudges.nudge_all() };
        // Polled in this order: the look waits by the time of the nudge.
        let (found, ()) = tokio::join!(looks, nudge);
        assert_eq!(found, None);
    }

    #[test]
    fn places_are_used_again() {
        let nudges = Nudges::default();
        let waker = noop_waker();
        let cx = Context::from_waker(&waker);
        for _ in 0..3 {
            let _both = (nudges.enter(&cx), nudges.enter(&cx));
        }
        assert_eq!(places(&nudges), (2, 2));
    }
}

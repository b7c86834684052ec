//! Work that the system may hold up for ever, such as a look at a file on a server that has gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

/// Does one piece of work at a time, each on a thread of its own: one that hangs holds up neither a pool's
/// other work nor the end of the process, and no more are begun behind it.
#[derive(Debug)]
pub(super) struct Apart {
    within: Duration,
    /// One turn.
    turns: Arc<Semaphore>,
}

impl Apart {
    /// Waits for each answer at most `within`.
    pub(super) fn new(within: Duration) -> Self {
        Self { within, turns: Arc::new(Semaphore::new(1)) }
    }

    /// Returns what `work` comes to; `None` where that takes too long, together with what was begun
    /// before.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        tokio::time::timeout(self.within, self.run_in_turn(work)).await.ok()?
    }

    async fn run_in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let (tell, told) = oneshot::channel();
        let begin = move || {
            let answer = work();
            // Over also by a panic, which drops it.
            drop(turn);
            let _ = tell.send(answer);
        };
        std::thread::Builder::new().name("settings".to_owned()).spawn(begin).ok()?;
        told.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::mpsc::channel;

    use futures_util::future::FutureExt as _;

    use super::*;

    #[actix_web::rt::test]
    async fn what_hangs_is_one_thread_whatever_is_asked_and_what_panics_is_over() {
        let mut apart = Apart::new(Duration::from_secs(10));
        assert_eq!(apart.run(|| 1).await, Some(1));
        let (let_go, held) = channel::<()>();
        apart.within = Duration::from_millis(1);
        assert_eq!(apart.run(move || held.recv().is_ok()).await, None, "past its time");
        assert_eq!(apart.run(|| 2).await, None, "the first one still hangs");
        drop(let_go);
        apart.within = Duration::from_secs(10);
        assert_eq!(apart.run(|| std::panic::panic_any(())).await, None::<()>);
        assert_eq!(apart.run(|| 3).await, Some(3));
    }

    #[actix_web::rt::test]
    async fn who_comes_meanwhile_has_its_turn() {
        let apart = Apart::new(Duration::from_secs(10));
        let (let_go, held) = channel::<()>();
        let mut first = pin!(apart.run(move || held.recv().is_ok()));
        let mut second = pin!(apart.run(|| 2));
        assert_eq!(first.as_mut().now_or_never(), None);
        assert_eq!(second.as_mut().now_or_never(), None, "it waits");
        drop(let_go);
        assert_eq!((first.await, second.await), (Some(false), Some(2)));
    }
}

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;

type Told = Arc<Mutex<Vec<CallCounts>>>;

fn gate(most: u32, queue: usize) -> (CallGate, Told) {
    let settings =
        GateSettings { least: 1, most, wait: Duration::from_secs(5), queue, one_credential: false };
    let told = Told::default();
    let tells = Arc::clone(&told);
    let tell: TellCalls = Arc::new(move |_, counts| tells.lock().push(counts));
    (CallGate::new("up".into(), settings, tell), told)
}

type Entering<'g> = Pin<Box<dyn Future<Output = Result<CallPlace, NoPlace>> + 'g>>;

/// Asks for a place, and looks once whether it is there.
fn ask(gate: &CallGate, caller: Caller) -> (Entering<'_>, Poll<Result<CallPlace, NoPlace>>) {
    let mut entering: Entering<'_> = Box::pin(gate.enter(caller, 0));
    let seen = look(&mut entering);
    (entering, seen)
}

fn look(entering: &mut Entering<'_>) -> Poll<Result<CallPlace, NoPlace>> {
    entering.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn place(seen: Poll<Result<CallPlace, NoPlace>>) -> CallPlace {
    match seen {
        Poll::Ready(Ok(place)) => place,
        other => panic!("no place: {other:?}"),
    }
}

fn counts(gate: &CallGate) -> (u32, [usize; 2]) {
    let report = gate.report();
    (report.under_way, report.waiting)
}

#[tokio::test]
async fn users_go_in_the_order_they_came_and_before_the_background() {
    let (gate, _) = gate(1, 10);
    let first = place(ask(&gate, Caller::User).1);
    let (mut behind, seen) = ask(&gate, Caller::Background);
    assert!(seen.is_pending());
    let (mut second, seen) = ask(&gate, Caller::User);
    assert!(seen.is_pending());
    let (mut third, seen) = ask(&gate, Caller::User);
    assert!(seen.is_pending());
    assert_eq!(counts(&gate), (1, [2, 1]));
    drop(first);
    assert!(look(&mut third).is_pending() && look(&mut behind).is_pending());
    let second = place(look(&mut second));
    drop(second);
    assert!(look(&mut behind).is_pending());
    let third = place(look(&mut third));
    drop(third);
    let behind = place(look(&mut behind));
    assert_eq!(counts(&gate), (1, [0, 0]));
    drop(behind);
    assert_eq!((counts(&gate), gate.report().waits), ((0, [0, 0]), 3));
}

#[tokio::test]
async fn the_line_is_bounded_and_a_user_takes_the_place_of_the_latest_in_the_background() {
    let (gate, _) = gate(1, 2);
    let _first = place(ask(&gate, Caller::User).1);
    let (mut early, _) = ask(&gate, Caller::Background);
    let (mut late, _) = ask(&gate, Caller::Background);
    assert!(matches!(ask(&gate, Caller::Background).1, Poll::Ready(Err(_))));
    let (user, seen) = ask(&gate, Caller::User);
    assert!(seen.is_pending());
    assert!(matches!(look(&mut late), Poll::Ready(Err(NoPlace { .. }))));
    assert!(look(&mut early).is_pending());
    let (other, _) = ask(&gate, Caller::User);
    assert!(matches!(look(&mut early), Poll::Ready(Err(_))));
    let Poll::Ready(Err(refusal)) = ask(&gate, Caller::User).1 else { panic!("not refused") };
    assert_eq!(refusal.retry_after, Duration::from_secs(5));
    assert_eq!((counts(&gate), gate.report().refused_full), ((1, [2, 0]), 4));
    drop((user, other));
    assert_eq!(counts(&gate), (1, [0, 0]));
}

#[tokio::test]
async fn who_leaves_the_line_frees_its_place_there() {
    let (gate, _) = gate(1, 2);
    let first = place(ask(&gate, Caller::User).1);
    let (gone, _) = ask(&gate, Caller::User);
    let (mut stays, _) = ask(&gate, Caller::User);
    drop(gone);
    assert_eq!(counts(&gate), (1, [1, 0]));
    assert!(ask(&gate, Caller::User).1.is_pending(), "there is room again");
    drop(first);
    drop(place(look(&mut stays)));
    assert_eq!(counts(&gate), (0, [0, 0]));
}

#[tokio::test]
async fn a_place_that_was_given_to_one_who_had_left_comes_back() {
    let (gate, _) = gate(1, 2);
    let first = place(ask(&gate, Caller::User).1);
    let (granted, _) = ask(&gate, Caller::User);
    drop(first);
    assert_eq!(counts(&gate), (1, [0, 0]));
    drop(granted);
    assert_eq!(counts(&gate), (0, [0, 0]));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_longer_than_the_deadline() {
    let (gate, _) = gate(1, 2);
    let _first = place(ask(&gate, Caller::User).1);
    assert!(gate.enter(Caller::User, 0).await.is_err());
    assert_eq!((counts(&gate), gate.report().refused_late), ((1, [0, 0]), 1));
}

#[tokio::test]
async fn a_larger_limit_lets_in_those_who_wait_and_a_smaller_one_lets_calls_end() {
    let (gate, _) = gate(3, 10);
    gate.set_limit(1);
    let first = place(ask(&gate, Caller::User).1);
    let mut waiting: Vec<_> = (0..3).map(|_| ask(&gate, Caller::User).0).collect();
    gate.set_limit(3);
    let second = place(look(&mut waiting[0]));
    let third = place(look(&mut waiting[1]));
    assert!(look(&mut waiting[2]).is_pending());
    gate.set_limit(0);
    assert_eq!(gate.limit(), 1, "the least");
    drop((first, second));
    assert!(look(&mut waiting[2]).is_pending(), "one is under way still");
    drop(third);
    drop(place(look(&mut waiting[2])));
    gate.set_limit(100);
    assert_eq!(gate.limit(), 3, "the most");
}

#[tokio::test]
async fn what_calls_say_is_told_once_a_round_of_them_is_over() {
    let (gate, told) = gate(100, 0);
    let places: Vec<_> = (0..30).map(|_| place(ask(&gate, Caller::User).1)).collect();
    for (number, place) in places.into_iter().enumerate() {
        let end =
            if number < 3 { CallEnd::Refused } else { CallEnd::Answered(Duration::from_secs(2)) };
        place.note(end);
        assert_eq!(told.lock().len(), usize::from(number == 29), "{number}");
    }
    let counts = told.lock()[0];
    assert_eq!((counts.answered, counts.refused, counts.most_under_way), (27, 3, 30));
    assert!((counts.seconds - 54.0).abs() < 1e-9);
    for number in 0..20 {
        place(ask(&gate, Caller::User).1).note(CallEnd::Refused);
        assert_eq!(told.lock().len(), 1 + usize::from(number == 19), "a new window: {number}");
    }
}

proptest! {
    /// Whatever happens, places and line keep their bounds, nobody waits beside a free place, and at the
    /// end nothing is left.
    #[test]
    fn nothing_is_lost_and_no_bound_is_passed(
        steps in proptest::collection::vec((0_u8..5, 0_usize..8), 0..200),
        most in 1_u32..5,
        queue in 0_usize..5,
    ) {
        let (gate, _) = gate(most, queue);
        let (mut waiting, mut places) = (Vec::new(), Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        for (step, number) in steps {
            match step {
                0 | 1 => {
                    let caller = if step == 0 { Caller::User } else { Caller::Background };
                    let (entering, seen) = ask(&gate, caller);
                    match seen {
                        Poll::Ready(Ok(place)) => places.push(place),
                        Poll::Ready(Err(_)) => {}
                        Poll::Pending => waiting.push(entering),
                    }
                }
                2 if !places.is_empty() => drop(places.swap_remove(number % places.len())),
                3 if !waiting.is_empty() => drop(waiting.swap_remove(number % waiting.len())),
                4 => gate.set_limit(u32::try_from(number).unwrap()),
                _ => {}
            }
            waiting.retain_mut(|entering| match look(entering) {
                Poll::Ready(Ok(place)) => {
                    places.push(place);
                    false
                }
                Poll::Ready(Err(_)) => false,
                Poll::Pending => true,
            });
            let report = gate.report();
            prop_assert_eq!(report.under_way as usize, places.len());
            prop_assert_eq!(report.waiting[0] + report.waiting[1], waiting.len());
            prop_assert!(waiting.len() <= queue && report.under_way <= most);
            prop_assert!(waiting.is_empty() || report.under_way >= report.limit);
        }
        drop((waiting, places));
        prop_assert_eq!(counts(&gate), (0, [0, 0]));
    }
}

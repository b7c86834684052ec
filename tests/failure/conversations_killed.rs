//! The gateway is killed at random points while many write turns: every acknowledged turn is there
//! afterwards, in order, none twice, the history bounded. `scripts/soak conversations` runs it large.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, chat};
use crate::support::process::{lock, send_signal, variable};
use crate::support::provider::Provider;

/// Most messages of a history.
const HISTORY: usize = 40;

/// How large a run is.
struct Size {
    kills: usize,
    conversations: usize,
    writers: usize,
    turns_a_round: usize,
}

impl Size {
    fn of_this_run() -> Self {
        let number = |name: &str, default| {
            variable(name).map_or(default, |text| text.parse().expect("a number"))
        };
        Self {
            kills: number("ANTEROOM_SOAK_KILLS", 3),
            conversations: number("ANTEROOM_SOAK_CONVERSATIONS", 60),
            writers: number("ANTEROOM_SOAK_WRITERS", 20),
            turns_a_round: number("ANTEROOM_SOAK_TURNS", 150),
        }
    }
}

/// The turns that callers were told of: by conversation, number and text.
type Acknowledged = BTreeMap<usize, BTreeMap<usize, String>>;

/// Random numbers, the same in each run (xorshift).
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).expect("31 bits")
}

/// One more turn of `conversation`, and its number where it was acknowledged.
fn turn(address: &str, conversation: usize, text: &str) -> Option<usize> {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
    let request = chat(body).header("X-Conversation-Id", &conversation.to_string());
    let response = request.try_open(address).ok()?.response();
    let number = response.header("x-conversation-turn")?.parse().ok()?;
    (response.status == 200 && response.cut.is_none()).then_some(number)
}

/// Writes turns until the gateway is killed, after a random number of them.
fn round(gateway: &Gateway, size: &Size, round: usize, known: &Mutex<Acknowledged>) {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::try_from(round).expect("few") + 1);
    let kill_at = size.turns_a_round + next(&mut seed) % size.turns_a_round;
    let (done, process) = (AtomicUsize::new(0), gateway.id());
    std::thread::scope(|scope| {
        for writer in 0..size.writers {
            let done = &done;
            let mut seed = seed.wrapping_add(u64::try_from(writer).expect("few") << 20) | 1;
            scope.spawn(move || {
                for serial in 0.. {
                    if done.load(Ordering::Relaxed) >= kill_at {
                        return;
                    }
                    let conversation = next(&mut seed) % size.conversations;
                    let text = format!("{round}.{writer}.{serial}");
                    let Some(number) = turn(gateway.api(), conversation, &text) else { continue };
                    let before = lock(known).entry(conversation).or_default().insert(number, text);
                    assert_eq!(before, None, "turn {number} of {conversation} was given twice");
                    if done.fetch_add(1, Ordering::Relaxed) + 1 == kill_at {
                        send_signal(process, libc::SIGKILL);
                    }
                }
            });
        }
    });
}

/// Asserts that each acknowledged turn that is still sent along is in its place.
fn check(gateway: &Gateway, known: &Acknowledged) {
    for (conversation, turns) in known {
        let path = format!("/api/v1/conversations/{conversation}");
        let shown = gateway.send(&Request::get(&path).bearer("sk-test")).expect_status(200).json();
        let messages = shown["messages"].as_array().expect("messages");
        let num_turns =
            shown["turns"].as_u64().and_then(|it| usize::try_from(it).ok()).expect("turns");
        assert!(messages.len() <= HISTORY, "{shown}");
        assert_eq!(messages.len(), HISTORY.min(num_turns * 2), "no half turns, none lost: {shown}");
        assert!(turns.keys().last().is_none_or(|last| *last <= num_turns), "{turns:?}\n{shown}");
        let said: Vec<&Value> = messages.iter().step_by(2).map(|it| &it["content"]).collect();
        let distinct: BTreeSet<_> = said.iter().map(|it| it.to_string()).collect();
        assert_eq!(distinct.len(), said.len(), "one twice: {shown}");
        let first = num_turns - said.len() + 1;
        for (number, text) in turns.range(first..) {
            assert_eq!(said[number - first], text.as_str(), "turn {number}: {shown}");
        }
    }
}

#[expect(clippy::print_stdout, reason = "the numbers of a soak")]
#[test]
fn acknowledged_turns_survive_kill_9_in_order_and_none_twice() {
    let size = Size::of_this_run();
    let provider = Provider::scripted(|call| {
        let text = format!("answer {}", call.serial);
        json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text},
            "finish_reason": "stop"}]})
        .into()
    });
    let mut gateway = Gateway::patient()
        .upstream(&provider)
        .env("MAX_CONVERSATION_HISTORY", HISTORY)
        .env("ANTEROOM__SERVER__MAX_IN_FLIGHT", 1_000)
        .start();
    let known = Mutex::default();
    for number in 0..size.kills {
        round(&gateway, &size, number, &known);
        gateway.restart();
        check(&gateway, &lock(&known));
    }
    let known = lock(&known);
    let turns: usize = known.values().map(BTreeMap::len).sum();
    println!(
        "{turns} turns of {} conversations acknowledged over {} kills",
        known.len(),
        size.kills
    );
    assert!(turns >= size.kills * size.turns_a_round);
}

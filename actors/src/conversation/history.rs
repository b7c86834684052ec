//! Which turns of a conversation are sent along.

use crate::model::Turn;

/// Returns the latest of `turns` that hold at most `max_messages` messages together and begin with
/// a turn that may begin a history: never with the answer to a tool call that was cut off.
pub fn within(turns: &[Turn], max_messages: u64) -> &[Turn] {
    let mut room = max_messages;
    let mut start = turns.len();
    for (index, turn) in turns.iter().enumerate().rev() {
        let Some(left) = room.checked_sub(turn.messages) else { break };
        room = left;
        if turn.opens {
            start = index;
        }
    }
    turns.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn turn(messages: u64, opens: bool) -> Turn {
        Turn { messages, opens, body: Bytes::new() }
    }

    #[test]
    fn whole_turns_are_kept_from_the_latest_on() {
        for (turns, most, kept) in [
            (&[][..], 50, 0),
            (&[(2, true), (2, true)], 4, 2),
            (&[(2, true), (2, true)], 3, 1),
            (&[(2, true), (2, true)], 1, 0),
            // A question, a tool call, the tool's answer: one whole or nothing.
            (&[(2, true), (2, false)], 4, 2),
            (&[(2, true), (2, false)], 3, 0),
            (&[(2, true), (2, true), (2, false)], 4, 2),
            (&[(2, true), (2, false), (2, true)], 5, 1),
            (&[(2, false), (2, true)], 50, 1),
        ] {
            let turns: Vec<_> = turns.iter().map(|(many, opens)| turn(*many, *opens)).collect();
            assert_eq!(within(&turns, most).len(), kept, "{turns:?} within {most}");
        }
    }

    proptest! {
        #[test]
        fn a_history_is_bounded_opens_and_is_the_longest_that_does(
            turns in prop::collection::vec((1..5_u64, any::<bool>()), 0..20),
            most in 0..40_u64,
        ) {
            let turns: Vec<_> = turns.into_iter().map(|(many, opens)| turn(many, opens)).collect();
            let kept = within(&turns, most);
            prop_assert!(turns.ends_with(kept));
            prop_assert!(kept.iter().map(|turn| turn.messages).sum::<u64>() <= most);
            prop_assert!(kept.first().is_none_or(|turn| turn.opens));
            for start in 0..turns.len() - kept.len() {
                let longer = &turns[start..];
                let is_bounded = longer.iter().map(|turn| turn.messages).sum::<u64>() <= most;
                prop_assert!(!(longer[0].opens && is_bounded));
            }
        }
    }
}

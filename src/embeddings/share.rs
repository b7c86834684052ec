//! Tokens, and how one charge is shared out among the items it was for.

use super::text::each_member;

/// Tokens as an embeddings answer counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// `prompt_tokens`: tokens of the inputs.
    pub prompt: u64,
    /// `total_tokens`: what is charged; the same as `prompt` at OpenAI.
    pub total: u64,
}

impl Tokens {
    /// Returns the sum of both counts, each held at its greatest value.
    pub const fn plus(self, other: Self) -> Self {
        Self {
            prompt: self.prompt.saturating_add(other.prompt),
            total: self.total.saturating_add(other.total),
        }
    }

    /// Reads the text of a `usage` member. A count that is not there is taken from the other one.
    ///
    /// Returns nothing where neither is a whole number.
    pub(super) fn read(usage: &str) -> Option<Self> {
        let (mut prompt, mut total) = (None, None);
        each_member(usage, |name, value| {
            match name {
                "prompt_tokens" => prompt = value.parse().ok(),
                "total_tokens" => total = value.parse().ok(),
                _ => {}
            }
            true
        })?;
        let prompt: u64 = prompt.or(total)?;
        Some(Self { prompt, total: total.unwrap_or(prompt) })
    }

    /// Appends a `usage` object.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        let Self { prompt, total } = self;
        out.extend_from_slice(
            format!(r#"{{"prompt_tokens":{prompt},"total_tokens":{total}}}"#).as_bytes(),
        );
    }

    /// Shares the counts out by weight, as [`apportion`] does.
    pub(super) fn share_out(self, weights: &[u64]) -> Vec<Self> {
        let prompts = apportion(self.prompt, weights);
        let totals = apportion(self.total, weights);
        prompts.into_iter().zip(totals).map(|(prompt, total)| Self { prompt, total }).collect()
    }
}

/// Shares `amount` out among items of these `weights`.
///
/// Law: each gets one first (an input has at least one token), where there is enough; the rest is
/// cut at the running sums of the weights beyond one, rounded down. So the shares add up to
/// `amount` exactly, one item gets all, and token arrays get their own lengths where `amount` is
/// their sum. Domain: a weight of 0 counts as 1.
fn apportion(amount: u64, weights: &[u64]) -> Vec<u64> {
    let num_items = u64::try_from(weights.len()).unwrap_or(u64::MAX);
    let base = u64::from(amount >= num_items);
    let rest = amount.saturating_sub(base.saturating_mul(num_items));
    let beyond = |weight: &u64| u128::from((*weight).max(1).saturating_sub(base));
    let sum: u128 = weights.iter().map(beyond).sum();
    // Where nothing tells the items apart, they share alike.
    let (sum, is_even) = if sum == 0 { (u128::from(num_items), true) } else { (sum, false) };
    let mut running = 0_u128;
    let mut given = 0_u64;
    let shares = weights.iter().map(|weight| {
        running += if is_even { 1 } else { beyond(weight) };
        // Weights are lengths in a body, so the product stays far below 2^128.
        let reached = u128::from(rest).saturating_mul(running) / sum.max(1);
        let reached = u64::try_from(reached).unwrap_or(u64::MAX);
        let share = base.saturating_add(reached.saturating_sub(given));
        given = reached;
        share
    });
    shares.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_charge_is_shared_out_by_length() {
        for (amount, weights, expected) in [
            (8, &[5][..], &[8][..]),
            (8, &[], &[]),
            (0, &[3, 4], &[0, 0]),
            (10, &[1, 1], &[5, 5]),
            (10, &[0, 0, 0], &[3, 3, 4]),
            (7, &[1, 2, 4], &[1, 2, 4]),
            (14, &[1, 2, 4], &[1, 3, 10]),
            (2, &[1, 1, 4], &[0, 0, 2]),
            (12, &[1, 101, 1], &[1, 10, 1]),
        ] {
            assert_eq!(apportion(amount, weights), expected, "{amount} among {weights:?}");
        }
    }

    #[test]
    fn usage_is_read_in_the_forms_that_providers_give_it() {
        for (usage, expected) in [
            (r#"{"prompt_tokens":3,"total_tokens":4}"#, Some((3, 4))),
            (r#"{ "total_tokens" : 4, "cost": 0.1 }"#, Some((4, 4))),
            (r#"{"prompt_tokens":3}"#, Some((3, 3))),
            (r#"{"prompt_tokens":3,"total_tokens":null}"#, Some((3, 3))),
            (r#"{"prompt_tokens":-3}"#, None),
            (r#"{"prompt_tokens":99999999999999999999}"#, None),
            ("{}", None),
            ("null", None),
            ("[1]", None),
        ] {
            let expected = expected.map(|(prompt, total)| Tokens { prompt, total });
            assert_eq!(Tokens::read(usage), expected, "{usage}");
        }
        let most = Tokens { prompt: u64::MAX, total: 1 };
        assert_eq!(most.plus(most), Tokens { prompt: u64::MAX, total: 2 });
    }

    proptest! {
        #[test]
        fn shares_add_up_and_grow_with_the_weight(
            amount in any::<u64>(),
            weights in prop::collection::vec(0_u64..1 << 40, 1..40),
        ) {
            let shares = apportion(amount, &weights);
            prop_assert_eq!(shares.len(), weights.len());
            let sum: u128 = shares.iter().map(|share| u128::from(*share)).sum();
            prop_assert_eq!(sum, u128::from(amount));
            for (one, weight) in shares.iter().zip(&weights) {
                for (other, heavier) in shares.iter().zip(&weights) {
                    prop_assert!(weight > heavier || one <= &other.saturating_add(1));
                }
            }
        }

        #[test]
        fn arrays_of_tokens_get_their_own_lengths(
            lengths in prop::collection::vec(1_u64..9000, 1..40),
        ) {
            prop_assert_eq!(apportion(lengths.iter().sum(), &lengths), lengths);
        }
    }
}

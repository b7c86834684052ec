//! Which requests' answers a deployer wants kept.

use super::Canonical;

/// Limits on what is asked; the default keeps every answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeepRules {
    /// Hottest `temperature`; `None` for any.
    pub max_temperature: Option<f64>,
    /// Most choices, `n`; `None` for any number.
    pub max_choices: Option<u64>,
    /// Whether `tools` or `functions` may be offered.
    pub tools: bool,
    /// Whether an answer may be drawn by chance without a `seed`.
    pub unseeded: bool,
}

impl Default for KeepRules {
    fn default() -> Self {
        Self { max_temperature: None, max_choices: None, tools: true, unseeded: true }
    }
}

/// What the APIs take where no temperature is named.
const USUAL_TEMPERATURE: f64 = 1.0;

impl KeepRules {
    /// Returns why the answer to a request of this body is not kept, as a token; `None` where it
    /// may be.
    pub fn reason(&self, body: &Canonical) -> Option<&'static str> {
        let temperature = number(body, "temperature").unwrap_or(USUAL_TEMPERATURE);
        if self.max_temperature.is_some_and(|most| temperature > most) {
            return Some("temperature");
        }
        let choices = number(body, "n").unwrap_or(1.0);
        // Counts are small: exact as floating point.
        #[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
        if self.max_choices.is_some_and(|most| choices > most as f64) {
            return Some("choices");
        }
        if !self.tools && (body.has("tools") || body.has("functions")) {
            return Some("tools");
        }
        if !self.unseeded && temperature > 0.0 && !body.has("seed") {
            return Some("unseeded");
        }
        None
    }
}

fn number(body: &Canonical, name: &str) -> Option<f64> {
    std::str::from_utf8(body.member(name)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::canonicalise;
    use super::*;

    /// A-42: a limit on the temperature, on `n`, on tools, and a seed.
    #[test]
    fn each_limit_names_itself() {
        let any = KeepRules::default();
        let cool = KeepRules { max_temperature: Some(0.5), ..any };
        let one = KeepRules { max_choices: Some(1), ..any };
        let no_tools = KeepRules { tools: false, ..any };
        let seeded = KeepRules { unseeded: false, ..any };
        for (rules, body, reason) in [
            (any, r#"{"temperature":2,"n":9,"tools":[1]}"#, None),
            (cool, r#"{"temperature":0.5}"#, None),
            (cool, r#"{"temperature":0.51}"#, Some("temperature")),
            (cool, r#"{"temperature":null}"#, Some("temperature")),
            (cool, "{}", Some("temperature")),
            (cool, r#"{"temperature":0}"#, None),
            (one, r#"{"n":1}"#, None),
            (one, "{}", None),
            (one, r#"{"n":2}"#, Some("choices")),
            (no_tools, r#"{"tools":null}"#, None),
            (no_tools, r#"{"tools":[{}]}"#, Some("tools")),
            (no_tools, r#"{"functions":[{}]}"#, Some("tools")),
            (seeded, r#"{"seed":7}"#, None),
            (seeded, r#"{"temperature":0}"#, None),
            (seeded, r#"{"temperature":0.1}"#, Some("unseeded")),
        ] {
            let body = canonicalise(body.as_bytes(), &[]).unwrap();
            assert_eq!(rules.reason(&body), reason, "{rules:?}");
        }
    }
}

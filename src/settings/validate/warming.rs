//! Warming: is its budget an amount, and are its critical requests such?

use super::Check;
use crate::savings::Money;
use crate::settings::Settings;

/// Most critical requests.
const MOST_CRITICAL: usize = 256;

impl Check<'_> {
    pub(super) fn warming(&mut self, settings: &Settings) {
        let warming = &settings.warming;
        if warming.budget.money_per_day.parse::<Money>().is_err() {
            let amount = "a text of digits with at most six after a point, as in \"2.50\"";
            let value = &warming.budget.money_per_day;
            self.refuse("warming.budget.money_per_day", value, "not an amount of money", amount);
        }
        if warming.critical.len() > MOST_CRITICAL {
            let count = warming.critical.len();
            self.refuse("warming.critical", count, "too many", "at most 256 requests");
        }
        for (index, critical) in warming.critical.iter().enumerate() {
            if !is_path(&critical.path) {
                let key = format!("warming.critical[{index}].path");
                let allowed = "a path that begins with /, and a query if need be";
                self.refuse(&key, &critical.path, "not a path", allowed);
            }
            if !is_method(&critical.method) {
                let key = format!("warming.critical[{index}].method");
                self.refuse(&key, &critical.method, "not a method", "a method, such as POST");
            }
        }
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

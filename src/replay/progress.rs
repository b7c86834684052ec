//! A bar on standard error that shows how far a replay is, where somebody may be looking.

use std::io::{IsTerminal, Read, Write};

/// Width of the bar, in characters.
const WIDTH: u64 = 40;

/// Shows bars, or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    is_shown: bool,
}

impl Progress {
    /// Shows bars where standard error is a terminal.
    pub fn on_terminal() -> Self {
        Self { is_shown: std::io::stderr().is_terminal() }
    }

    /// Shows nothing.
    pub const fn none() -> Self {
        Self { is_shown: false }
    }

    /// Begins a bar over `all` steps.
    pub const fn bar(&self, what: &'static str, all: u64) -> Bar {
        Bar { what, all, done: 0, shown: u64::MAX, is_shown: self.is_shown && all > 0 }
    }

    /// Shows how much of `source` has been read; it has `bytes`.
    pub const fn follow<R>(&self, what: &'static str, bytes: u64, source: R) -> Followed<R> {
        Followed { source, bar: self.bar(what, bytes) }
    }
}

/// One bar; it goes when it is dropped.
#[derive(Debug)]
pub struct Bar {
    what: &'static str,
    all: u64,
    done: u64,
    /// Percent last drawn.
    shown: u64,
    is_shown: bool,
}

impl Bar {
    /// Goes on by `steps`.
    pub fn advance(&mut self, steps: u64) {
        self.done = self.done.saturating_add(steps).min(self.all);
        if self.is_shown && self.percent() != self.shown {
            self.shown = self.percent();
            // A terminal that has gone is no reason to stop.
            let _ = write!(std::io::stderr(), "\r{}", self.line());
        }
    }

    fn percent(&self) -> u64 {
        u64::try_from(u128::from(self.done) * 100 / u128::from(self.all.max(1))).unwrap_or(100)
    }

    fn line(&self) -> String {
        let full = self.percent() * WIDTH / 100;
        let part = |mark: &str, width: u64| mark.repeat(usize::try_from(width).unwrap_or(0));
        let bar = part("#", full) + &part("-", WIDTH - full);
        format!("{:>10} [{bar}] {:>3} %", self.what, self.percent())
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.is_shown {
            // Back to an empty line.
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// A source whose reading is shown.
#[derive(Debug)]
pub struct Followed<R> {
    source: R,
    bar: Bar,
}

impl<R: Read> Read for Followed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.bar.advance(length as u64);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_from_nothing_to_all() {
        let mut bar = Progress::none().bar("reading", 200);
        assert!(bar.line().ends_with(&format!("[{}]   0 %", "-".repeat(40))), "{}", bar.line());
        bar.advance(101);
        assert!(bar.line().ends_with(&format!("[{}{}]  50 %", "#".repeat(20), "-".repeat(20))));
        bar.advance(1_000);
        assert!(bar.line().ends_with(&format!("[{}] 100 %", "#".repeat(40))), "{}", bar.line());
    }
}

//! A bar on standard error that shows how far a replay is, where somebody may be looking.

use std::io::Read;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str = "{msg:>10} [{bar:40}] {percent:>3} %, {eta} left";

/// Steps that are told at once, so that a bar costs nothing.
const STEPS: u64 = 4_096;

/// Shows bars, or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    is_wanted: bool,
}

impl Progress {
    /// Shows bars where standard error is a terminal.
    pub const fn on_terminal() -> Self {
        Self { is_wanted: true }
    }

    /// Shows nothing.
    pub const fn none() -> Self {
        Self { is_wanted: false }
    }

    /// Begins a bar over `all` steps; it goes when it is dropped.
    pub fn bar(&self, what: &'static str, all: u64) -> Bar {
        // Where standard error is no terminal, this draws nothing, too.
        let target = if self.is_wanted && all > 0 {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Bar { shown: bar(target, what, all), untold: 0 }
    }

    /// Shows how much of `source` has been read; it has `bytes`.
    pub fn follow<R>(&self, what: &'static str, bytes: u64, source: R) -> Followed<R> {
        Followed { source, bar: self.bar(what, bytes) }
    }
}

fn bar(target: ProgressDrawTarget, what: &'static str, all: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("##-");
    ProgressBar::with_draw_target(Some(all), target).with_style(style).with_message(what)
}

/// One bar.
#[derive(Debug)]
pub struct Bar {
    shown: ProgressBar,
    untold: u64,
}

impl Bar {
    /// Goes on by `steps`.
    pub fn advance(&mut self, steps: u64) {
        self.untold += steps;
        if self.untold >= STEPS {
            self.shown.inc(std::mem::take(&mut self.untold));
        }
    }
}

impl Drop for Bar {
    /// Back to an empty line.
    fn drop(&mut self) {
        self.shown.finish_and_clear();
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
    use std::io::copy;

    use super::*;

    #[test]
    fn steps_are_told_by_the_thousand() {
        let mut bar = Progress::none().bar("replaying", 10_000);
        for (steps, told) in [(1, 0), (STEPS - 2, 0), (1, STEPS), (5_000, STEPS + 5_000)] {
            bar.advance(steps);
            assert_eq!(bar.shown.position(), told);
        }
        let mut read = Progress::none().follow("reading", 9_000, &[0; 9_000][..]);
        copy(&mut read, &mut std::io::sink()).unwrap();
        assert!(read.bar.shown.position() > 8_000);
    }

    #[test]
    fn the_template_is_one() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
        assert!(Progress::none().bar("reading", 5).shown.is_hidden());
    }
}

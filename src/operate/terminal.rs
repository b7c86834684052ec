//! A terminal that is drawn upon, and is as it was afterwards.

use std::io::IsTerminal as _;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::show;

/// Another screen, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// The first one again.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the upper left; what stands behind the text is wiped line by line, and below it.
const HOME: &str = "\x1b[H";
const WIPE_LINE: &str = "\x1b[K\n";
const WIPE_BELOW: &str = "\x1b[J";

/// Where frames go: drawn over each other on a terminal, otherwise one below the other.
pub(super) struct Screen {
    is_terminal: bool,
    /// How the keyboard was before.
    before: Option<Termios>,
}

impl Screen {
    /// Begins to draw.
    pub(super) fn begin() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        if is_terminal {
            show(ENTER);
        }
        Self { is_terminal, before: if is_terminal { keys_at_once() } else { None } }
    }

    /// Shows a frame.
    pub(super) fn draw(&self, frame: &str) {
        if self.is_terminal {
            show(&format!("{HOME}{}{WIPE_BELOW}", frame.replace('\n', WIPE_LINE)));
        } else {
            show(frame);
        }
    }

    /// Tells whether keys come one by one.
    pub(super) const fn has_keys(&self) -> bool {
        self.before.is_some()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // An error means that the terminal has gone.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
        if self.is_terminal {
            show(LEAVE);
        }
    }
}

/// Has keys come without the return key, unseen; Ctrl-C stays a signal. Returns how it was; nothing
/// where the keyboard is no terminal.
fn keys_at_once() -> Option<Termios> {
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin).ok()?;
    let mut now = before.clone();
    now.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Now, &now).ok()?;
    Some(before)
}

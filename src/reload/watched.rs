//! Has the settings file changed, and is it whole again?

/// What tells one state of a file from another: which file it is, its size and its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Device and number of the file.
    pub file: (u64, u64),
    /// Size in bytes.
    pub size: u64,
    /// When its bytes and its attributes changed last, in nanoseconds.
    pub changed: (i128, i128),
}

/// What was seen of the file.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    read: Option<Stamp>,
    last: Option<Stamp>,
}

impl Watched {
    /// Begins with the file as it was read; `None` where there was none.
    pub const fn new(read: Option<Stamp>) -> Self {
        Self { read, last: read }
    }

    /// Takes a look at the file and tells whether it is to be read: it is another than was read, and the
    /// same as at the look before, so that nobody is in the middle of writing it. A file that has gone is
    /// not read: an editor may be about to put another in its place.
    pub fn look(&mut self, now: Option<Stamp>) -> bool {
        let before = std::mem::replace(&mut self.last, now);
        let is_new = now.is_some() && now != self.read && now == before;
        if is_new {
            self.read = now;
        }
        is_new
    }

    /// Takes down that the file was read as it is now.
    pub const fn was_read(&mut self, now: Option<Stamp>) {
        (self.read, self.last) = (now, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(number: u64) -> Option<Stamp> {
        Some(Stamp { file: (1, number), size: 10, changed: (0, 0) })
    }

    #[test]
    fn a_file_is_read_once_it_has_come_to_rest() {
        for (begin, looks, read_at) in [
            (stamp(1), &[stamp(1), stamp(1)][..], &[][..]),
            (stamp(1), &[stamp(2), stamp(2), stamp(2)], &[1]),
            (stamp(1), &[stamp(2), stamp(3), stamp(3)], &[2]),
            (stamp(1), &[stamp(2), stamp(1), stamp(1)], &[]),
            (stamp(1), &[None, None, stamp(2), stamp(2), None, stamp(2)], &[3]),
            (None, &[None, stamp(1), stamp(1), stamp(1)], &[2]),
        ] {
            let mut watched = Watched::new(begin);
            let read: Vec<usize> = looks
                .iter()
                .enumerate()
                .filter_map(|(position, now)| watched.look(*now).then_some(position))
                .collect();
            assert_eq!(read, read_at, "{looks:?}");
        }
        let mut watched = Watched::new(stamp(1));
        watched.was_read(stamp(2));
        assert!(!watched.look(stamp(2)) && !watched.look(stamp(2)));
    }
}

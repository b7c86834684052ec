//! The second pass: members into their order, uncounted ones out.

use super::{Canonical, Uncounted};

/// A member in a buffer: its name with quotes, a colon, its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    /// Where the name stands in the body, for errors.
    pub(super) offset: usize,
    /// Where the name's opening quote stands.
    pub(super) start: usize,
    /// After the name's closing quote.
    pub(super) name_end: usize,
    /// After the value.
    pub(super) end: usize,
}

impl Member {
    /// Returns the name without quotes, in canonical spelling.
    pub(super) fn name<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        buffer.get(self.start + 1..self.name_end.saturating_sub(1)).unwrap_or_default()
    }

    /// Returns the value.
    pub(super) fn value<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        buffer.get(self.name_end + 1..self.end).unwrap_or_default()
    }
}

/// A nested object whose members did not come in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shuffled {
    /// Where its brace stands.
    pub(super) start: usize,
    /// After its closing brace.
    pub(super) end: usize,
    /// Its members in order: a range of [`Draft::kept`].
    pub(super) first: usize,
    /// How many there are.
    pub(super) num_members: usize,
}

/// The body with canonical tokens, members still as they came.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) out: Vec<u8>,
    /// Members of the outermost object, in order; none where the body is no object.
    pub(super) top: Vec<Member>,
    /// Whether `top` is also the order in `out`.
    pub(super) is_top_in_order: bool,
    pub(super) kept: Vec<Member>,
    pub(super) shuffled: Vec<Shuffled>,
}

impl Draft {
    /// Writes everything in order; each byte is copied once, however deep it lies.
    pub(super) fn arrange(mut self, uncounted: &[Uncounted]) -> Canonical {
        let counts = |member: &Member| {
            let (name, value) = (member.name(&self.out), member.value(&self.out));
            !uncounted.iter().any(|field| field.covers(name, value))
        };
        let num_uncounted = self.top.iter().filter(|member| !counts(member)).count();
        if self.shuffled.is_empty() && self.is_top_in_order && num_uncounted == 0 {
            let counted_len = self.out.len();
            return Canonical { bytes: self.out, counted_len, members: self.top };
        }
        let (counted, left_out): (Vec<Member>, Vec<Member>) = if num_uncounted == 0 {
            (std::mem::take(&mut self.top), Vec::new())
        } else {
            self.top.iter().partition(|member| counts(member))
        };
        self.shuffled.sort_unstable_by_key(|object| object.start);

        let mut bytes = Vec::with_capacity(self.out.len());
        let mut members = Vec::with_capacity(counted.len() + left_out.len());
        if counted.is_empty() && left_out.is_empty() {
            self.copy(0, self.out.len(), &mut bytes);
        } else {
            bytes.push(b'{');
            for (position, member) in counted.iter().enumerate() {
                if position > 0 {
                    bytes.push(b',');
                }
                members.push(self.copy_member(member, &mut bytes));
            }
            bytes.push(b'}');
        }
        let counted_len = bytes.len();
        members.extend(left_out.iter().map(|member| self.copy_member(member, &mut bytes)));
        Canonical { bytes, counted_len, members }
    }

    fn copy_member(&self, member: &Member, bytes: &mut Vec<u8>) -> Member {
        let start = bytes.len();
        self.copy(member.start, member.end, bytes);
        let name_end = start + (member.name_end - member.start);
        Member { start, name_end, end: bytes.len(), ..*member }
    }

    /// Copies `from..to` of the draft. Its recursion is bounded by the depth of the body.
    fn copy(&self, from: usize, to: usize, bytes: &mut Vec<u8>) {
        let mut here = from;
        let mut next = self.shuffled.partition_point(|object| object.start < from);
        while let Some(object) = self.shuffled.get(next).filter(|object| object.start < to) {
            bytes.extend_from_slice(self.out.get(here..object.start).unwrap_or_default());
            bytes.push(b'{');
            let members = self.kept.iter().skip(object.first).take(object.num_members);
            for (position, member) in members.enumerate() {
                if position > 0 {
                    bytes.push(b',');
                }
                self.copy(member.start, member.end, bytes);
            }
            bytes.push(b'}');
            here = object.end;
            // Objects inside this one are done.
            let rest = self.shuffled.get(next..).unwrap_or_default();
            next += rest.partition_point(|object| object.start < here);
        }
        bytes.extend_from_slice(self.out.get(here..to).unwrap_or_default());
    }
}

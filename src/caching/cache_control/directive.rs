//! The list syntax of Cache-Control (RFC 9111 §5.2).

use crate::caching::fields::{cut_at_comma, cut_member, delta_seconds, is_token, trim_ows};

/// What stands after a directive's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument<'a> {
    /// Nothing.
    Absent,
    /// A token, or what stands between quotes. Escapes are left as they are: no argument that is
    /// known here needs one.
    Given(&'a [u8]),
    /// Something that is neither.
    Malformed,
}

/// One directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Directive<'a> {
    name: &'a [u8],
    pub(super) argument: Argument<'a>,
}

impl<'a> Directive<'a> {
    fn read(member: &'a [u8], is_broken: bool) -> Self {
        let mut parts = member.splitn(2, |byte| *byte == b'=');
        let name = parts.next().unwrap_or_default();
        let argument = match parts.next() {
            _ if is_broken => Argument::Malformed,
            None => Argument::Absent,
            // No whitespace may stand around the sign; the directive is known all the same.
            Some(_) if name.ends_with(b" ") || name.ends_with(b"\t") => Argument::Malformed,
            Some(argument) => read_argument(argument),
        };
        Self { name: trim_ows(name), argument }
    }

    /// Tells whether this is the directive `name`, in any case.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Tells whether no argument is given, as most directives want it.
    pub(super) fn is_bare(&self) -> bool {
        self.argument == Argument::Absent
    }

    /// Returns the argument as seconds, as a token or quoted; `None` where it is none.
    pub(super) fn seconds(&self) -> Option<u32> {
        match self.argument {
            Argument::Given(text) => delta_seconds(text),
            Argument::Absent | Argument::Malformed => None,
        }
    }
}

fn read_argument(argument: &[u8]) -> Argument<'_> {
    match argument {
        [b'"', inner @ .., b'"'] if is_one_string(inner) => Argument::Given(inner),
        token if is_token(token) => Argument::Given(token),
        _ => Argument::Malformed,
    }
}

/// Tells whether what stands between two quotes has no further bare quote, so that they are a pair.
fn is_one_string(inner: &[u8]) -> bool {
    let mut is_escaped = false;
    for byte in inner {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return false,
            _ => {}
        }
    }
    !is_escaped
}

/// Tells whether a member cut off a list holds commas only where a directive may: in a string.
fn is_directive((member, _): &(&[u8], &[u8])) -> bool {
    !member.contains(&b',')
        || matches!(Directive::read(trim_ows(member), false).argument, Argument::Given(_))
}

/// The directives of one field line.
///
/// After a quote that never closes, or closes where no directive ends, the line is cut at every
/// comma and no argument is trusted, so that a broken string hides no restriction and grants
/// nothing.
#[derive(Debug, Clone)]
pub(super) struct Directives<'a> {
    rest: &'a [u8],
    is_broken: bool,
}

impl<'a> Directives<'a> {
    pub(super) const fn of(line: &'a [u8]) -> Self {
        Self { rest: line, is_broken: false }
    }
}

impl<'a> Iterator for Directives<'a> {
    type Item = Directive<'a>;

    fn next(&mut self) -> Option<Directive<'a>> {
        while !self.rest.is_empty() {
            let whole =
                if self.is_broken { None } else { cut_member(self.rest).filter(is_directive) };
            let (member, rest) = whole.unwrap_or_else(|| cut_at_comma(self.rest));
            self.is_broken = whole.is_none();
            self.rest = rest;
            let member = trim_ows(member);
            if !member.is_empty() {
                return Some(Directive::read(member, self.is_broken));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Vec<(String, Argument<'_>)> {
        Directives::of(line.as_bytes())
            .map(|found| (String::from_utf8_lossy(found.name).into_owned(), found.argument))
            .collect()
    }

    fn given(text: &str) -> Argument<'_> {
        Argument::Given(text.as_bytes())
    }

    /// RFC 9111 §5.2: directives are tokens with an optional token or quoted-string argument.
    #[test]
    fn a_list_is_read_into_its_directives() {
        use Argument::{Absent, Malformed};
        for (line, expected) in [
            ("no-store", vec![("no-store", Absent)]),
            ("A , b=1", vec![("A", Absent), ("b", given("1"))]),
            (", ,a,\t,", vec![("a", Absent)]),
            ("a=\"x, b\", c", vec![("a", given("x, b")), ("c", Absent)]),
            ("a=\"\\\"\", c", vec![("a", given("\\\"")), ("c", Absent)]),
            ("a=", vec![("a", Malformed)]),
            ("a =1", vec![("a", Malformed)]),
            ("a= 1", vec![("a", Malformed)]),
            ("a=1 2", vec![("a", Malformed)]),
            ("a=\"1\"2", vec![("a", Malformed)]),
            ("a=\"1\"\"2\"", vec![("a", Malformed)]),
            ("a=1=2", vec![("a", Malformed)]),
            ("", vec![]),
        ] {
            let expected: Vec<_> =
                expected.into_iter().map(|(name, argument)| (name.to_owned(), argument)).collect();
            assert_eq!(read(line), expected, "{line}");
        }
    }

    /// RFC 9111 §5.2, §4.2.1: a string that never ends, or ends where no directive does, hides
    /// nothing and grants nothing.
    #[test]
    fn an_open_quote_hides_no_directive_and_trusts_no_argument() {
        use Argument::{Absent, Malformed};
        for line in [
            "a, b=\"1, no-store, c=2",
            "a, b=\"1, no-store, c=\"2",
            "a, b=\"1, no-store, c\\\"",
            "a, b\", no-store, c\"",
            "a, b =\", no-store, c=\"",
        ] {
            let found = read(line);
            let names: Vec<_> = found.iter().map(|(name, _)| name.trim_matches('"')).collect();
            assert_eq!(names.first(), Some(&"a"), "{line}");
            assert!(names.contains(&"no-store"), "{line}: {names:?}");
            let arguments: Vec<_> = found.iter().map(|(_, argument)| *argument).collect();
            assert_eq!(arguments, [Absent, Malformed, Malformed, Malformed], "{line}");
        }
    }

    proptest! {
        /// RFC 9111 §5.2: no bytes make the parser panic or run for ever.
        #[test]
        fn any_line_is_read_to_its_end(line in proptest::collection::vec(any::<u8>(), 0..120)) {
            prop_assert!(Directives::of(&line).count() <= line.len());
        }

        /// RFC 9111 §5.2: nor do lines made of the parser's own signs.
        #[test]
        fn any_line_of_signs_is_read_to_its_end(line in "[a-c=\", \\\\0-9]{0,60}") {
            for directive in Directives::of(line.as_bytes()) {
                let _ = directive.seconds();
                prop_assert!(!directive.name.starts_with(b" "));
            }
        }
    }
}

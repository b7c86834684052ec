//! Numbers: one spelling for each exact value.

use std::io::Write as _;

use super::JsonError;

/// Most digits written without an exponent, as ECMAScript has it.
const MAX_PLAIN_DIGITS: u8 = 21;
/// Most zeros, the one before the point included, before a fraction gets an exponent.
const MAX_LEADING_ZEROS: i64 = 6;
/// Most digits of an exponent, leading zeros aside: more do not fit an `i64`.
const MAX_EXPONENT_DIGITS: usize = 18;

/// Copies the number at `at` to `out` and returns the position after it.
///
/// The layout is that of ECMAScript and RFC 8785, but of the number's own digits, all of them:
/// an integer of up to 21 digits stands as it is, `1e2` becomes `100`, `0.70` becomes `0.7`.
/// An exponent is computed, never written out, so that `1e999999999999` costs its own length.
pub(super) fn copy_number(body: &[u8], at: usize, out: &mut Vec<u8>) -> Result<usize, JsonError> {
    let is_negative = body.get(at) == Some(&b'-');
    let integer_at = at + usize::from(is_negative);
    let integer = digits(body, integer_at);
    // A zero in front ends the integer; what follows it is the caller's to refuse.
    let integer = if integer.first() == Some(&b'0') { b"0" } else { integer };
    if integer.is_empty() {
        return Err(JsonError::new(integer_at, "a minus without a number"));
    }
    let mut here = integer_at + integer.len();

    let mut fraction: &[u8] = b"";
    if body.get(here) == Some(&b'.') {
        fraction = digits(body, here + 1);
        if fraction.is_empty() {
            return Err(JsonError::new(here, "a decimal point without digits"));
        }
        here += 1 + fraction.len();
    }

    let mut exponent = None;
    if let Some(b'e' | b'E') = body.get(here) {
        let sign = body.get(here + 1).copied().filter(|sign| matches!(sign, b'+' | b'-'));
        let digits_at = here + 1 + usize::from(sign.is_some());
        let magnitude = digits(body, digits_at);
        if magnitude.is_empty() {
            return Err(JsonError::new(here, "an exponent without digits"));
        }
        exponent = Some((sign == Some(b'-'), magnitude));
        here = digits_at + magnitude.len();
    }

    if fraction.is_empty() && exponent.is_none() && integer.len() <= usize::from(MAX_PLAIN_DIGITS) {
        out.extend_from_slice(body.get(at..here).unwrap_or_default());
        return Ok(here);
    }
    if is_negative {
        out.push(b'-');
    }
    write_exact(integer, fraction, exponent, out)
        .ok_or(JsonError::new(at, "a number whose exponent has more than 18 digits"))?;
    Ok(here)
}

/// Writes `integer.fraction × 10^exponent`; nothing where the exponent does not fit.
fn write_exact(
    integer: &[u8],
    fraction: &[u8],
    exponent: Option<(bool, &[u8])>,
    out: &mut Vec<u8>,
) -> Option<()> {
    let (head, shifted) = strip_zeros_in_front(integer, fraction);
    let (head, tail) = strip_zeros_at_end(head, shifted);
    let num_digits = i64::try_from(head.len() + tail.len()).ok()?;
    if num_digits == 0 {
        out.push(b'0');
        return Some(());
    }
    // The value is 0.DIGITS × 10^point.
    let integer_len = if integer == b"0" { 0 } else { integer.len() };
    let point = i64::try_from(integer_len).ok()?
        - i64::try_from(fraction.len() - shifted.len()).ok()?
        + exponent_value(exponent)?;

    let all = || head.iter().chain(tail).copied();
    let zeros = |count: i64| std::iter::repeat_n(b'0', usize::try_from(count).unwrap_or(0));
    if num_digits <= point && point <= MAX_PLAIN_DIGITS.into() {
        out.extend(all().chain(zeros(point - num_digits)));
    } else if 0 < point && point <= MAX_PLAIN_DIGITS.into() {
        let before = usize::try_from(point).ok()?;
        out.extend(all().take(before));
        out.push(b'.');
        out.extend(all().skip(before));
    } else if -MAX_LEADING_ZEROS < point && point <= 0 {
        out.extend_from_slice(b"0.");
        out.extend(zeros(-point).chain(all()));
    } else {
        out.extend(all().take(1));
        if num_digits > 1 {
            out.push(b'.');
            out.extend(all().skip(1));
        }
        write!(out, "e{:+}", point - 1).ok()?;
    }
    Some(())
}

/// Drops zeros that stand before the first other digit.
fn strip_zeros_in_front<'a>(integer: &'a [u8], fraction: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    if integer != b"0" {
        return (integer, fraction);
    }
    let num_zeros = fraction.iter().take_while(|digit| **digit == b'0').count();
    (b"", fraction.get(num_zeros..).unwrap_or_default())
}

/// Drops zeros that stand after the last other digit.
fn strip_zeros_at_end<'a>(integer: &'a [u8], fraction: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let fraction = without_trailing_zeros(fraction);
    if fraction.is_empty() {
        (without_trailing_zeros(integer), fraction)
    } else {
        (integer, fraction)
    }
}

fn without_trailing_zeros(digits: &[u8]) -> &[u8] {
    let num_zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    digits.get(..digits.len() - num_zeros).unwrap_or_default()
}

fn exponent_value(exponent: Option<(bool, &[u8])>) -> Option<i64> {
    let Some((is_negative, magnitude)) = exponent else { return Some(0) };
    let num_zeros = magnitude.iter().take_while(|digit| **digit == b'0').count();
    let magnitude = magnitude.get(num_zeros..)?;
    if magnitude.len() > MAX_EXPONENT_DIGITS {
        return None;
    }
    let value = magnitude.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some(if is_negative { -value } else { value })
}

fn digits(body: &[u8], at: usize) -> &[u8] {
    let rest = body.get(at..).unwrap_or_default();
    let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest.get(..len).unwrap_or_default()
}

//! Which encodings a caller takes, and which of them it likes best (RFC 9110 §12.5.3).

pub use anteroom_actors::model::Encoding;

/// What a caller accepts, from best to worst. Equal exactly where every choice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Accepted {
    /// Ranks: 0 is refused, 3 is liked best, no two alike but 0.
    brotli: u8,
    gzip: u8,
    identity: u8,
}

impl Default for Accepted {
    /// What a caller without `Accept-Encoding` gets: the body as it is. It would have to accept any
    /// coding, but many that send none cannot decode one.
    fn default() -> Self {
        Self { brotli: 0, gzip: 0, identity: 1 }
    }
}

impl Accepted {
    /// Reads the values of all `Accept-Encoding` lines.
    ///
    /// Of equal weight, `br` goes before `gzip` before `identity`. `*` stands for what is not
    /// named. `identity` that is neither named nor covered by `*` is accepted, and liked least. An
    /// item that is malformed or unknown is passed over; of a coding named twice the lower weight
    /// counts.
    /// Cost: one pass, no allocation.
    pub fn parse<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut weights = Weights::default();
        for item in values.flat_map(|value| value.split(|byte| *byte == b',')) {
            weights.take(item);
        }
        weights.ranked()
    }

    /// Returns the encoding of `available` that the caller likes best; `None` where it accepts none
    /// of them: the server may answer 406, or send the body as it is all the same.
    pub fn choose(self, available: &[Encoding]) -> Option<Encoding> {
        let acceptable = available.iter().copied().filter(|encoding| self.accepts(*encoding));
        acceptable.max_by_key(|encoding| self.rank(*encoding))
    }

    /// Returns the encoding that the caller likes best of all.
    pub fn best(self) -> Encoding {
        self.choose(&Encoding::ALL).unwrap_or_default()
    }

    /// Tells whether the caller accepts `encoding`.
    pub const fn accepts(self, encoding: Encoding) -> bool {
        self.rank(encoding) > 0
    }

    /// Returns one byte that is equal exactly where every choice is: for digests of requests.
    pub const fn code(self) -> u8 {
        self.brotli << 4 | self.gzip << 2 | self.identity
    }

    const fn rank(self, encoding: Encoding) -> u8 {
        match encoding {
            Encoding::Identity => self.identity,
            Encoding::Gzip => self.gzip,
            Encoding::Brotli => self.brotli,
        }
    }
}

/// Weights in thousandths, of what was named.
#[derive(Default)]
struct Weights {
    brotli: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    others: Option<u16>,
}

impl Weights {
    fn take(&mut self, item: &[u8]) {
        let Some((coding, weight)) = read_item(item) else { return };
        let named = match Encoding::from_token(coding) {
            Some(Encoding::Brotli) => &mut self.brotli,
            Some(Encoding::Gzip) => &mut self.gzip,
            Some(Encoding::Identity) => &mut self.identity,
            None if coding == b"*" => &mut self.others,
            None => return,
        };
        *named = Some(named.map_or(weight, |before| before.min(weight)));
    }

    fn ranked(self) -> Accepted {
        // Two bits below the weight settle what is equal; below all of it is identity unnamed.
        let place = |weight: Option<u16>, bonus: u16| match weight.or(self.others) {
            None | Some(0) => 0,
            Some(weight) => weight << 2 | bonus,
        };
        let brotli = place(self.brotli, 3);
        let gzip = place(self.gzip, 2);
        let identity = match self.identity.or(self.others) {
            None => 1,
            Some(_) => place(self.identity, 1),
        };
        let rank = |place: u16| {
            let is_rank = |other: u16| u8::from(place > 0 && other > 0 && other <= place);
            is_rank(brotli) + is_rank(gzip) + is_rank(identity)
        };
        Accepted { brotli: rank(brotli), gzip: rank(gzip), identity: rank(identity) }
    }
}

/// Returns an item's coding and its weight, 1 where it has none.
fn read_item(item: &[u8]) -> Option<(&[u8], u16)> {
    let item = item.trim_ascii();
    let Some(semicolon) = item.iter().position(|byte| *byte == b';') else {
        return Some((item, 1_000));
    };
    let (coding, parameter) = item.split_at_checked(semicolon)?;
    match parameter.get(1..)?.trim_ascii() {
        [b'q' | b'Q', b'=', weight @ ..] => Some((coding.trim_ascii_end(), read_weight(weight)?)),
        _ => None,
    }
}

/// Reads a `qvalue` (RFC 9110 §12.4.2) as thousandths.
fn read_weight(text: &[u8]) -> Option<u16> {
    let (whole, decimals) = match text {
        [whole @ (b'0' | b'1')] => (whole, &b""[..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut thousandths = if *whole == b'1' { 1_000 } else { 0 };
    for (digit, worth) in decimals.iter().zip([100, 10, 1]) {
        let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        thousandths += digit * worth;
    }
    (thousandths <= 1_000).then_some(thousandths)
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;

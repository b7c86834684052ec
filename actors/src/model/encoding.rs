//! Content codings, and the forms of a body that are derived from it.

use std::sync::OnceLock;

use bytes::Bytes;

use super::allocated::allocated;

/// A content coding that is spoken here (RFC 9110 §8.4.1, RFC 7932).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// The body as it is.
    #[default]
    Identity,
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
}

impl Encoding {
    /// All of them, in the order of [`Self::index`].
    pub const ALL: [Self; 3] = [Self::Identity, Self::Gzip, Self::Brotli];

    /// Returns its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        match self {
            Self::Identity => 0,
            Self::Gzip => 1,
            Self::Brotli => 2,
        }
    }

    /// Returns the token that `Content-Encoding` has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }

    /// Returns the coding of a token, in any case; `x-gzip` is `gzip` (RFC 9110 §8.4.1.3).
    pub const fn from_token(token: &[u8]) -> Option<Self> {
        if token.eq_ignore_ascii_case(b"gzip") || token.eq_ignore_ascii_case(b"x-gzip") {
            Some(Self::Gzip)
        } else if token.eq_ignore_ascii_case(b"br") {
            Some(Self::Brotli)
        } else if token.eq_ignore_ascii_case(b"identity") {
            Some(Self::Identity)
        } else {
            None
        }
    }
}

/// Length of a body's tag, in bytes: two bodies with one tag are not to be feared.
pub const TAG_LEN: usize = 16;

/// A body in an encoding, where that is shorter. Boxed, as most entries have none.
type Made = Option<Box<Bytes>>;

/// What is worked out of a body once and served many times.
///
/// Never tells two entries apart: all of it follows from the body.
#[derive(Debug, Clone, Default)]
pub struct Encodings {
    gzip: OnceLock<Made>,
    brotli: OnceLock<Made>,
    tag: OnceLock<[u8; TAG_LEN]>,
}

impl PartialEq for Encodings {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Encodings {}

impl Encodings {
    /// Returns the body in `encoding`, once that is worked out and where it is shorter; never for
    /// identity.
    pub fn ready(&self, encoding: Encoding) -> Option<&Bytes> {
        self.slot(encoding)?.get()?.as_deref()
    }

    /// Tells whether `encoding` is worked out, with whatever outcome; identity always is.
    pub fn is_settled(&self, encoding: Encoding) -> bool {
        self.slot(encoding).is_none_or(|slot| slot.get().is_some())
    }

    /// Notes the body in `encoding`, `None` where that does not pay, unless it is there already.
    /// Who asks while another works it out waits for that one.
    pub fn settle(&self, encoding: Encoding, make: impl FnOnce() -> Option<Bytes>) {
        if let Some(slot) = self.slot(encoding) {
            slot.get_or_init(|| make().map(Box::new));
        }
    }

    /// Returns the digest of `body`, which is that of the entry: worked out at the first call.
    pub fn tag(&self, body: &[u8]) -> &[u8; TAG_LEN] {
        self.tag.get_or_init(|| {
            let digest = blake3::hash(body);
            *digest.as_bytes().first_chunk().unwrap_or(&[0; TAG_LEN])
        })
    }

    /// Notes a digest that is known already.
    pub fn set_tag(&self, tag: [u8; TAG_LEN]) {
        self.tag.get_or_init(|| tag);
    }

    /// Tells whether the digest is known.
    pub fn is_tagged(&self) -> bool {
        self.tag.get().is_some()
    }

    /// Returns the bytes of memory that the encodings take, each as large as the allocator makes it.
    pub fn allocated_bytes(&self) -> usize {
        let slots = [&self.gzip, &self.brotli].into_iter();
        slots
            .filter_map(|slot| slot.get()?.as_deref())
            .map(|bytes| allocated(size_of::<Bytes>()) + allocated(bytes.len()))
            .sum()
    }

    const fn slot(&self, encoding: Encoding) -> Option<&OnceLock<Made>> {
        match encoding {
            Encoding::Identity => None,
            Encoding::Gzip => Some(&self.gzip),
            Encoding::Brotli => Some(&self.brotli),
        }
    }
}

//! The forms in which one answer can be sent.

use super::CacheKey;

/// How an answer is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// One whole.
    #[default]
    Object,
    /// Events, with all that the origin sent.
    Stream,
    /// Events, without the usage that only the gateway asked for.
    StreamWithoutUsage,
}

impl Form {
    /// Tells whether it is a stream of events.
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Stream | Self::StreamWithoutUsage)
    }

    /// Returns where L1 holds an answer of `key` that was brought into this form from another.
    /// For memory only: outside there is one entry for all forms.
    pub fn place(self, key: &CacheKey) -> CacheKey {
        let mask = match self {
            Self::Object => 0x5a,
            Self::Stream => 0xa5,
            Self::StreamWithoutUsage => 0x3c,
        };
        CacheKey::new(key.as_bytes().map(|byte| byte ^ mask))
    }

    /// Returns the number in a stored record.
    pub const fn code(self) -> u8 {
        match self {
            Self::Object => 0,
            Self::Stream => 1,
            Self::StreamWithoutUsage => 2,
        }
    }

    /// Returns the form of a stored number.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Object),
            1 => Some(Self::Stream),
            2 => Some(Self::StreamWithoutUsage),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_a_code_and_a_place_of_its_own() {
        let key = CacheKey::new([7; 32]);
        let mut places = vec![key];
        for form in [Form::Object, Form::Stream, Form::StreamWithoutUsage] {
            assert_eq!(Form::from_code(form.code()), Some(form));
            places.push(form.place(&key));
        }
        places.sort_unstable();
        assert!(places.is_sorted_by(|one, other| one < other));
        assert_eq!(Form::from_code(3), None);
    }
}

//! Sockets that a service manager has opened (systemd's protocol, sd_listen_fds(3)).
//!
//! Named `api` and `operations`, or, where none has such a name, the API's first.

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use super::{Given, Origin, Socket};

/// The names that say what a socket is for.
const NAMES: [&str; 2] = ["api", "operations"];

/// Longest name that is repeated in an error, in characters.
const NAME_SHOWN: usize = 64;

/// Sockets that were passed and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// One that is no listening TCP socket.
    #[error("the inherited socket {number} ({what}) cannot be used: {reason}")]
    Unusable {
        /// Its place, from 1.
        number: usize,
        /// What it would be for.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// One that has no use.
    #[error(
        "the inherited socket {number}{name} has no use: there are `api` and `operations`, each once, \
         or two without these names, the API's first"
    )]
    Unassigned {
        /// Its place, from 1.
        number: usize,
        /// Its name in parentheses, where it has one.
        name: String,
    },
}

impl GivenError {
    /// Returns a name for the kind of error.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => "unusable",
            Self::Unassigned { .. } => "unassigned",
        }
    }
}

/// Takes the sockets that were passed to this process, whose names are `names`, with colons between.
///
/// # Errors
///
/// When one has no use, or is no TCP socket that listens.
pub(super) fn take(names: &str) -> Result<Given, GivenError> {
    let mut passed = ListenFd::from_env();
    let places = assign(passed.len(), names)?;
    let mut take = |place: Option<usize>, what| {
        let Some(index) = place else { return Ok(None) };
        let number = index.saturating_add(1);
        let unusable = |reason: String| GivenError::Unusable { number, what, reason };
        let found = passed.take_tcp_listener(index);
        let Some(listener) = found.map_err(|error| unusable(error.to_string()))? else {
            return Ok(None);
        };
        let listens = socket_acceptconn(&listener);
        if !listens.map_err(|error| unusable(error.to_string()))? {
            return Err(unusable("a TCP socket that does not listen".to_owned()));
        }
        let socket = Socket::new(listener, Origin::Manager);
        Ok(Some(socket.map_err(|error| unusable(error.to_string()))?))
    };
    let [api, operations] = NAMES;
    Ok(Given {
        api: take(places.first().copied().flatten(), api)?,
        operations: take(places.get(1).copied().flatten(), operations)?,
    })
}

/// Returns which of `count` sockets are the API's and the operations listener's.
fn assign(count: usize, names: &str) -> Result<[Option<usize>; 2], GivenError> {
    let names: Vec<&str> = names.split(':').collect();
    let name = |index: usize| names.get(index).copied().unwrap_or_default();
    let are_named = (0..count).any(|index| NAMES.contains(&name(index)));
    let mut places = [None; 2];
    for index in 0..count {
        let place = match are_named {
            true => NAMES.iter().position(|known| *known == name(index)),
            false => Some(index),
        };
        match place.and_then(|place| places.get_mut(place)) {
            Some(free @ None) => *free = Some(index),
            _ => {
                let shown: String = name(index).chars().take(NAME_SHOWN).collect();
                let name = if shown.is_empty() { shown } else { format!(" ({shown})") };
                return Err(GivenError::Unassigned { number: index.saturating_add(1), name });
            }
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_known_by_name_or_else_by_order() {
        for (count, names, expected) in [
            (0, "", Some([None, None])),
            (0, "api", Some([None, None])),
            (1, "", Some([Some(0), None])),
            (2, "", Some([Some(0), Some(1)])),
            (2, "anteroom.socket:anteroom.socket", Some([Some(0), Some(1)])),
            (1, "api", Some([Some(0), None])),
            (1, "operations", Some([None, Some(0)])),
            (2, "operations:api", Some([Some(1), Some(0)])),
            (2, "api:api", None),
            (2, "api:metrics", None),
            (2, "api", None),
            (3, "", None),
            (3, "api:operations:more", None),
        ] {
            assert_eq!(assign(count, names).ok(), expected, "{count} {names}");
        }
    }

    #[test]
    fn what_has_no_use_is_named() {
        let error = assign(2, "api:metrics").unwrap_err();
        assert!(error.to_string().contains("socket 2 (metrics)"), "{error}");
        assert_eq!(error.label(), "unassigned");
        let error = assign(3, "").unwrap_err();
        assert!(error.to_string().contains("socket 3 has no use"), "{error}");
    }
}

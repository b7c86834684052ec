//! Connections that wait to be accepted: the system refuses or forgets those past the bound.

use std::net::TcpListener;

/// The most that the system lets any socket have (socket(7), listen(2)).
const SYSTEM_BOUND: &str = "/proc/sys/net/core/somaxconn";

/// Lets `backlog` connections wait on `listener`, or as many as the system allows.
///
/// # Errors
///
/// What the system says.
pub(super) fn set(listener: &TcpListener, backlog: u16) -> std::io::Result<()> {
    // On a socket that listens already, Linux takes the new bound.
    Ok(rustix::net::listen(listener, i32::from(backlog))?)
}

/// Says in the log where the system allows less than `backlog`.
pub(super) fn check(backlog: u16) {
    let Ok(text) = std::fs::read_to_string(SYSTEM_BOUND) else { return };
    if let Some(allowed) = short_of(&text, backlog) {
        tracing::warn!(
            allowed,
            backlog,
            "fewer connections may wait to be accepted than server.backlog says; raise the system's \
             bound (sysctl net.core.somaxconn), or lower it"
        );
    }
}

/// Returns the system's bound, where it is lower than `backlog`.
fn short_of(system: &str, backlog: u16) -> Option<u64> {
    system.trim().parse().ok().filter(|allowed| *allowed < u64::from(backlog))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_bound_of_the_system_is_found() {
        for (system, backlog, expected) in [
            ("4096\n", 1_024, None),
            ("1024\n", 1_024, None),
            ("128\n", 1_024, Some(128)),
            ("", 1_024, None),
            ("many", 1_024, None),
        ] {
            assert_eq!(short_of(system, backlog), expected, "{system:?}");
        }
    }

    #[test]
    fn a_socket_that_listens_takes_another_bound() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Linux counts up to and with the bound: two wait with a bound of one, the third gets no answer.
        set(&listener, 1).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || {
            let within = std::time::Duration::from_millis(100);
            std::net::TcpStream::connect_timeout(&address, within)
        };
        let waiting: Vec<_> = (0..3).map(|_| connect()).collect();
        assert_eq!(waiting.iter().filter(|connection| connection.is_ok()).count(), 2);
        set(&listener, 8).unwrap();
        assert!(connect().is_ok());
    }
}

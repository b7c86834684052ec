//! What an error of the Redis library means for a level.

use std::time::Duration;

use deadpool_redis::PoolError;
use deadpool_redis::redis::{ErrorKind, RedisError, RedisResult};

use crate::error::LevelError;

/// Code of a reply for a command that does not fit the type of the value.
pub(super) const WRONG_TYPE: &str = "WRONGTYPE";

/// Replies after which reads will not work either, so that the level is better left out and
/// probed. The others (`OOM`, `READONLY`, `MISCONF`, …) concern writes: reads go on.
const READS_END: [&str; 7] =
    ["NOAUTH", "WRONGPASS", "LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "UNKILLABLE"];

/// Code of a replica's reply to a write.
const READ_ONLY: &str = "READONLY";

/// Longest code taken over from a reply: it ends in logs, and a server may send anything.
const MAX_CODE_CHARS: usize = 24;

/// What an error means: [`level_error`] or [`master_error`].
pub(super) type Meaning = fn(&'static str, Duration, &RedisError) -> LevelError;

/// Waits for `reply`, at most for `deadline`: the library's own time-out leaves out the wait for a
/// place in the connection's queue.
pub(super) async fn in_time<T>(
    what: &'static str,
    deadline: Duration,
    meaning: Meaning,
    reply: impl Future<Output = RedisResult<T>>,
) -> Result<T, LevelError> {
    match tokio::time::timeout(deadline, reply).await {
        Ok(reply) => reply.map_err(|error| meaning(what, deadline, &error)),
        Err(_) => Err(LevelError::TimedOut { what, waited: deadline }),
    }
}

/// Says what `error` of `what` means; `waited` is how long a reply was waited for.
///
/// No text of a reply is taken over beyond its code, and none of the library's that could show
/// a value or the URL.
pub(super) fn level_error(what: &'static str, waited: Duration, error: &RedisError) -> LevelError {
    if error.is_timeout() {
        return LevelError::TimedOut { what, waited };
    }
    let Some(code) = error.code() else {
        return LevelError::Unreachable { what, reason: words(error) };
    };
    let reason: String =
        code.chars().filter(char::is_ascii_alphanumeric).take(MAX_CODE_CHARS).collect();
    if READS_END.contains(&code) {
        LevelError::Unreachable { what, reason }
    } else if error.detail().is_some_and(|detail| detail.starts_with("max number of clients")) {
        LevelError::Unreachable { what, reason: "too many clients".to_owned() }
    } else {
        LevelError::Refused { what, reason }
    }
}

/// As [`level_error`], where sentinels tell who the master is: a server that has become a replica is
/// as good as away.
pub(super) fn master_error(what: &'static str, waited: Duration, error: &RedisError) -> LevelError {
    // In a transaction each command has its own error.
    let replies = error.clone().into_server_errors();
    if replies.is_some_and(|replies| replies.iter().any(|(_, reply)| reply.code() == READ_ONLY)) {
        return LevelError::Unreachable { what, reason: READ_ONLY.to_owned() };
    }
    level_error(what, waited, error)
}

/// Says what a failed checkout means.
pub(super) fn checkout_error(waited: Duration, error: &PoolError) -> LevelError {
    const WHAT: &str = "a connection to Redis";
    match error {
        PoolError::Backend(error) => level_error(WHAT, waited, error),
        PoolError::Timeout(_) => LevelError::TimedOut { what: WHAT, waited },
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            LevelError::Unreachable { what: WHAT, reason: "the pool is closed".to_owned() }
        }
    }
}

fn words(error: &RedisError) -> String {
    if error.kind() == ErrorKind::Io { error.to_string() } else { error.category().to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io;

    use deadpool_redis::redis::{ServerErrorKind, make_extension_error};

    use super::*;

    const WAITED: Duration = Duration::from_millis(20);

    fn meaning(error: &RedisError) -> (&'static str, bool, String) {
        let error = level_error("a read", WAITED, error);
        (error.label(), error.trips_breaker(), error.to_string())
    }

    #[test]
    fn refused_writes_leave_reads_on_and_a_server_that_cannot_read_is_left_out() {
        let table = [
            ("OOM", "refused"),
            ("READONLY", "refused"),
            ("MISCONF", "refused"),
            ("NOPERM", "refused"),
            ("WRONGTYPE", "refused"),
            ("NOAUTH", "unreachable"),
            ("WRONGPASS", "unreachable"),
            ("LOADING", "unreachable"),
            ("BUSY", "unreachable"),
            ("MASTERDOWN", "unreachable"),
        ];
        for (code, label) in table {
            let error = make_extension_error(code.to_owned(), Some("prompt text".to_owned()));
            let (actual, trips, text) = meaning(&error);
            assert_eq!(actual, label, "{code}");
            assert_eq!(trips, label == "unreachable", "{code}");
            assert!(text.contains(code), "{text}");
            assert!(!text.contains("prompt"), "{text}");
        }
    }

    #[test]
    fn a_master_that_refuses_writes_as_a_replica_does_is_left_out() {
        for (code, label) in
            [("READONLY", "unreachable"), ("OOM", "refused"), ("LOADING", "unreachable")]
        {
            let error = make_extension_error(code.to_owned(), None);
            let meaning = master_error("a write", WAITED, &error);
            assert_eq!(meaning.label(), label, "{code}");
            assert!(meaning.to_string().contains(code), "{meaning}");
        }
    }

    #[test]
    fn io_errors_trip_the_breaker_and_keep_their_kind() {
        let table = [
            (io::ErrorKind::TimedOut, "timed_out"),
            (io::ErrorKind::ConnectionRefused, "unreachable"),
            (io::ErrorKind::BrokenPipe, "unreachable"),
            (io::ErrorKind::UnexpectedEof, "unreachable"),
            (io::ErrorKind::NotFound, "unreachable"),
        ];
        for (kind, label) in table {
            let (actual, trips, _) = meaning(&RedisError::from(io::Error::from(kind)));
            assert_eq!((actual, trips), (label, true), "{kind}");
        }
    }

    #[test]
    fn too_many_clients_and_wrong_passwords_count_as_unreachable() {
        let kind = ErrorKind::Server(ServerErrorKind::ResponseError);
        let detail = "max number of clients reached".to_owned();
        let (label, ..) = meaning(&RedisError::from((kind, "refused", detail)));
        assert_eq!(label, "unreachable");
        let error =
            RedisError::from((ErrorKind::AuthenticationFailed, "failed", "hunter2".to_owned()));
        let (label, _, text) = meaning(&error);
        assert_eq!(label, "unreachable");
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn replies_that_make_no_sense_are_unreachable_and_not_quoted() {
        let error = RedisError::from((ErrorKind::Parse, "bad", "secret bytes".to_owned()));
        let (label, trips, text) = meaning(&error);
        assert_eq!((label, trips), ("unreachable", true));
        assert!(!text.contains("secret"), "{text}");
        let code = format!("{}\r\n{}", "A".repeat(90), "b");
        let (_, _, text) = meaning(&make_extension_error(code, None));
        assert!(text.len() < 80 && !text.contains('\n'), "{text}");
    }
}

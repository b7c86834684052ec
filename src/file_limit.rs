//! Open files: every connection is one, and past the system's limit none can be made.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::settings::{Settings, UpstreamKind};

/// Files of its own: databases, Redis, threads, sockets that listen, and some to spare.
const OWN: u64 = 256;

/// What is done about the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    /// Nothing: it is high enough.
    None,
    /// It is raised: so far the system lets every process go.
    Raise(u64),
    /// It is raised as far as it goes, and is too low.
    Short(u64),
}

/// Raises the process's limit of open files to what the settings may need, where the system lets it;
/// where not, says so in the log.
pub fn raise(settings: &Settings) {
    let limit = getrlimit(Resource::Nofile);
    let unlimited = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let needed = needed(settings);
    let measure = measure(unlimited(limit.current), unlimited(limit.maximum), needed);
    if let Measure::Raise(to) | Measure::Short(to) = measure {
        let raised = Rlimit { current: Some(to), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::debug!(%error, "the limit of open files stays");
        }
    }
    if let Measure::Short(limit) = measure {
        tracing::warn!(
            limit,
            needed,
            "too few open files for server.max_connections and the connections of upstreams; raise the \
             limit (ulimit -n, LimitNOFILE of systemd), or lower them"
        );
    }
}

/// Returns how many files may be open at once.
fn needed(settings: &Settings) -> u64 {
    let http = settings.upstreams.values().filter(|upstream| upstream.kind == UpstreamKind::Http);
    let threads = settings.flights.fetch_threads.saturating_add(settings.server.threads());
    let upstreams: usize = http.map(|upstream| upstream.connections.saturating_mul(threads)).sum();
    let connections = settings.server.max_connections.saturating_add(upstreams);
    u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OWN)
}

const fn measure(current: u64, maximum: u64, needed: u64) -> Measure {
    if current >= needed {
        Measure::None
    } else if maximum >= needed {
        Measure::Raise(needed)
    } else {
        Measure::Short(maximum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        for (current, maximum, needed, expected) in [
            (1_024, 4_096, 1_000, Measure::None),
            (1_024, 4_096, 1_024, Measure::None),
            (1_024, 4_096, 2_000, Measure::Raise(2_000)),
            (1_024, 4_096, 4_096, Measure::Raise(4_096)),
            (1_024, 4_096, 5_000, Measure::Short(4_096)),
            (u64::MAX, u64::MAX, 5_000, Measure::None),
        ] {
            assert_eq!(measure(current, maximum, needed), expected, "{current} {maximum} {needed}");
        }
    }

    #[test]
    fn what_is_needed_follows_the_settings() {
        let mut settings = Settings::default();
        assert_eq!(needed(&settings), 20_000 + OWN);
        if let Some(upstream) = settings.upstreams.get_mut("default") {
            upstream.kind = UpstreamKind::Http;
        }
        settings.server.workers = 3;
        settings.flights.fetch_threads = 2;
        assert_eq!(needed(&settings), 20_000 + 5 * 512 + OWN);
    }
}

//! The callers who have keys, and what each may use.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderValue;
use anteroom_actors::clock::SharedClock;

use super::limit::Timer;
use super::{ClientKeys, Limit, Metering, Quota, fields};
use crate::canonical::{Scope, ScopeSecret};
use crate::settings::ClientKey;
use crate::telemetry::{ClientMetrics, Metrics};

/// All callers who have keys.
pub struct Clients {
    /// Knows them by their keys.
    pub keys: ClientKeys,
    all: Vec<Client>,
    timer: Timer,
}

/// A caller who has a key, by position in the settings; goes along with its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller(pub usize);

/// What is known of a caller who has a key.
pub struct Client {
    /// Name of its key.
    pub name: Arc<str>,
    /// In which its answers are kept.
    pub scope: Scope,
    requests: Option<Limit>,
    tokens: Option<Arc<Limit>>,
    /// Value of `RateLimit-Policy`, where there is a limit.
    policy: Option<HeaderValue>,
    metrics: ClientMetrics,
}

impl Clients {
    /// Prepares the settings' keys; `None` where there are none.
    pub fn new(
        keys: &[ClientKey],
        secret: &ScopeSecret,
        metrics: &Metrics,
        clock: &SharedClock,
    ) -> Option<Self> {
        Some(Self {
            keys: ClientKeys::new(keys)?,
            all: keys.iter().map(|key| Client::new(key, secret, metrics)).collect(),
            timer: Timer::start(Arc::clone(clock)),
        })
    }

    /// Returns the caller whose key has that name.
    pub fn named(&self, name: &str) -> Option<&Client> {
        self.all.iter().find(|client| &*client.name == name)
    }

    /// Returns a caller.
    pub fn get(&self, caller: Caller) -> Option<&Client> {
        self.all.get(caller.0)
    }

    /// Counts a request of `client`.
    ///
    /// # Errors
    ///
    /// How long it has to wait where it made too many.
    pub fn admit(&self, client: &Client) -> Result<(), Duration> {
        if let Some(limit) = &client.requests {
            limit.take(self.timer.now(), 1).inspect_err(|_| client.metrics.limited.inc())?;
        }
        client.metrics.admitted.inc();
        Ok(())
    }

    /// Takes `estimate` tokens for an upstream call of `client`, where they are limited. Nothing to be paid, such as an
    /// upload or a list, passes also where none are left.
    ///
    /// # Errors
    ///
    /// How long it has to wait where too few are left.
    pub fn meter(
        &self,
        client: &Client,
        estimate: impl FnOnce() -> u64,
    ) -> Result<Metering, Duration> {
        let Some(limit) = &client.tokens else { return Ok(Metering::default()) };
        let estimate = estimate();
        let taken = match estimate {
            0 => 0,
            _ => limit
                .take(self.timer.now(), estimate)
                .inspect_err(|_| client.metrics.limited.inc())?,
        };
        let counter = client.metrics.tokens.clone();
        Ok(Metering::begin(Arc::clone(limit), self.timer.clone(), counter, taken))
    }

    /// Returns the values of `RateLimit-Policy` and `RateLimit`, where `client` has a limit.
    pub fn fields(&self, client: &Client) -> Option<(HeaderValue, HeaderValue)> {
        let policy = client.policy.clone()?;
        let now = self.timer.now();
        let requests = client.requests.as_ref().map(|limit| limit.left(now));
        let tokens = client.tokens.as_ref().map(|limit| limit.left(now));
        let state = HeaderValue::try_from(fields::state(requests, tokens)).ok()?;
        Some((policy, state))
    }
}

impl Client {
    fn new(key: &ClientKey, secret: &ScopeSecret, metrics: &Metrics) -> Self {
        let limit =
            |units| NonZeroU64::new(units).map(|units| Limit::new(Quota::per_minute(units)));
        let (requests, tokens) = (limit(key.requests_per_minute), limit(key.tokens_per_minute));
        let policy =
            fields::policy(requests.as_ref().map(Limit::quota), tokens.as_ref().map(Limit::quota));
        Self {
            name: Arc::from(key.name.as_str()),
            scope: secret.client_scope(key.scope_name()),
            requests,
            tokens: tokens.map(Arc::new),
            policy: HeaderValue::try_from(policy).ok().filter(|policy| !policy.is_empty()),
            metrics: metrics.client(&key.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use anteroom_actors::clock::ManualClock;
    use prometheus::Registry;

    use super::*;

    fn clients(keys: &[ClientKey]) -> (Clients, Arc<ManualClock>) {
        let clock = ManualClock::new();
        let metrics = Metrics::new(Registry::new(), &[]).unwrap();
        let shared: SharedClock = Arc::<ManualClock>::clone(&clock);
        (Clients::new(keys, &ScopeSecret::new([1; 32]), &metrics, &shared).unwrap(), clock)
    }

    fn key(name: &str, scope: &str) -> ClientKey {
        ClientKey { name: name.into(), scope: scope.into(), ..ClientKey::default() }
    }

    fn told(clients: &Clients, client: &Client) -> String {
        let (policy, state) = clients.fields(client).unwrap();
        format!("{} | {}", policy.to_str().unwrap(), state.to_str().unwrap())
    }

    #[test]
    fn each_key_has_a_scope_of_its_own_unless_it_names_one() {
        let (clients, _clock) =
            clients(&[key("a", ""), key("b", ""), key("c", "a"), key("d", "t")]);
        let scope = |position| clients.get(Caller(position)).unwrap().scope;
        assert_eq!(scope(0), scope(2));
        assert!(scope(0) != scope(1) && scope(1) != scope(3) && scope(0) != scope(3));
        assert!(clients.get(Caller(4)).is_none());
    }

    #[test]
    fn requests_and_tokens_are_limited_each_by_itself_and_told() {
        let limited = ClientKey { requests_per_minute: 2, tokens_per_minute: 60, ..key("a", "") };
        let (clients, clock) = clients(&[limited, key("b", "")]);
        let client = clients.get(Caller(0)).unwrap();
        assert!(clients.admit(client).is_ok() && clients.admit(client).is_ok());
        assert_eq!(clients.admit(client), Err(Duration::from_secs(30)));
        let policy = "\"requests\";q=2;w=60, \"tokens\";q=60;w=60;qu=\"tokens\"";
        let state = "\"requests\";r=0;t=60, \"tokens\";r=60;t=0";
        assert_eq!(told(&clients, client), format!("{policy} | {state}"));
        let metering = clients.meter(client, || 50).unwrap();
        assert_eq!(clients.meter(client, || 20).err(), Some(Duration::from_secs(10)));
        assert!(clients.meter(client, || 0).is_ok(), "what costs nothing passes");
        drop(metering);
        assert!(clients.meter(client, || 20).is_ok(), "no call was made");
        clock.advance(Duration::from_secs(30));
        assert!(clients.admit(client).is_ok());
        let (admitted, limited) = (client.metrics.admitted.get(), client.metrics.limited.get());
        assert_eq!((admitted, limited), (3, 2));
        let free = clients.get(Caller(1)).unwrap();
        assert!((0..100).all(|_| clients.admit(free).is_ok()));
        assert!(clients.meter(free, || u64::MAX).is_ok() && clients.fields(free).is_none());
    }
}

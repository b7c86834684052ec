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
    all: Vec<Arc<Client>>,
    timer: Timer,
}

/// A caller who has a key; goes along with its request, whatever becomes of the key meanwhile.
pub struct Caller(pub Arc<Client>);

/// What is known of a caller who has a key.
pub struct Client {
    /// Name of its key.
    pub name: Arc<str>,
    /// In which its answers are kept.
    pub scope: Scope,
    requests: Option<Arc<Limit>>,
    tokens: Option<Arc<Limit>>,
    /// Value of `RateLimit-Policy`, where there is a limit.
    policy: Option<HeaderValue>,
    metrics: ClientMetrics,
    timer: Timer,
}

impl Clients {
    /// Prepares the settings' keys; `None` where there are none. Of a name that was `known` before,
    /// limits that are the same go on from where they are.
    pub fn new(
        keys: &[ClientKey],
        secret: &ScopeSecret,
        metrics: &Metrics,
        clock: &SharedClock,
        known: Option<&Self>,
    ) -> Option<Self> {
        let timer = match known {
            Some(known) => known.timer.clone(),
            None => Timer::start(Arc::clone(clock)),
        };
        let client = |key: &ClientKey| {
            let before = known.and_then(|known| known.named(&key.name));
            Arc::new(Client::new(key, (secret, metrics, &timer), before.map(|before| &**before)))
        };
        let (keys, all) = (ClientKeys::new(keys)?, keys.iter().map(client).collect());
        Some(Self { keys, all, timer })
    }

    /// Returns the caller whose key has that name.
    pub fn named(&self, name: &str) -> Option<&Arc<Client>> {
        self.all.iter().find(|client| &*client.name == name)
    }

    /// Returns the caller at a position in the settings.
    pub fn get(&self, position: usize) -> Option<&Arc<Client>> {
        self.all.get(position)
    }
}

impl Client {
    fn new(
        key: &ClientKey,
        (secret, metrics, timer): (&ScopeSecret, &Metrics, &Timer),
        before: Option<&Self>,
    ) -> Self {
        let limit = |units, before: Option<&Arc<Limit>>| {
            let quota = Quota::per_minute(NonZeroU64::new(units)?);
            let same = before.filter(|before| *before.quota() == quota);
            Some(same.map_or_else(|| Arc::new(Limit::new(quota)), Arc::clone))
        };
        let requests =
            limit(key.requests_per_minute, before.and_then(|before| before.requests.as_ref()));
        let tokens = limit(key.tokens_per_minute, before.and_then(|before| before.tokens.as_ref()));
        let policy = fields::policy(
            requests.as_ref().map(|limit| limit.quota()),
            tokens.as_ref().map(|limit| limit.quota()),
        );
        Self {
            name: Arc::from(key.name.as_str()),
            scope: secret.client_scope(key.scope_name()),
            requests,
            tokens,
            policy: HeaderValue::try_from(policy).ok().filter(|policy| !policy.is_empty()),
            metrics: metrics.client(&key.name),
            timer: timer.clone(),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// How long it has to wait where there were too many.
    pub fn admit(&self) -> Result<(), Duration> {
        if let Some(limit) = &self.requests {
            limit.take(self.timer.now(), 1).inspect_err(|_| self.metrics.limited.inc())?;
        }
        self.metrics.admitted.inc();
        Ok(())
    }

    /// Takes `estimate` tokens for an upstream call, where they are limited. Nothing to be paid, such as an
    /// upload or a list, passes also where none are left.
    ///
    /// # Errors
    ///
    /// How long it has to wait where too few are left.
    pub fn meter(&self, estimate: impl FnOnce() -> u64) -> Result<Metering, Duration> {
        let Some(limit) = &self.tokens else { return Ok(Metering::default()) };
        let estimate = estimate();
        let taken = match estimate {
            0 => 0,
            _ => limit
                .take(self.timer.now(), estimate)
                .inspect_err(|_| self.metrics.limited.inc())?,
        };
        let counter = self.metrics.tokens.clone();
        Ok(Metering::begin(Arc::clone(limit), self.timer.clone(), counter, taken))
    }

    /// Returns the values of `RateLimit-Policy` and `RateLimit`, where there is a limit.
    pub fn fields(&self) -> Option<(HeaderValue, HeaderValue)> {
        let policy = self.policy.clone()?;
        let now = self.timer.now();
        let requests = self.requests.as_ref().map(|limit| limit.left(now));
        let tokens = self.tokens.as_ref().map(|limit| limit.left(now));
        let state = HeaderValue::try_from(fields::state(requests, tokens)).ok()?;
        Some((policy, state))
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
        (Clients::new(keys, &ScopeSecret::new([1; 32]), &metrics, &shared, None).unwrap(), clock)
    }

    fn key(name: &str, scope: &str) -> ClientKey {
        ClientKey { name: name.into(), scope: scope.into(), ..ClientKey::default() }
    }

    fn told(client: &Client) -> String {
        let (policy, state) = client.fields().unwrap();
        format!("{} | {}", policy.to_str().unwrap(), state.to_str().unwrap())
    }

    #[test]
    fn each_key_has_a_scope_of_its_own_unless_it_names_one() {
        let (clients, _clock) =
            clients(&[key("a", ""), key("b", ""), key("c", "a"), key("d", "t")]);
        let scope = |position| clients.get(position).unwrap().scope;
        assert_eq!(scope(0), scope(2));
        assert!(scope(0) != scope(1) && scope(1) != scope(3) && scope(0) != scope(3));
        assert!(clients.get(4).is_none());
    }

    #[test]
    fn requests_and_tokens_are_limited_each_by_itself_and_told() {
        let limited = ClientKey { requests_per_minute: 2, tokens_per_minute: 60, ..key("a", "") };
        let (clients, clock) = clients(&[limited, key("b", "")]);
        let client = clients.get(0).unwrap();
        assert!(client.admit().is_ok() && client.admit().is_ok());
        assert_eq!(client.admit(), Err(Duration::from_secs(30)));
        let policy = "\"requests\";q=2;w=60, \"tokens\";q=60;w=60;qu=\"tokens\"";
        let state = "\"requests\";r=0;t=60, \"tokens\";r=60;t=0";
        assert_eq!(told(client), format!("{policy} | {state}"));
        let metering = client.meter(|| 50).unwrap();
        assert_eq!(client.meter(|| 20).err(), Some(Duration::from_secs(10)));
        assert!(client.meter(|| 0).is_ok(), "what costs nothing passes");
        drop(metering);
        assert!(client.meter(|| 20).is_ok(), "no call was made");
        clock.advance(Duration::from_secs(30));
        assert!(client.admit().is_ok());
        let (admitted, limited) = (client.metrics.admitted.get(), client.metrics.limited.get());
        assert_eq!((admitted, limited), (3, 2));
        let free = clients.get(1).unwrap();
        assert!((0..100).all(|_| free.admit().is_ok()));
        assert!(free.meter(|| u64::MAX).is_ok() && free.fields().is_none());
    }

    #[test]
    fn a_limit_that_stays_the_same_goes_on_where_it_is_and_another_begins_anew() {
        let limited = ClientKey { requests_per_minute: 2, tokens_per_minute: 60, ..key("a", "") };
        let (before, clock) = clients(std::slice::from_ref(&limited));
        let client = before.get(0).unwrap();
        assert!(client.admit().is_ok() && client.admit().is_ok());
        let metrics = Metrics::new(Registry::new(), &[]).unwrap();
        let shared: SharedClock = Arc::<ManualClock>::clone(&clock);
        let next = |keys: &[ClientKey]| {
            Clients::new(keys, &ScopeSecret::new([1; 32]), &metrics, &shared, Some(&before))
        };
        let moved = next(&[key("b", ""), limited.clone()]).unwrap();
        assert!(moved.get(1).unwrap().admit().is_err(), "as full as before");
        let more = next(&[ClientKey { requests_per_minute: 3, ..limited }]).unwrap();
        assert!(more.get(0).unwrap().admit().is_ok(), "another limit");
        assert!(next(&[]).is_none());
    }
}

//! From the deployer's settings to the plain ones of the actors.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anteroom_actors::model::GateSettings;
use anteroom_actors::settings::{
    BreakerSettings, ConversationSettings, Database, EncodingSettings, FlightSettings, KeepFor,
    L1Settings, L2Settings, L3Settings, MemorySettings, PurgeSettings, ReplicaSettings, ScalerMode,
    ScalerSettings, SentinelSettings, SizerSettings,
};
use anteroom_actors::warming::{BudgetSettings, DeskSettings, ForecastSettings};

use super::validate::sqlite_path;
use super::{Breaker, ByteSize, ScalerChoice, Settings, Upstream, UpstreamKind};
use crate::savings::{Money, Price, PriceError, PriceTable};

const DATABASE_FILE: &str = "anteroom.db";
const CONVERSATIONS_FILE: &str = "conversations.db";
const HOT_KEYS_FILE: &str = "hot.keys";

/// Longest wait for a lock of the conversations' database: a caller waits, and nothing may be lost.
const CONVERSATIONS_TIMEOUT: Duration = Duration::from_secs(2);

/// Time between two looks at the process's memory, and between two rounds of cleaning without pressure.
const READ_MEMORY_EVERY: Duration = Duration::from_secs(1);
const TIDY_MEMORY_EVERY: Duration = Duration::from_secs(10);

/// Past it L1's weights would be coarse.
const MOST_L1_BYTES: u64 = 64 << 30;

/// A record holds, beside the answer, its key, tags and headers.
const RECORD_OVERHEAD: ByteSize = ByteSize::from_kib(64);

/// How much longer purges are remembered than any answer is kept: a fill may have been under way, and
/// clocks differ.
const PURGE_MARGIN: Duration = Duration::from_secs(86_400);

impl Settings {
    /// Returns the bounds of L1.
    pub fn l1(&self) -> L1Settings {
        L1Settings {
            max_entries: self.l1.max_entries,
            max_bytes: self.l1.max_bytes.as_u64(),
            residence: self.l1.residence.get(),
        }
    }

    /// Returns what models cost.
    ///
    /// # Errors
    ///
    /// [`PriceError`] where the settings were not checked.
    pub fn price_table(&self) -> Result<PriceTable, PriceError> {
        let amount = |text: &str| text.parse().unwrap_or_default();
        let models = self.prices.models.iter().map(|priced| {
            let price = Price {
                input_per_million: amount(&priced.input_per_million),
                output_per_million: amount(&priced.output_per_million),
            };
            (priced.model.clone(), price)
        });
        PriceTable::new(&self.prices.currency, models)
    }

    /// Returns where L2 is, or nothing if it is off.
    pub fn l2(&self) -> Option<L2Settings> {
        let l2 = &self.l2;
        (!l2.url.is_empty()).then(|| L2Settings {
            url: l2.url.expose().to_owned(),
            residence: l2.residence.get(),
            timeout: l2.timeout.get(),
            connect_timeout: l2.connect_timeout.get(),
            connections: l2.connections,
            max_record_bytes: self.max_record_bytes(),
            max_writes_in_flight: l2.max_writes_in_flight,
            encoding: self.encoding(),
            breaker: breaker(&l2.breaker),
        })
    }

    /// Returns where L3 is, or nothing if it is off.
    pub fn l3(&self) -> Option<L3Settings> {
        let l3 = &self.l3;
        l3.enabled.then(|| L3Settings {
            database: self.database(),
            residence: l3.residence.get(),
            max_bytes: l3.max_bytes.as_u64(),
            max_record_bytes: self.max_record_bytes(),
            readers: l3.readers,
            timeout: l3.timeout.get(),
            connect_timeout: l3.connect_timeout.get(),
            queue_bytes: l3.queue_bytes.as_usize(),
            batch_records: l3.batch_records,
            sweep_interval: l3.sweep_interval.get(),
            sweep_batch: l3.sweep_batch,
            encoding: self.encoding(),
            breaker: breaker(&l3.breaker),
        })
    }

    /// Returns where conversations lie: beside L3 on a server, otherwise in a file of their own.
    pub fn conversations(&self) -> ConversationSettings {
        let conversation = &self.conversation;
        ConversationSettings {
            database: match self.database() {
                Database::Sqlite(_) => Database::Sqlite(self.data_dir.join(CONVERSATIONS_FILE)),
                server @ Database::Postgres(_) => server,
            },
            max_history: u64::try_from(conversation.max_history).unwrap_or(u64::MAX),
            max_bytes: conversation.max_size.as_u64(),
            lifetime: conversation.lifetime.get(),
            memory_count: conversation.memory_count,
            memory_bytes: conversation.memory_size.as_u64(),
            timeout: CONVERSATIONS_TIMEOUT,
            connect_timeout: self.l3.connect_timeout.get(),
        }
    }

    /// Returns how purges spread. They are remembered for longer than any level keeps an answer.
    pub fn purge(&self) -> PurgeSettings {
        let residences = [&self.l1.residence, &self.l2.residence, &self.l3.residence];
        let lives = self.routes.iter().map(|route| {
            let stale = route.stale_while_revalidate.get().max(route.stale_if_error.get());
            // What a caller asks for by X-Cache-TTL counts, too.
            route.lifetime.max(route.max_ttl).get().saturating_add(stale)
        });
        let longest = residences.into_iter().map(|residence| residence.get()).chain(lives).max();
        PurgeSettings {
            poll_interval: self.purge.poll_interval.get(),
            record_timeout: self.purge.record_timeout.get(),
            max_labels: self.purge.max_labels,
            keep_for: KeepFor::new(longest.unwrap_or_default().saturating_add(PURGE_MARGIN)),
        }
    }

    /// Returns how flights end.
    pub fn flights(&self) -> FlightSettings {
        let flights = &self.flights;
        FlightSettings {
            level_budget: self.cache.level_budget.get(),
            l2_timeout: self.l2.timeout.get(),
            fetch_threads: flights.fetch_threads,
            finish_after_disconnect: flights.finish_after_disconnect.get(),
            max_orphans: flights.max_orphans,
            max_entry_bytes: self.cache.max_entry.as_usize(),
            window_bytes: flights.window.as_usize(),
            reader_timeout: flights.reader_timeout.get(),
            unshareable_for: flights.unshareable_for.get(),
            max_unshareable: flights.max_unshareable,
            encoding: self.encoding(),
            replica_lease: flights.replica_lease.get(),
            replica_wait: flights.replica_wait.get(),
        }
    }

    /// Returns how much memory the process may have.
    pub fn memory(&self) -> MemorySettings {
        MemorySettings {
            threshold_bytes: self.memory.threshold.as_u64(),
            optimize: self.memory.optimize,
            bounded_bytes: self.bounded_bytes(),
            read_every: READ_MEMORY_EVERY,
            tidy_every: TIDY_MEMORY_EVERY,
        }
    }

    /// Returns the bounds of what answers are made ready beforehand, or nothing if none are.
    pub fn warming(&self) -> Option<DeskSettings> {
        let warming = &self.warming;
        let residence_ms = u64::try_from(self.l1.residence.get().as_millis()).unwrap_or(u64::MAX);
        let budget = &warming.budget;
        warming.enabled.then(|| DeskSettings {
            forecast: ForecastSettings::new(residence_ms),
            budget: BudgetSettings {
                calls_a_minute: budget.calls_per_minute,
                calls_a_day: budget.calls_per_day,
                micros_a_day: budget.money_per_day.parse().map_or(0, Money::micros),
            },
            calls_at_once: warming.calls_at_once,
            request_bytes: warming.requests.as_usize(),
        })
    }

    /// Returns how L1 is sized, or nothing if it keeps its size.
    pub fn scaler(&self) -> Option<ScalerSettings> {
        let (scaler, l1) = (&self.scaler, self.l1());
        let mode = match scaler.mode {
            ScalerChoice::On => ScalerMode::On,
            ScalerChoice::Advise => ScalerMode::Advise,
            ScalerChoice::Off => return None,
        };
        let most_bytes = l1.max_bytes.saturating_mul(scaler.l1_span).min(MOST_L1_BYTES);
        scaler.enabled.then(|| ScalerSettings {
            mode,
            l1_bytes: l1.max_bytes,
            residence_ms: u64::try_from(l1.residence.as_millis()).unwrap_or(u64::MAX),
            interval: scaler.interval.get(),
            sizer: SizerSettings {
                least_bytes: l1.max_bytes / scaler.l1_span.max(1),
                most_bytes: most_bytes.max(l1.max_bytes),
                least_weight: l1.max_bytes / l1.max_entries.max(1),
                cool_down: scaler.cool_down.get(),
            },
            replicas: ReplicaSettings {
                target: f64::from(scaler.replica_target) / 100.0,
                down_after: scaler.replica_down_after.get(),
            },
        })
    }

    /// Returns what bounds the calls of each upstream over HTTP.
    pub fn gates(&self) -> Vec<(Arc<str>, GateSettings)> {
        let over_http = |upstream: &Upstream| upstream.kind == UpstreamKind::Http;
        let gates = self.upstreams.iter().filter(|(_, upstream)| over_http(upstream));
        let gates = gates.map(|(name, upstream)| {
            let limit = &upstream.limit;
            let settings = GateSettings {
                least: limit.least,
                most: limit.most,
                wait: limit.wait.get(),
                queue: limit.queue,
                one_credential: !upstream.pass_credential,
            };
            (Arc::from(name.as_str()), settings)
        });
        gates.collect()
    }

    /// Returns the file of the keys asked for most.
    pub fn hot_keys(&self) -> PathBuf {
        self.data_dir.join(HOT_KEYS_FILE)
    }

    /// Returns how what is kept is encoded.
    pub fn encoding(&self) -> EncodingSettings {
        let response = &self.response;
        EncodingSettings {
            enabled: response.compression,
            from_bytes: response.compress_from.as_usize(),
            gzip_level: response.gzip_level,
            brotli_level: response.brotli_level,
        }
    }

    /// Returns how the sentinel watches.
    pub fn sentinel(&self) -> SentinelSettings {
        SentinelSettings {
            interval: self.sentinel.interval.get(),
            late_after: self.sentinel.late_after.get(),
        }
    }

    fn bounded_bytes(&self) -> u64 {
        let queue = if self.l3.enabled { self.l3.queue_bytes.as_u64() } else { 0 };
        self.l1.max_bytes.as_u64().saturating_add(queue)
    }

    fn max_record_bytes(&self) -> usize {
        self.cache.max_entry.as_usize().saturating_add(RECORD_OVERHEAD.as_usize())
    }

    fn database(&self) -> Database {
        let url = self.l3.url.expose();
        match sqlite_path(url) {
            Some(path) => Database::Sqlite(PathBuf::from(path)),
            None if url.is_empty() => Database::Sqlite(self.data_dir.join(DATABASE_FILE)),
            None => Database::Postgres(url.to_owned()),
        }
    }
}

fn breaker(breaker: &Breaker) -> BreakerSettings {
    BreakerSettings {
        failures: breaker.failures,
        probe_after: breaker.probe_after.get(),
        probe_at_most: breaker.probe_at_most.get(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Secret;
    use super::*;

    #[test]
    fn the_defaults_run_with_memory_and_a_file_alone() {
        let settings = Settings::default();
        assert_eq!(settings.l1().max_entries, 1000);
        assert!(settings.l2().is_none());
        let l3 = settings.l3().unwrap();
        assert!(l3.database == Database::Sqlite(PathBuf::from("data/anteroom.db")));
        assert_eq!(l3.max_record_bytes, 8 * 1024 * 1024 + 64 * 1024);
        assert_eq!(settings.flights().level_budget, Duration::from_millis(45));
        assert_eq!(settings.sentinel().late_after, Duration::from_secs(2));
        // The month that callers may ask for, a day stale, and the margin.
        assert_eq!(settings.purge().keep_for.as_millis(), 32 * 86_400_000);
    }

    #[test]
    fn warming_is_bounded_by_the_settings_and_can_be_off() {
        let mut settings = Settings::default();
        let warming = settings.warming().unwrap();
        let BudgetSettings { calls_a_minute, calls_a_day, micros_a_day } = warming.budget;
        assert_eq!((calls_a_minute, calls_a_day, micros_a_day), (30, 1_000, 1_000_000));
        assert_eq!(warming.forecast.residence_ms, 300_000);
        settings.warming.enabled = false;
        assert!(settings.warming().is_none());
    }

    #[test]
    fn l1_is_sized_around_its_settings_and_can_be_left_alone() {
        let mut settings = Settings::default();
        let scaler = settings.scaler().unwrap();
        let SizerSettings { least_bytes, most_bytes, least_weight, .. } = scaler.sizer;
        let bytes = 128 << 20;
        assert_eq!((scaler.mode, scaler.l1_bytes), (ScalerMode::On, bytes));
        assert_eq!((least_bytes, most_bytes, least_weight), (bytes / 8, bytes * 8, bytes / 1_000));
        settings.scaler.mode = ScalerChoice::Advise;
        assert_eq!(settings.scaler().map(|scaler| scaler.mode), Some(ScalerMode::Advise));
        settings.scaler.mode = ScalerChoice::Off;
        assert!(settings.scaler().is_none());
        settings.scaler = super::super::Scaler { enabled: false, ..Default::default() };
        assert!(settings.scaler().is_none());
    }

    #[test]
    fn a_url_picks_the_database_and_turns_l2_on() {
        let mut settings = Settings::default();
        for (url, database) in [
            ("sqlite:/var/a.db", Database::Sqlite(PathBuf::from("/var/a.db"))),
            ("sqlite://b.db", Database::Sqlite(PathBuf::from("b.db"))),
            ("postgres://h/d", Database::Postgres("postgres://h/d".to_owned())),
        ] {
            settings.l3.url = Secret::new(url);
            assert!(settings.l3().unwrap().database == database, "{url}");
        }
        settings.l3.enabled = false;
        assert!(settings.l3().is_none());
        settings.l2.url = Secret::new("redis://:pw@host");
        assert_eq!(settings.l2().unwrap().url, "redis://:pw@host");
    }
}

//! `config.yaml` and the environment, checked.
//!
//! [`load`] reads a file, fills its `${NAME}`, lays the environment over it, gives it types and
//! checks ranges and relations. What comes out is whole and right, or an error that names each
//! key, its value, where the value came from and what is allowed.

mod access;
mod adopt;
mod comments;
mod difference;
mod effective;
mod error;
mod explain;
mod fill;
mod flights;
mod for_actors;
mod header_names;
mod levels;
mod load;
mod overlay;
mod prices;
mod ranges;
mod resources;
mod response;
mod routes;
mod schema;
mod secret;
mod server;
mod shown;
mod sources;
mod told;
mod traces;
mod tree;
mod typed;
mod units;
mod upstreams;
mod url;
mod validate;
mod warming;

#[cfg(test)]
mod bad_settings_tests;
#[cfg(test)]
mod config_file_tests;
#[cfg(test)]
mod load_tests;
#[cfg(test)]
mod reference_tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use access::{Auth, ClientKey, Cors, KeyDigest, NotADigest, Tls};
pub use adopt::{Adoption, adopt};
pub use difference::{Change, difference, masked, sources_told};
pub use effective::effective;
pub use error::{Problem, SettingsError};
pub use explain::Explain;
pub use flights::{Flights, Sentinel};
pub use levels::{Breaker, Cache, L1, L2, L3, Purge};
pub use load::{DEFAULT_FILE, Loaded, load, told};
pub use overlay::short_forms;
pub use prices::{ModelPrice, Prices};
pub use resources::{Conversation, Memory, Models, Scaler, ScalerChoice};
pub use response::{Redact, Response};
pub use routes::{Reject, Route, Scope};
pub use schema::schema;
pub use secret::{Secret, mask_url};
pub use server::{AccessForm, Admin, Log, LogFormat, LogLevel, Server};
pub use sources::{Source, Sources};
pub use told::{PREDECESSOR, Taken, Told};
pub use traces::Traces;
pub use units::{ByteSize, HumanDuration, UnitError};
pub use upstreams::{Retry, Upstream, UpstreamBreaker, UpstreamKind, UpstreamLimit};
pub use warming::{CriticalRequest, Warming, WarmingBudget};

/// Everything a deployer can set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Folder of everything the gateway keeps on disk.
    pub data_dir: PathBuf,
    /// The API listener.
    pub server: Server,
    /// Who may use it.
    pub auth: Auth,
    /// The operations listener.
    pub admin: Admin,
    /// What is logged, and how.
    pub log: Log,
    /// What is told of requests to an OpenTelemetry collector.
    pub traces: Traces,
    /// What all levels share.
    pub cache: Cache,
    /// Level 1: memory.
    pub l1: L1,
    /// Level 2: Redis.
    pub l2: L2,
    /// Level 3: a database.
    pub l3: L3,
    /// How purges spread over levels and gateways.
    pub purge: Purge,
    /// How calls are shared and how they end.
    pub flights: Flights,
    /// How the sentinel watches the actors.
    pub sentinel: Sentinel,
    /// Where answers come from, by name; `default` is always there.
    pub upstreams: BTreeMap<String, Upstream>,
    /// Which request goes where, in the order they are tried.
    pub routes: Vec<Route>,
    /// What models cost.
    pub prices: Prices,
    /// What is remembered to explain misses.
    pub explain: Explain,
    /// The gateway's own memory.
    pub memory: Memory,
    /// Fetching what will be asked for soon.
    pub warming: Warming,
    /// Sizing caches and limits by what is measured.
    pub scaler: Scaler,
    /// Histories kept for callers.
    pub conversation: Conversation,
    /// Models loaded into this process.
    pub models: Models,
    /// What is done to answers on their way out.
    pub response: Response,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            server: Server::default(),
            auth: Auth::default(),
            admin: Admin::default(),
            log: Log::default(),
            traces: Traces::default(),
            cache: Cache::default(),
            l1: L1::default(),
            l2: L2::default(),
            l3: L3::default(),
            purge: Purge::default(),
            flights: Flights::default(),
            sentinel: Sentinel::default(),
            upstreams: upstreams::default_upstreams(),
            routes: routes::default_routes(),
            prices: Prices::default(),
            explain: Explain::default(),
            memory: Memory::default(),
            warming: Warming::default(),
            scaler: Scaler::default(),
            conversation: Conversation::default(),
            models: Models::default(),
            response: Response::default(),
        }
    }
}

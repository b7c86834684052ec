//! Anteroom: a gateway in front of AI APIs that answers what it already knows.
//!
//! * [`settings`]: `config.yaml` and the environment, checked.
//! * [`command_line`]: what a deployer types, and what `check` prints.
//! * [`canonical`]: when are two requests the same?
//! * [`forms`]: one answer as an object and as a stream; [`caching`]: RFC 9111 as plain deciders.
//! * [`embeddings`]: a list of inputs answered from what is known of each.
//! * [`explain`]: which kept answer is nearest to a request that misses.
//! * [`upstream`]: where answers come from, and whether an answer may be kept.
//! * [`savings`]: what the cache has spared, by route and model; [`tokens`]: what a call costs.
//! * [`operate`]: the commands that talk to a gateway that runs.
//! * [`reload`]: taking on changed settings while the gateway runs.
//! * [`replay`]: what the cache would have done with a log of requests.
//! * [`listening`]: their sockets; [`http`]: the two listeners; [`supervisor`]: who is told of start and stop.
//! * [`file_limit`]: open files, as many as the settings may need.
//! * [`give_back`]: giving freed memory back to the system.
//! * [`telemetry`]: metrics and logs.
//! * [`succession`]: one process takes over from another.
//! * [`serve`]: start and stop order; [`scope_secret`]: what makes scopes of credentials.

pub mod caching;
pub mod canonical;
pub mod command_line;
pub mod dashboard;
pub mod embeddings;
pub mod explain;
pub mod file_limit;
pub mod forms;
pub mod give_back;
pub mod http;
pub mod listening;
pub mod operate;
pub mod reload;
pub mod replay;
pub mod savings;
pub mod scope_secret;
pub mod serve;
pub mod settings;
pub mod succession;
pub mod supervisor;
pub mod telemetry;
pub mod tokens;
pub mod upstream;

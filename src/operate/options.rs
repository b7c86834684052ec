//! What the commands are asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::asking::Failure;
use crate::settings::HumanDuration;

/// How to reach the gateway.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Connection {
    /// The operations listener, such as http://127.0.0.1:9901; without it, admin.listen of the
    /// settings. The token is admin.token of the settings (ANTEROOM__ADMIN__TOKEN)
    #[arg(long, value_name = "URL")]
    pub admin: Option<String>,

    /// Print the gateway's answer as JSON
    #[arg(long)]
    pub json: bool,

    /// Longest wait for an answer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub deadline: Duration,
}

fn time(text: &str) -> Result<Duration, String> {
    let time: HumanDuration = text.parse().map_err(|error| format!("{error}"))?;
    let time = time.get();
    let most = Duration::from_secs(3_600);
    if time.is_zero() || time > most { Err("allowed: 1ms–1h".to_owned()) } else { Ok(time) }
}

/// What to have done.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Operation {
    /// Say how the gateway does; exit code 1 where a part of it is ill
    Status(With<StatusOptions>),
    /// Purge answers by what they carry; exit code 1 where a level has not recorded it yet
    Purge(With<PurgeOptions>),
    /// Have answers ready for described requests
    Warm(With<WarmOptions>),
    /// Say what a request would get, and why
    Explain(With<ExplainOptions>),
    /// Have the gateway read its settings anew; exit code 1 where they are refused or wait for a restart
    Reload(Connection),
    /// Watch the gateway live; q or Ctrl-C ends it
    Top(With<TopOptions>),
}

impl Operation {
    /// Returns how to reach the gateway.
    pub const fn connection(&self) -> &Connection {
        match self {
            Self::Status(With { connection, .. })
            | Self::Purge(With { connection, .. })
            | Self::Warm(With { connection, .. })
            | Self::Explain(With { connection, .. })
            | Self::Top(With { connection, .. })
            | Self::Reload(connection) => connection,
        }
    }
}

/// A command's own options, and how to reach the gateway.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct With<T: Args> {
    /// Its own.
    #[command(flatten)]
    pub own: T,
    /// How to reach the gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// Says how it does.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct StatusOptions {
    /// Over how long a time traffic is told
    #[arg(long, default_value = "5m", value_parser = ["1m", "5m", "1h"])]
    pub window: String,
}

/// Names to purge by: answers that carry any of them.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(required = true, multiple = true)]
pub struct PurgeOptions {
    /// A key, 64 hexadecimal digits
    #[arg(long)]
    pub key: Option<String>,
    /// A tag that callers gave by X-Cache-Tags
    #[arg(long)]
    pub tag: Option<String>,
    /// A model
    #[arg(long)]
    pub model: Option<String>,
    /// A namespace that callers gave by X-Cache-Namespace
    #[arg(long)]
    pub namespace: Option<String>,
    /// A scope, 64 hexadecimal digits, or shared
    #[arg(long)]
    pub scope: Option<String>,
    /// A route by its name
    #[arg(long)]
    pub route: Option<String>,
    /// Everything
    #[arg(long)]
    pub all: bool,
}

impl PurgeOptions {
    /// Returns what the gateway is asked.
    pub fn body(&self) -> Value {
        let named = [
            ("key", &self.key),
            ("tag", &self.tag),
            ("model", &self.model),
            ("namespace", &self.namespace),
            ("scope", &self.scope),
            ("route", &self.route),
        ];
        let mut body = Map::new();
        for (name, value) in named {
            body.extend(value.as_ref().map(|value| (name.to_owned(), json!(value))));
        }
        body.extend(self.all.then(|| ("all".to_owned(), json!(true))));
        Value::Object(body)
    }
}

/// Has answers ready.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct WarmOptions {
    /// JSON: one request {path, method, headers, body}, or a list of them; standard input without it
    #[arg(value_name = "FILE.json")]
    pub file: Option<PathBuf>,
    /// Wait until all of them are ready, or have failed (exit code 1), within the deadline
    #[arg(long)]
    pub wait: bool,
}

/// Explains a request.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ExplainOptions {
    /// JSON: {path, method, headers, body}; with --path, the body alone. Standard input without it
    #[arg(value_name = "FILE.json")]
    pub file: Option<PathBuf>,
    /// Path and query of the request
    #[arg(long)]
    pub path: Option<String>,
    /// Its method
    #[arg(long, requires = "path", default_value = "POST")]
    pub method: String,
    /// One of its headers, such as 'authorization: Bearer sk-…'
    #[arg(long = "header", requires = "path", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header is NAME: VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl ExplainOptions {
    /// Returns what the gateway is asked; `text` is the file. It goes as it is, byte for byte: how a
    /// number is written may count.
    ///
    /// # Errors
    ///
    /// [`Failure::Unusable`] where the file is not JSON.
    pub fn body(&self, text: &[u8]) -> Result<Box<RawValue>, Failure> {
        let not_json =
            |line: usize| Failure::Unusable(format!("the request is not JSON: line {line}"));
        let raw = |text: &[u8]| -> Result<Box<RawValue>, Failure> {
            serde_json::from_slice(text).map_err(|error| not_json(error.line()))
        };
        let Some(path) = &self.path else { return raw(text) };
        let mut headers: std::collections::BTreeMap<&str, Vec<&str>> = Default::default();
        for (name, value) in &self.headers {
            headers.entry(name).or_default().push(value);
        }
        let body = if text.trim_ascii().is_empty() { None } else { Some(raw(text)?) };
        let described = Described { path, method: &self.method, headers, body };
        let text = serde_json::to_vec(&described).map_err(|error| not_json(error.line()))?;
        raw(&text)
    }
}

#[derive(serde::Serialize)]
struct Described<'a> {
    path: &'a str,
    method: &'a str,
    headers: std::collections::BTreeMap<&'a str, Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<RawValue>>,
}

/// Watches it.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TopOptions {
    /// Time between two looks
    #[arg(long, default_value = "2s", value_parser = time)]
    pub interval: Duration,
    /// Over how long a time traffic is told
    #[arg(long, default_value = "1m", value_parser = ["1m", "5m", "1h"])]
    pub window: String,
    /// End after so many looks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub frames: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(path: Option<&str>, headers: &[(&str, &str)]) -> ExplainOptions {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ExplainOptions {
            file: None,
            path: path.map(str::to_owned),
            method: "POST".to_owned(),
            headers: headers.iter().map(own).collect(),
        }
    }

    #[test]
    fn a_purge_names_what_it_was_given() {
        let options = PurgeOptions {
            key: None,
            tag: Some("a".into()),
            model: Some("m".into()),
            namespace: None,
            scope: None,
            route: None,
            all: false,
        };
        assert_eq!(options.body(), json!({"tag": "a", "model": "m"}));
        let all = PurgeOptions { tag: None, model: None, all: true, ..options };
        assert_eq!(all.body(), json!({"all": true}));
    }

    #[test]
    fn a_request_to_explain_goes_byte_for_byte() {
        let whole = explain(None, &[]).body(b"{\"path\": \"/x\", \"body\": 1.0}").unwrap();
        assert_eq!(whole.get(), "{\"path\": \"/x\", \"body\": 1.0}");
        let described =
            explain(Some("/x"), &[("a", "1"), ("a", "2")]).body(b"{\"n\": 1.0}").unwrap();
        let expected = "{\"path\":\"/x\",\"method\":\"POST\",\"headers\":{\"a\":[\"1\",\"2\"]},\"body\":{\"n\": 1.0}}";
        assert_eq!(described.get(), expected);
        assert!(!explain(Some("/x"), &[]).body(b" ").unwrap().get().contains("body"));
        assert!(matches!(explain(None, &[]).body(b"{"), Err(Failure::Unusable(_))));
    }

    #[test]
    fn times_and_headers_are_read_or_refused() {
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert!(time("0s").is_err() && time("2h").is_err() && time("5").is_err());
        assert_eq!(header("A: b:c"), Ok(("A".into(), "b:c".into())));
        assert!(header("A").is_err());
    }
}

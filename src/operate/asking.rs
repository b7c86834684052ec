//! Asking a gateway's operations listener, within a deadline.

use std::time::Duration;

use awc::{Client, Connector};
use serde::Serialize;
use serde_json::Value;

use super::words::at;
use super::{NO_ANSWER, NOT_DONE, UNUSABLE};
use crate::settings::{Secret, Settings};

/// Largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Pause between two looks at an errand.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing was asked.
    #[error("{0}")]
    Unusable(String),
    /// The gateway said no.
    #[error("the gateway answered {status}: {message}")]
    Refused {
        /// Its status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// Nothing answered.
    #[error(
        "no answer from {url}: {reason}; is the gateway running, and is this its operations listener? (--admin)"
    )]
    NoAnswer {
        /// Where it was asked.
        url: String,
        /// What happened.
        reason: String,
    },
    /// Something else answered.
    #[error("{url} does not answer as a gateway does: {reason}")]
    Stranger {
        /// Where it was asked.
        url: String,
        /// What is strange.
        reason: String,
    },
}

impl Failure {
    /// Returns the exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Unusable(_) => UNUSABLE,
            Self::Refused { .. } => NOT_DONE,
            Self::NoAnswer { .. } | Self::Stranger { .. } => NO_ANSWER,
        }
    }
}

/// Where and how to ask.
pub struct Asking {
    /// Without a slash at its end.
    url: String,
    token: Secret,
    deadline: Duration,
    /// Whether answers are printed as they are.
    pub json: bool,
}

impl Asking {
    /// Prepares to ask `admin`, or the operations listener of `settings`.
    ///
    /// # Errors
    ///
    /// [`Failure::Unusable`] where there is no address to ask.
    pub fn new(options: &super::Connection, settings: &Settings) -> Result<Self, Failure> {
        let url = match &options.admin {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => address(settings)?,
        };
        let is_http = url.starts_with("http://") || url.starts_with("https://");
        if !is_http || url.parse::<awc::http::Uri>().is_err() {
            let text = "--admin is http:// or https:// and a host, such as http://127.0.0.1:9901";
            return Err(Failure::Unusable(text.to_owned()));
        }
        let token = settings.admin.token.clone();
        Ok(Self { url, token, deadline: options.deadline, json: options.json })
    }

    /// Asks for a page.
    ///
    /// # Errors
    ///
    /// As [`Failure`] has it.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(path, None).await
    }

    /// Has something done.
    ///
    /// # Errors
    ///
    /// As [`Failure`] has it.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, Failure> {
        let body = serde_json::to_vec(body)
            .map_err(|_| Failure::Unusable("what to ask is not JSON".to_owned()))?;
        self.ask(path, Some(body)).await
    }

    /// Waits for the end of an errand of warming.
    ///
    /// # Errors
    ///
    /// As [`Failure`] has it.
    pub async fn errand(&self, number: &Value) -> Result<Value, Failure> {
        let wait = async {
            loop {
                let warming = self.get("/api/v1/warming").await?;
                let mut errands = at(&warming, "errands").as_array().into_iter().flatten();
                let Some(errand) = errands.find(|errand| at(errand, "errand") == number) else {
                    return Err(self.stranger("it knows nothing of the errand any more"));
                };
                if at(errand, "state") == "done" {
                    return Ok(errand.clone());
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let waited = tokio::time::timeout(self.deadline, wait).await;
        waited.unwrap_or_else(|_| Err(self.no_answer("the errand is not done within --deadline")))
    }

    async fn ask(&self, path: &str, body: Option<Vec<u8>>) -> Result<Value, Failure> {
        let asked = tokio::time::timeout(self.deadline, self.exchange(path, body)).await;
        asked.unwrap_or_else(|_| Err(self.no_answer("none within --deadline")))
    }

    async fn exchange(&self, path: &str, body: Option<Vec<u8>>) -> Result<Value, Failure> {
        let client = Client::builder()
            .connector(Connector::new().timeout(self.deadline))
            .timeout(self.deadline)
            .disable_redirects()
            .finish();
        let url = format!("{}{path}", self.url);
        let mut request = if body.is_some() { client.post(&url) } else { client.get(&url) };
        if !self.token.is_empty() {
            request = request.bearer_auth(self.token.expose());
        }
        let sent = match body {
            Some(body) => request.content_type("application/json").send_body(body).await,
            None => request.send().await,
        };
        let mut answer = sent.map_err(|error| self.no_answer(&error.to_string()))?;
        let body = answer.body().limit(LARGEST_ANSWER).await;
        let body = body.map_err(|error| self.stranger(&error.to_string()))?;
        let value: Result<Value, _> = serde_json::from_slice(&body);
        let (status, is_success) = (answer.status().as_u16(), answer.status().is_success());
        match value {
            Ok(value) if is_success => Ok(value),
            // A gateway that stops still says how it is.
            Ok(value) if value.get("status").is_some() => Ok(value),
            Ok(value) if at(&value, "error.message").is_string() => {
                let message = at(&value, "error.message").as_str().unwrap_or_default().to_owned();
                Err(Failure::Refused { status, message })
            }
            _ => Err(self.stranger(&format!("status {status} and no JSON it would send"))),
        }
    }

    fn no_answer(&self, reason: &str) -> Failure {
        Failure::NoAnswer { url: self.url.clone(), reason: reason.to_owned() }
    }

    fn stranger(&self, reason: &str) -> Failure {
        Failure::Stranger { url: self.url.clone(), reason: reason.to_owned() }
    }
}

/// Returns the URL of the operations listener as one on this machine reaches it.
fn address(settings: &Settings) -> Result<String, Failure> {
    let mut listen = settings.admin.listen;
    if listen.port() == 0 {
        let text = "admin.listen picks a free port: say by --admin which one the log tells";
        return Err(Failure::Unusable(text.to_owned()));
    }
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(format!("http://{listen}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_one_that_can_be_reached() {
        let mut settings = Settings::default();
        for (listen, url) in [
            ("127.0.0.1:9901", Some("http://127.0.0.1:9901")),
            ("0.0.0.0:80", Some("http://127.0.0.1:80")),
            ("[::]:80", Some("http://[::1]:80")),
            ("10.1.2.3:80", Some("http://10.1.2.3:80")),
            ("127.0.0.1:0", None),
        ] {
            settings.admin.listen = listen.parse().unwrap();
            assert_eq!(address(&settings).ok().as_deref(), url, "{listen}");
        }
    }
}

//! One line for each answered request, on standard output: who was answered what, never what was said.
//!
//! Lines are written by a thread of their own. A reader that is slow or gone costs lines, which are
//! counted, and no request's time. Those that wait when the process ends are lost.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use prometheus::IntCounter;
use serde::Serialize;

use crate::settings::{AccessForm, Log};

/// Lines that may wait to be written.
const MOST_WAITING: usize = 4_096;

/// Lines written at once, beside the first.
const MOST_AT_ONCE: usize = 256;

/// What is told of a request. Names, numbers and the path: no body, no query, no credential.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccessLine<'a> {
    /// When the request came, RFC 3339 in UTC.
    pub time: String,
    /// Its method.
    pub method: &'a str,
    /// Its path, without the query; a conversation's name is not in it.
    pub path: &'a str,
    /// The route that took it.
    pub route: Option<&'a str>,
    /// Status of the answer.
    pub status: u16,
    /// `X-Cache` of the answer, in lower case.
    pub cache: Option<&'a str>,
    /// `X-Cache-Level` of the answer, in lower case.
    pub level: Option<&'a str>,
    /// Milliseconds to the answer's head.
    pub head_ms: f64,
    /// Milliseconds to the answer's end.
    pub total_ms: f64,
    /// Bytes of the body that were sent.
    pub sent_bytes: u64,
    /// Whether that was all of it.
    pub whole: bool,
    /// Name of the caller's key, where keys are wanted.
    pub key: Option<&'a str>,
    /// The caller's address.
    pub peer: Option<String>,
    /// The trace it is a part of, where requests are traced.
    pub trace: Option<String>,
}

impl AccessLine<'_> {
    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Name and value pairs with spaces between; what is not known is left out.
    fn text(&self) -> String {
        let mut line = format!("time={} method={} path={}", self.time, self.method, self.path);
        let mut add = |name: &str, value: &str| {
            line.extend([" ", name, "=", value]);
        };
        let optional = |name, value: Option<&str>, add: &mut dyn FnMut(&str, &str)| {
            if let Some(value) = value {
                add(name, value);
            }
        };
        optional("route", self.route, &mut add);
        add("status", &self.status.to_string());
        optional("cache", self.cache, &mut add);
        optional("level", self.level, &mut add);
        add("head_ms", &self.head_ms.to_string());
        add("total_ms", &self.total_ms.to_string());
        add("sent_bytes", &self.sent_bytes.to_string());
        add("whole", if self.whole { "true" } else { "false" });
        optional("key", self.key, &mut add);
        optional("peer", self.peer.as_deref(), &mut add);
        optional("trace", self.trace.as_deref(), &mut add);
        line
    }
}

/// Takes lines down.
#[derive(Debug)]
pub struct AccessLog {
    form: AccessForm,
    one_in: u64,
    seen: AtomicU64,
    lines: SyncSender<String>,
    lost: IntCounter,
}

impl AccessLog {
    /// Starts the thread that writes, where the settings want a log; `lost` counts lines that were
    /// not written.
    ///
    /// # Errors
    ///
    /// When the system has no thread.
    pub fn start(settings: &Log, lost: IntCounter) -> io::Result<Option<Self>> {
        if settings.access == AccessForm::Off {
            return Ok(None);
        }
        let gone = lost.clone();
        let (log, waiting) = Self::new(settings, lost);
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write(&waiting, &gone))?;
        Ok(Some(log))
    }

    fn new(settings: &Log, lost: IntCounter) -> (Self, Receiver<String>) {
        let (lines, waiting) = sync_channel(MOST_WAITING);
        let (form, one_in) = (settings.access, settings.access_one_in.max(1));
        (Self { form, one_in, seen: AtomicU64::new(0), lines, lost }, waiting)
    }

    /// Tells whether a request that was answered with `status` is taken down: one in so many, and all
    /// that failed here or upstream.
    pub fn wants(&self, status: u16) -> bool {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed);
        status >= 500 || seen.is_multiple_of(self.one_in)
    }

    /// Takes a request down. Never waits.
    pub fn write(&self, line: &AccessLine<'_>) {
        let text = match self.form {
            AccessForm::Off => return,
            AccessForm::Text => line.text(),
            AccessForm::Json => line.json(),
        };
        if self.lines.try_send(text).is_err() {
            self.lost.inc();
        }
    }
}

/// Writes what waits, much at once, until the log ends. What is not written is counted as lost.
fn write(waiting: &Receiver<String>, lost: &IntCounter) {
    let mut text = String::new();
    while let Ok(first) = waiting.recv() {
        text.clear();
        let mut lines = 0;
        for line in std::iter::once(first).chain(waiting.try_iter().take(MOST_AT_ONCE)) {
            text.push_str(&line);
            text.push('\n');
            lines += 1;
        }
        let mut out = io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            lost.inc_by(lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> AccessLine<'static> {
        AccessLine {
            time: "2026-11-26T16:24:00.007Z".to_owned(),
            method: "POST",
            path: "/v1/chat/completions",
            route: Some("chat"),
            status: 200,
            cache: Some("hit"),
            level: Some("l1"),
            head_ms: 0.042,
            total_ms: 0.05,
            sent_bytes: 1_532,
            whole: true,
            key: None,
            peer: Some("127.0.0.1".to_owned()),
            trace: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
        }
    }

    fn settings(access: AccessForm, access_one_in: u64) -> Log {
        Log { access, access_one_in, ..Log::default() }
    }

    fn lost() -> IntCounter {
        IntCounter::new("lost", "lost").unwrap()
    }

    #[test]
    fn both_forms_say_what_is_known() {
        assert_eq!(
            line().text(),
            "time=2026-11-26T16:24:00.007Z method=POST path=/v1/chat/completions route=chat \
             status=200 cache=hit level=l1 head_ms=0.042 total_ms=0.05 sent_bytes=1532 whole=true \
             peer=127.0.0.1 trace=0af7651916cd43dd8448eb211c80319c"
        );
        let shown: serde_json::Value = serde_json::from_str(&line().json()).unwrap();
        assert_eq!((&shown["status"], &shown["cache"]), (&200.into(), &"hit".into()));
        assert!(shown["key"].is_null());
    }

    #[test]
    fn one_in_so_many_is_taken_down_and_every_failure() {
        let (log, _waiting) = AccessLog::new(&settings(AccessForm::Text, 3), lost());
        let wanted = [200, 404, 200, 200, 502, 200, 503].map(|status| log.wants(status));
        assert_eq!(wanted, [true, false, false, true, true, false, true]);
    }

    #[test]
    fn lines_that_nobody_writes_are_counted_and_not_waited_for() {
        let lost = lost();
        let (log, waiting) = AccessLog::new(&settings(AccessForm::Json, 1), lost.clone());
        (0..MOST_WAITING + 2).for_each(|_| log.write(&line()));
        assert_eq!(lost.get(), 2);
        drop(waiting);
        log.write(&line());
        assert_eq!(lost.get(), 3);
    }

    #[test]
    fn no_log_starts_where_none_is_wanted() {
        assert!(AccessLog::start(&Log::default(), lost()).unwrap().is_none());
    }
}

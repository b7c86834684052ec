//! Client keys, TLS and origins: may they be as they are set?

use std::collections::BTreeMap;

use super::{Check, NAME, is_method, is_plain_name, readable};
use crate::settings::Settings;
use crate::settings::header_names::is_name;
use crate::settings::ranges::KEY_DIGEST;
use crate::settings::url::Url;

const ORIGIN: &str = "scheme://host or scheme://host:port, or [\"*\"] alone for any";

impl Check<'_> {
    pub(super) fn access(&mut self, settings: &Settings) {
        self.keys(settings);
        self.tls(settings);
        self.cors(settings);
    }

    fn keys(&mut self, settings: &Settings) {
        let (mut names, mut digests) = (BTreeMap::new(), BTreeMap::new());
        for (index, client) in settings.auth.keys.iter().enumerate() {
            let key = |field: &str| format!("auth.keys[{index}].{field}");
            if !is_plain_name(&client.name) {
                self.refuse(&key("name"), &client.name, "missing, or not a name", NAME);
            } else if let Some(first) = names.insert(&client.name, index) {
                let reason = format!("also the name of auth.keys[{first}]");
                self.refuse(&key("name"), &client.name, &reason, "a name of its own");
            }
            if !client.scope.is_empty() && !is_plain_name(&client.scope) {
                self.refuse(&key("scope"), &client.scope, "not a name", NAME);
            }
            match client.digest() {
                None => self.refuse(&key("digest"), "", "missing, or not a digest", KEY_DIGEST),
                Some(digest) => {
                    if let Some(first) = digests.insert(digest.to_string(), index) {
                        let reason = format!("the same as that of auth.keys[{first}]");
                        self.refuse(&key("digest"), "", &reason, "a key of its own");
                    }
                }
            }
        }
    }

    fn tls(&mut self, settings: &Settings) {
        let tls = &settings.server.tls;
        for (key, path, other) in [
            ("server.tls.cert_file", &tls.cert_file, &tls.key_file),
            ("server.tls.key_file", &tls.key_file, &tls.cert_file),
        ] {
            let allowed = "a PEM file that can be read";
            match path {
                None if other.is_some() => {
                    self.refuse(key, "", "missing: the other file is set", allowed);
                }
                None => {}
                Some(path) => {
                    if let Err(reason) = readable(path) {
                        self.refuse(key, path.display(), &reason, allowed);
                    }
                }
            }
        }
    }

    fn cors(&mut self, settings: &Settings) {
        let cors = &settings.server.cors;
        let is_any = cors.origins.iter().map(String::as_str).eq(["*"]);
        for (position, origin) in cors.origins.iter().enumerate() {
            if !is_any && !is_origin(origin) {
                let key = format!("server.cors.origins[{position}]");
                self.refuse(&key, origin, "not an origin", ORIGIN);
            }
        }
        for (position, name) in cors.headers.iter().enumerate() {
            if !is_name(name) {
                let key = format!("server.cors.headers[{position}]");
                self.refuse(&key, name, "not a header's name", "names of headers");
            }
        }
        for (position, method) in cors.methods.iter().enumerate() {
            if !is_method(method) {
                let key = format!("server.cors.methods[{position}]");
                self.refuse(&key, method, "not a method", "methods in upper case");
            }
        }
    }
}

/// Tells whether `text` is an origin as browsers write it (RFC 6454 §6.2).
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_some_and(|url| {
        !url.scheme.is_empty() && !url.host.is_empty() && !url.has_user && url.rest.is_empty()
    })
}

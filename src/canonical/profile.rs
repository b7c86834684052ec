//! What an API's fields and headers mean for the question whether two requests are the same.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Uncounted::{Always, WhenEqual, WhenFalse};
use super::{Canonical, Uncounted};

/// Which API a route speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
    /// `/v1/responses`.
    Responses,
    /// `/v1/messages`, Anthropic's.
    Messages,
    /// `/v1/embeddings`.
    Embeddings,
    /// `/v1/models`.
    Models,
    /// Any other JSON API.
    #[default]
    Generic,
}

/// In which form a route's callers expect an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorForm {
    /// `{"error": {"message", "type", "param", "code"}}`.
    OpenAi,
    /// `{"type": "error", "error": {"type", "message"}}`.
    Anthropic,
}

impl Profile {
    /// All profiles, for tables.
    pub const ALL: [Self; 7] = [
        Self::Chat,
        Self::Completions,
        Self::Responses,
        Self::Messages,
        Self::Embeddings,
        Self::Models,
        Self::Generic,
    ];

    /// Returns the name in the settings, which is also the metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::Generic => "generic",
        }
    }

    /// Returns the top-level body fields that cannot change the answer. All others count, those
    /// nobody has heard of too.
    ///
    /// * `user`, `metadata`: tell the provider who asks and what for; the model never sees them.
    ///   Who shares answers is the scope's question, not this field's.
    /// * `safety_identifier`: `user` under its newer name, for abuse reports.
    /// * `prompt_cache_key`, `prompt_cache_retention`: where and how long the provider keeps its
    ///   computed prefix; they move cost and delay.
    /// * `service_tier`: the price and speed of the call.
    /// * `store` (chat): whether the provider lists the answer afterwards. In responses it
    ///   counts, as `previous_response_id` does: a later call can refer to a stored answer.
    /// * `stream`, `stream_options` (chat, completions): one answer is kept for both forms, and its
    ///   usage is always asked for. Elsewhere `stream` counts where it is `true`: events are not
    ///   turned into an object, nor an object into events.
    pub const fn uncounted_fields(self) -> &'static [Uncounted] {
        match self {
            Self::Chat => &[
                Always("user"),
                Always("metadata"),
                Always("store"),
                Always("service_tier"),
                Always("safety_identifier"),
                Always("prompt_cache_key"),
                Always("prompt_cache_retention"),
                Always("stream"),
                Always("stream_options"),
            ],
            Self::Responses => &[
                Always("user"),
                Always("metadata"),
                Always("service_tier"),
                Always("safety_identifier"),
                Always("prompt_cache_key"),
                Always("prompt_cache_retention"),
                WhenFalse("stream"),
            ],
            Self::Completions => &[Always("user"), Always("stream"), Always("stream_options")],
            Self::Messages => &[Always("metadata"), Always("service_tier"), WhenFalse("stream")],
            Self::Embeddings => &[Always("user")],
            Self::Models | Self::Generic => &[],
        }
    }

    /// Returns the members that say what the API takes where they are left out: with a deployer's
    /// leave they do not count, so that a client that spells its defaults hits what one that does
    /// not got. `null` stands for the default in all of them.
    ///
    /// Source: the APIs' published references. A provider with other defaults, which some models
    /// have, answers differently: hence the leave.
    pub const fn default_fields(self) -> &'static [Uncounted] {
        match self {
            Self::Chat => &[
                WhenEqual("temperature", "1"),
                WhenEqual("temperature", "null"),
                WhenEqual("top_p", "1"),
                WhenEqual("top_p", "null"),
                WhenEqual("n", "1"),
                WhenEqual("n", "null"),
                WhenEqual("presence_penalty", "0"),
                WhenEqual("presence_penalty", "null"),
                WhenEqual("frequency_penalty", "0"),
                WhenEqual("frequency_penalty", "null"),
                WhenEqual("logprobs", "false"),
                WhenEqual("logprobs", "null"),
                WhenEqual("stop", "null"),
                WhenEqual("seed", "null"),
                WhenEqual("max_tokens", "null"),
                WhenEqual("max_completion_tokens", "null"),
                WhenEqual("logit_bias", "null"),
                WhenEqual("response_format", "{\"type\":\"text\"}"),
                WhenEqual("response_format", "null"),
                WhenEqual("tools", "null"),
                WhenEqual("parallel_tool_calls", "true"),
            ],
            Self::Completions => &[
                WhenEqual("temperature", "1"),
                WhenEqual("top_p", "1"),
                WhenEqual("n", "1"),
                WhenEqual("best_of", "1"),
                WhenEqual("echo", "false"),
                WhenEqual("presence_penalty", "0"),
                WhenEqual("frequency_penalty", "0"),
                WhenEqual("max_tokens", "16"),
                WhenEqual("stop", "null"),
                WhenEqual("suffix", "null"),
                WhenEqual("seed", "null"),
                WhenEqual("logprobs", "null"),
                WhenEqual("logit_bias", "null"),
            ],
            Self::Responses => &[
                WhenEqual("temperature", "1"),
                WhenEqual("top_p", "1"),
                WhenEqual("truncation", "\"disabled\""),
                WhenEqual("parallel_tool_calls", "true"),
                WhenEqual("max_output_tokens", "null"),
                WhenEqual("instructions", "null"),
                WhenEqual("previous_response_id", "null"),
            ],
            Self::Messages => &[WhenEqual("temperature", "1")],
            Self::Embeddings => &[WhenEqual("encoding_format", "\"float\"")],
            Self::Models | Self::Generic => &[],
        }
    }

    /// Returns the request headers that are forwarded and keyed, in lower case and in order. No
    /// header but these and the credentials goes upstream as the caller sent it.
    ///
    /// `/v1/models` exists in both families of APIs, so it keys the headers of both.
    pub const fn keyed_headers(self) -> &'static [&'static str] {
        match self {
            Self::Chat | Self::Completions | Self::Responses | Self::Embeddings => &["openai-beta"],
            Self::Messages => &["anthropic-beta", "anthropic-version"],
            Self::Models => &["anthropic-beta", "anthropic-version", "openai-beta"],
            Self::Generic => &["accept", "accept-language", "content-type"],
        }
    }

    /// Picks the keyed ones out of a request's headers, in the order of
    /// [`Self::keyed_headers`]; values of one name in the order they came.
    pub fn pick_keyed<'a>(
        self,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Vec<(&'static str, &'a [u8])> {
        let mut picked: Vec<(&'static str, &'a [u8])> = headers
            .filter_map(|(name, value)| {
                let keyed =
                    self.keyed_headers().iter().find(|keyed| keyed.eq_ignore_ascii_case(name));
                keyed.map(|keyed| (*keyed, value))
            })
            .collect();
        picked.sort_by_key(|(name, _)| *name);
        picked
    }

    /// Returns why a request of this body must not be answered from the cache, as a token.
    ///
    /// A background response is only a receipt; a conversation is state that lies upstream and
    /// that each call changes.
    pub fn bypass_reason(self, body: &Canonical) -> Option<&'static str> {
        match self {
            // The provider refuses it; a kept answer would not.
            Self::Chat | Self::Completions
                if body.flag("stream") != Some(true) && body.has("stream_options") =>
            {
                Some("stream-options")
            }
            Self::Responses if body.flag("background") == Some(true) => Some("background"),
            Self::Responses if body.has("conversation") => Some("conversation"),
            _ => None,
        }
    }

    /// Returns the form of errors.
    pub const fn error_form(self) -> ErrorForm {
        match self {
            Self::Messages => ErrorForm::Anthropic,
            _ => ErrorForm::OpenAi,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::canonicalise;
    use super::*;

    #[test]
    fn a_profile_has_one_name_in_settings_and_texts() {
        for profile in Profile::ALL {
            let quoted = format!("\"{profile}\"");
            assert_eq!(serde_json::to_string(&profile).unwrap(), quoted);
            assert_eq!(serde_json::from_str::<Profile>(&quoted).unwrap(), profile);
        }
        assert_eq!(Profile::default(), Profile::Generic);
    }

    /// A-8: what is spelled out and what is left out are one question, where that is wanted.
    #[test]
    fn a_spelled_out_default_counts_unless_the_deployer_says_so() {
        let key = |profile: Profile, body: &str, leaves_out: bool| {
            let mut uncounted = profile.uncounted_fields().to_vec();
            if leaves_out {
                uncounted.extend(profile.default_fields());
            }
            canonicalise(body.as_bytes(), &uncounted).unwrap().as_bytes().to_vec()
        };
        for (profile, plain, spelled, other) in [
            (
                Profile::Chat,
                r#"{"a":1}"#,
                r#"{"a":1,"n":1.0,"top_p":1e0,"stop":null}"#,
                r#"{"a":1,"n":2}"#,
            ),
            (
                Profile::Completions,
                r#"{"a":1}"#,
                r#"{"a":1,"echo":false}"#,
                r#"{"a":1,"echo":true}"#,
            ),
            (
                Profile::Responses,
                r#"{"a":1}"#,
                r#"{"a":1,"temperature":1}"#,
                r#"{"a":1,"temperature":0}"#,
            ),
            (
                Profile::Messages,
                r#"{"a":1}"#,
                r#"{"a":1,"temperature":1}"#,
                r#"{"a":1,"temperature":"1"}"#,
            ),
        ] {
            assert_eq!(key(profile, plain, true), key(profile, spelled, true), "{profile}");
            assert_ne!(key(profile, plain, false), key(profile, spelled, false), "{profile}");
            assert_ne!(key(profile, plain, true), key(profile, other, true), "{profile}");
        }
    }

    #[test]
    fn state_that_lies_upstream_is_a_reason_to_bypass() {
        for (profile, body, reason) in [
            (Profile::Responses, r#"{"background":true}"#, Some("background")),
            (Profile::Responses, r#"{"background":false}"#, None),
            (Profile::Responses, r#"{"conversation":"conv_1"}"#, Some("conversation")),
            (Profile::Responses, r#"{"conversation":{"id":"c"}}"#, Some("conversation")),
            (Profile::Responses, r#"{"conversation":null,"input":"x"}"#, None),
            (Profile::Chat, r#"{"conversation":"x"}"#, None),
            (Profile::Chat, r#"{"stream_options":{}}"#, Some("stream-options")),
            (Profile::Chat, r#"{"stream":true,"stream_options":{}}"#, None),
            (Profile::Generic, r#"[1]"#, None),
        ] {
            let canonical = canonicalise(body.as_bytes(), profile.uncounted_fields()).unwrap();
            assert_eq!(profile.bypass_reason(&canonical), reason, "{profile} {body}");
        }
    }

    #[test]
    fn keyed_headers_are_picked_by_name_and_ordered() {
        let headers: [(&str, &[u8]); 5] = [
            ("User-Agent", b"sdk"),
            ("Anthropic-Version", b"2023-06-01"),
            ("anthropic-beta", b"b"),
            ("authorization", b"secret"),
            ("anthropic-beta", b"a"),
        ];
        let expected: Vec<(&str, &[u8])> = vec![
            ("anthropic-beta", b"b"),
            ("anthropic-beta", b"a"),
            ("anthropic-version", b"2023-06-01"),
        ];
        assert_eq!(Profile::Messages.pick_keyed(headers.into_iter()), expected);
        for profile in Profile::ALL {
            assert!(profile.keyed_headers().is_sorted(), "{profile}");
        }
    }
}

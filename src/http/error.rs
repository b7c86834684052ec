//! What the gateway itself says when something is wrong, in the form of the route's API.

use std::time::Duration;

use super::error_body::ErrorBody;
use super::shape::fields::FieldError;
use super::shape::inflate::InflateError;
use crate::canonical::{ErrorForm, JsonError};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use anteroom_actors::error::{ConversationError, Fault, OriginError};

/// An error of the gateway's own. The texts hold no addresses, secrets or prompts.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    /// The body is not JSON that has one meaning.
    #[error("the request body is not valid JSON: {} at byte {}", .0.reason, .0.offset)]
    Json(JsonError),
    /// A header that steers the cache holds what it may not.
    #[error("the header {name} must hold {allowed}")]
    Header {
        /// Its name.
        name: &'static str,
        /// What it may hold.
        allowed: String,
    },
    /// Fields that cannot be read.
    #[error("{name}: {error}")]
    Fields {
        /// The header, or the query's member.
        name: &'static str,
        /// What is wrong.
        error: FieldError,
    },
    /// The body cannot be inflated.
    #[error("the request's content encoding: {error}")]
    Inflate {
        /// What is wrong.
        error: InflateError,
    },
    /// The body is larger than may be.
    #[error("the request body is larger than {most} bytes (server.max_body)")]
    BodyTooLarge {
        /// The bound, in bytes.
        most: usize,
    },
    /// The body did not come in time.
    #[error("the request body did not arrive within {} ms (server.body_timeout)", .deadline.as_millis())]
    BodyTimedOut {
        /// The bound.
        deadline: Duration,
    },
    /// The client broke off, or framed its body wrongly.
    #[error("the request body ended early or is framed wrongly")]
    BodyBroken,
    /// No route.
    #[error("no route for {method} {path}; this gateway serves /v1/")]
    NoRoute {
        /// The request's method.
        method: String,
        /// The request's path, cut to a bound.
        path: String,
    },
    /// A path with `.` or `..` in it: where it leads depends on who resolves it.
    #[error("the path has a segment \".\" or \"..\"; send it resolved")]
    DotSegment,
    /// A method that is never served.
    #[error("method {0} is not served")]
    Method(String),
    /// Something this version does not do.
    #[error("{0} is not served by this gateway")]
    NotServed(&'static str),
    /// No client key, or a wrong one.
    #[error("this gateway wants a key of its own; send it as Authorization: Bearer <key>, x-api-key or api-key{}", if *.shown { "; the one that was sent is not known" } else { "" })]
    Unauthorised {
        /// Whether something was shown.
        shown: bool,
    },
    /// A client key that has used up what it may.
    #[error("this key's limit of {what} a minute is used up; try again in {retry_after_s} s")]
    Limited {
        /// Of what: requests or tokens.
        what: &'static str,
        /// When there will be enough again.
        retry_after_s: u64,
    },
    /// Too much under way.
    #[error("the gateway has too many requests under way ({0}); try again")]
    Shed(&'static str),
    /// Nothing is kept, and the request wants nothing else.
    #[error("nothing is kept for this request, and it says only-if-cached")]
    NotKept,
    /// The provider gave no whole answer.
    #[error("{0}")]
    Origin(OriginError),
    /// A turn of a conversation did not come about.
    #[error("{0}")]
    Conversation(ConversationError),
    /// No such conversation.
    #[error("there is no such conversation of this caller")]
    NoConversation,
    /// A request that is not cached cannot belong to a conversation.
    #[error(
        "X-Conversation-Id works only for requests on cached routes that take the usual way through the cache"
    )]
    NoConversations,
    /// A request in a conversation that says nothing.
    #[error(
        "with X-Conversation-Id, messages must be a list with a new message in it, each with a role"
    )]
    NothingSaid,
    /// An answer that came and cannot be kept in its conversation.
    #[error("the answer cannot be kept in the conversation: it is too large, encoded or cut")]
    NotRecorded,
    /// Something of ours broke.
    #[error("the gateway failed to handle the request")]
    Internal,
}

impl ApiError {
    /// Returns the metric label, which is the error's `code` too.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Json(_) => "invalid_json",
            Self::Header { .. } => "invalid_header",
            Self::Fields { error, .. } => error.label(),
            Self::Inflate { error } => error.label(),
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyTimedOut { .. } => "body_timed_out",
            Self::BodyBroken => "body_broken",
            Self::NoRoute { .. } => "no_route",
            Self::Method(_) => "method_not_served",
            Self::NotServed(_) => "not_served",
            Self::DotSegment => "dot_segment",
            Self::Unauthorised { .. } => "invalid_api_key",
            Self::Limited { .. } => "rate_limit_exceeded",
            Self::Shed(_) => "shed",
            Self::NotKept => "only_if_cached",
            Self::Origin(error) => match error {
                OriginError::Connect { .. } => "upstream_unreachable",
                OriginError::NoAnswer { .. } => "upstream_broke_off",
                OriginError::TimedOut { .. } => "upstream_timed_out",
                OriginError::Cut { .. } => "upstream_cut_answer",
                OriginError::TooLarge { .. } => "upstream_answer_too_large",
                OriginError::Abandoned { .. } => "abandoned",
                OriginError::BreakerOpen { .. } => "upstream_breaker_open",
                OriginError::Overloaded { .. } => "upstream_overloaded",
                OriginError::Internal { .. } => "internal",
            },
            Self::Conversation(error) => error.label(),
            Self::NoConversation => "conversation_not_found",
            Self::NoConversations => "conversation_not_possible",
            Self::NothingSaid => "no_new_message",
            Self::NotRecorded => "conversation_not_recorded",
            Self::Internal => "internal",
        }
    }

    /// Returns who is at fault.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Json(_)
            | Self::Header { .. }
            | Self::Fields { .. }
            | Self::Inflate { .. }
            | Self::BodyTooLarge { .. }
            | Self::BodyTimedOut { .. }
            | Self::BodyBroken
            | Self::NoRoute { .. }
            | Self::Method(_)
            | Self::DotSegment
            | Self::NotServed(_)
            | Self::NotKept
            | Self::Unauthorised { .. }
            | Self::Limited { .. } => Fault::Caller,
            Self::NoConversation | Self::NoConversations | Self::NothingSaid => Fault::Caller,
            Self::Conversation(error) => error.fault(),
            Self::Shed(_) | Self::NotRecorded | Self::Internal => Fault::Ours,
            Self::Origin(error) => error.fault(),
        }
    }

    /// Tells whether another try can help.
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Shed(_) | Self::Origin(_) | Self::BodyTimedOut { .. } | Self::Limited { .. }
        )
    }

    /// Returns the status code.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Inflate { error: InflateError::Unsupported } => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::Inflate { error: InflateError::TooLarge { .. } } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Json(_)
            | Self::Header { .. }
            | Self::Fields { .. }
            | Self::Inflate { .. }
            | Self::BodyBroken
            | Self::DotSegment => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimedOut { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Conversation(ConversationError::Busy { .. } | ConversationError::Changed) => {
                StatusCode::CONFLICT
            }
            Self::Conversation(ConversationError::Full { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Conversation(ConversationError::Unavailable(_)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NoConversation => StatusCode::NOT_FOUND,
            Self::NoConversations | Self::NothingSaid => StatusCode::BAD_REQUEST,
            Self::NotRecorded => StatusCode::BAD_GATEWAY,
            Self::Unauthorised { .. } => StatusCode::UNAUTHORIZED,
            Self::Limited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NoRoute { .. } => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotServed(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Shed(_)
            | Self::Origin(OriginError::BreakerOpen { .. } | OriginError::Overloaded { .. }) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NotKept | Self::Origin(OriginError::TimedOut { .. }) => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::Origin(OriginError::Internal { .. }) | Self::Internal => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Origin(_) => StatusCode::BAD_GATEWAY,
        }
    }

    const fn kind(&self, form: ErrorForm) -> &'static str {
        match (form, self) {
            (ErrorForm::Anthropic, Self::NoRoute { .. }) => "not_found_error",
            (ErrorForm::Anthropic, Self::BodyTooLarge { .. }) => "request_too_large",
            (
                ErrorForm::Anthropic,
                Self::Shed(_) | Self::Origin(OriginError::Overloaded { .. }),
            ) => "overloaded_error",
            (ErrorForm::Anthropic, Self::Unauthorised { .. }) => "authentication_error",
            (ErrorForm::Anthropic, Self::Limited { .. }) => "rate_limit_error",
            (ErrorForm::OpenAi, Self::Limited { what, .. }) => what,
            (ErrorForm::Anthropic, Self::Origin(OriginError::TimedOut { .. })) => "timeout_error",
            (_, Self::Conversation(ConversationError::Unavailable(_)) | Self::NotRecorded) => {
                "api_error"
            }
            (_, Self::Shed(_) | Self::Internal | Self::Origin(_) | Self::NotServed(_)) => {
                "api_error"
            }
            _ => "invalid_request_error",
        }
    }

    /// Returns when another try may help, in whole seconds, rounded up.
    fn retry_after_secs(&self) -> Option<u64> {
        match self {
            Self::Shed(_) => Some(1),
            Self::Limited { retry_after_s, .. } => Some(*retry_after_s),
            Self::Origin(
                OriginError::BreakerOpen { retry_after, .. }
                | OriginError::Overloaded { retry_after, .. },
            ) => {
                let begun = u64::from(retry_after.subsec_nanos() > 0);
                Some(retry_after.as_secs().saturating_add(begun).max(1))
            }
            _ => None,
        }
    }

    /// Returns the response, in `form`.
    pub fn response(&self, form: ErrorForm) -> HttpResponse {
        let (message, kind) = (self.to_string(), self.kind(form));
        let body = match form {
            ErrorForm::OpenAi => ErrorBody::open_ai(self.label(), kind, message),
            ErrorForm::Anthropic => ErrorBody::anthropic(kind, message),
        };
        let mut response = HttpResponse::build(self.status());
        if let Some(seconds) = self.retry_after_secs() {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        match self {
            // RFC 6750 §3.1: without a token shown there is no error to name.
            Self::Unauthorised { shown: false } => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"anteroom\""));
            }
            Self::Unauthorised { shown: true } => {
                let challenge = "Bearer realm=\"anteroom\", error=\"invalid_token\"";
                response.insert_header((WWW_AUTHENTICATE, challenge));
            }
            _ => {}
        }
        if matches!(self, Self::BodyTooLarge { .. } | Self::BodyTimedOut { .. } | Self::BodyBroken)
        {
            // What is left of the body is not read: the connection is of no more use.
            response.force_close();
        }
        response.json(body)
    }
}

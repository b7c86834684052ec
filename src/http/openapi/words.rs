//! Words that members of answers are out of, as schemas: from the code that says them.

use anteroom_actors::message::ActorState as OfActor;
use anteroom_actors::model::{LabelKind as OfLabel, Outcome as OfRequest, PressureState};
use anteroom_actors::settings::ScalerMode;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::reload::Trigger as OfReload;
use crate::telemetry::Window as OfTime;

/// Returns the schema of a text that is one of `words`.
pub fn one_of<const N: usize>(words: [&'static str; N], description: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String);
    text.enum_values(Some(words)).description(Some(description.trim())).into()
}

macro_rules! words {
    ($($(#[doc = $doc:literal])+ $name:ident: $words:expr;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                one_of($words, concat!($($doc),+))
            }
        }

        impl ToSchema for $name {}
    )+};
}

words! {
    /// How an actor is.
    ActorState: [OfActor::Running, OfActor::Degraded, OfActor::Restarting, OfActor::Disabled]
        .map(OfActor::label);
    /// How a request was answered.
    Outcome: OfRequest::ALL.map(OfRequest::label);
    /// How short memory is.
    Pressure: [PressureState::Nominal, PressureState::Elevated, PressureState::Critical]
        .map(PressureState::label);
    /// What kind of name answers are purged by.
    PurgedBy: [
        OfLabel::All, OfLabel::Key, OfLabel::Tag, OfLabel::Model, OfLabel::Namespace,
        OfLabel::Scope, OfLabel::Route,
    ].map(OfLabel::as_str);
    /// Why the settings were read anew.
    Trigger: [OfReload::Signal, OfReload::File, OfReload::Operator].map(OfReload::label);
    /// What became of settings that were read anew.
    ReloadOutcome: ["applied", "unchanged", "needs_restart", "refused"];
    /// Over how long a time traffic is told.
    Window: OfTime::ALL.map(OfTime::label);
    /// What the scaler does with its decisions.
    ScalingMode: [ScalerMode::On, ScalerMode::Advise].map(ScalerMode::label);
}

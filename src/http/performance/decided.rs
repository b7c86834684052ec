//! The scaler's decisions, described. The actors write them, and know nothing of descriptions.

use std::borrow::Cow;

use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{Object, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A decision.
#[derive(Debug)]
pub enum DecisionShown {}

impl PartialSchema for DecisionShown {
    fn schema() -> RefOr<Schema> {
        let text = |about: &str| {
            ObjectBuilder::new().schema_type(Type::String).description(Some(about)).build()
        };
        let number = |kind: Type, about: &str| {
            ObjectBuilder::new().schema_type(kind).description(Some(about)).build()
        };
        let of = ["l1_bytes", "warming_share", "origin_calls"];
        let of = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(of));
        let members: [(&str, Object); 6] = [
            ("at_ms", number(Type::Integer, "When, in milliseconds since the Unix epoch.")),
            ("before", number(Type::Integer, "The value before.")),
            ("after", number(Type::Integer, "The value decided.")),
            ("applied", number(Type::Boolean, "Whether it was put into effect.")),
            ("reason", text("Why.")),
            ("of", of.description(Some("What it is about.")).build()),
        ];
        let object = ObjectBuilder::new().schema_type(Type::Object);
        let object = members
            .into_iter()
            .fold(object, |object, (name, schema)| object.property(name, schema).required(name));
        let evidence = ObjectBuilder::new().schema_type(Type::Object);
        object
            .description(Some("A decision of the scaler."))
            .property("evidence", evidence.description(Some("What it rests on.")))
            .required("evidence")
            .property("gain", number(Type::Number, "L1: the expected change of the hit ratio."))
            .property("upstream", text("Calls: the upstream's name."))
            .into()
    }
}

impl ToSchema for DecisionShown {
    fn name() -> Cow<'static, str> {
        "Decision".into()
    }
}

#[cfg(test)]
mod tests {
    use anteroom_actors::scaler::{
        ConcurrencyReason, ConcurrencySettings, CurvePoint, Decision, SIZES, ShareEvidence,
        ShareReason, SizingEvidence, SizingReason, What, Window,
    };
    use serde_json::json;

    use super::*;

    /// This is where a new member is noticed.
    #[test]
    fn a_decision_has_the_members_that_are_described() {
        let mut schema = serde_json::to_value(DecisionShown::schema()).unwrap();
        schema["additionalProperties"] = json!(false);
        let schema = jsonschema::draft202012::new(&schema).unwrap();
        let point = CurvePoint { size: 1, hit_ratio: 0.5 };
        let known = [
            What::L1Bytes {
                reason: SizingReason::GrowthPays,
                gain: 0.1,
                evidence: SizingEvidence {
                    curve: [point; SIZES],
                    requests: 1,
                    now_bytes: 1,
                    least_bytes: 1,
                    most_bytes: 1,
                },
            },
            What::WarmingShare {
                reason: ShareReason::Well,
                evidence: ShareEvidence {
                    now: 1,
                    load: 0.5,
                    users_waiting: 1,
                    used: 1,
                    wasted: 1,
                    success: 0.5,
                },
            },
            What::OriginCalls {
                upstream: "default".into(),
                reason: ConcurrencyReason::Well,
                evidence: Window {
                    calls: 1,
                    refused: 0,
                    seconds: 0.5,
                    usual_seconds: 0.5,
                    most_under_way: 1,
                    exact: 1.0,
                    limit: 1,
                    bounds: ConcurrencySettings { least: 1, most: 2 },
                },
            },
        ];
        for what in known {
            let decision = Decision { at_ms: 1, before: 2, after: 3, applied: true, what };
            let written = serde_json::to_value(&decision).unwrap();
            let mistakes: Vec<String> =
                schema.iter_errors(&written).map(|error| error.to_string()).collect();
            assert!(mistakes.is_empty(), "{mistakes:?}\n{written:#}");
        }
    }
}

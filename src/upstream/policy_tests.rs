//! What a route's policy says of answers, alone and in a verdict.

use anteroom_actors::model::{Lifetimes, Verdict};

use super::super::verdict::{Judged, verdict};
use super::*;
use crate::settings::{ByteSize, HumanDuration};

fn policy(rules: &[(&str, &str)]) -> AnswerPolicy {
    let rule = |(pointer, pattern): &(&str, &str)| Reject {
        pointer: (*pointer).to_owned(),
        pattern: (*pattern).to_owned(),
    };
    let route = Route { reject: rules.iter().map(rule).collect(), ..Route::default() };
    AnswerPolicy::of(&route).unwrap()
}

/// A-39: an apology is not an answer.
#[test]
fn a_rule_refuses_what_its_pattern_finds_at_its_pointer() {
    let sorry = policy(&[("/choices/0/message/content", "(?i)^(sorry|i apologi[sz]e)")]);
    let any = policy(&[("", "quota")]);
    for (policy, body, rejected) in [
        (&sorry, r#"{"choices":[{"message":{"content":"Sorry, no."}}]}"#, true),
        (&sorry, r#"{"choices":[{"message":{"content":"\u0073orry"}}]}"#, true),
        (&sorry, r#"{"choices":[{"message":{"content":"Not sorry."}}]}"#, false),
        (&sorry, r#"{"choices":[{"message":{"content":null}}]}"#, false),
        (&sorry, r#"{"choices":[{},{"message":{"content":"Sorry"}}]}"#, false),
        (&sorry, r#"{"content":"Sorry"}"#, false),
        (&sorry, "Sorry", false),
        (&any, r#"{"a":{"b":"over quota"}}"#, true),
        (&any, "over quota", true),
        (&any, "", false),
        (&policy(&[("/a", "^[0-9]{3}$")]), r#"{"a":503}"#, true),
        (&policy(&[("/a", "b.*c")]), r#"{"a":["b",{"c":1}]}"#, true),
        (&policy(&[("/x", "x"), ("/a~1b", "y")]), r#"{"a/b":"y"}"#, true),
    ] {
        assert_eq!(policy.rejects(Profile::Chat, false, body.as_bytes()), rejected, "{body}");
    }
}

/// A-39: also where the text comes in pieces.
#[test]
fn a_stream_is_refused_as_its_object_would_be_or_event_by_event() {
    let chunk = |text: &str| {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let chat = format!("{}{}{end}", chunk("So"), chunk("rry."));
    let rules = policy(&[("/choices/0/message/content", "^Sorry")]);
    assert!(rules.rejects(Profile::Chat, true, chat.as_bytes()), "{chat}");
    let other = format!("{}{end}", chunk("Well"));
    assert!(!rules.rejects(Profile::Chat, true, other.as_bytes()));
    let events = "event: a\ndata: {\"delta\":{\"text\":\"fine\"}}\n\ndata: {\"delta\":{\"text\":\"Sorry\"}}\n\n";
    let rules = policy(&[("/delta/text", "^Sorry")]);
    assert!(rules.rejects(Profile::Messages, true, events.as_bytes()));
    assert!(!rules.rejects(Profile::Messages, true, events.replace("Sorry", "ok").as_bytes()));
}

#[test]
fn a_verdict_follows_the_policy() {
    let lifetimes = Lifetimes {
        lifetime: Duration::from_secs(60),
        stale_while_revalidate: Duration::from_secs(5),
        stale_if_error: Duration::from_secs(5),
        keep_to_validate: Duration::ZERO,
        never_stale: false,
    };
    let mut route = Route { max_entry: Some(ByteSize::from_kib(1)), ..Route::default() };
    for (status, lifetime) in [("404", 30), ("500", 90)] {
        route.negative.insert(status.to_owned(), HumanDuration::from_secs(lifetime));
    }
    route.reject.push(Reject { pointer: "/a".to_owned(), pattern: "no".to_owned() });
    let policy = AnswerPolicy::of(&route).unwrap();
    let negative = |seconds| {
        let lifetime = Duration::from_secs(seconds);
        Verdict::Keep {
            lifetimes: Lifetimes { lifetime, ..Lifetimes::default() },
            usage: None,
            age: Duration::ZERO,
        }
    };
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1_024));
    for (status, encoding, body, expected) in [
        (
            200,
            None,
            "{\"a\":\"yes\"}",
            Verdict::Keep { lifetimes, usage: None, age: Duration::ZERO },
        ),
        (200, None, "{\"a\":\"no\"}", Verdict::Discard("rejected")),
        (200, None, &*large, Verdict::Discard("too-large")),
        (404, None, "not there", negative(30)),
        (404, None, "", negative(30)),
        (404, Some("gzip"), "", Verdict::Discard("encoding")),
        (404, None, "{\"a\":\"no\"}", Verdict::Discard("rejected")),
        // Never longer than the answer to this request may be fresh at all.
        (500, None, "oops", negative(60)),
        (503, None, "oops", Verdict::Discard("status")),
        (401, None, "{}", Verdict::Discard("status")),
    ] {
        let judged = Judged {
            profile: Profile::Generic,
            streamed: false,
            status,
            content_type: Some("application/json"),
            content_encoding: encoding,
            body: body.as_bytes(),
            lifetimes,
            policy: Some(&policy),
        };
        assert_eq!(verdict(&judged), expected, "{status} {body}");
    }
    assert!(AnswerPolicy::of(&Route::default()).is_none());
}

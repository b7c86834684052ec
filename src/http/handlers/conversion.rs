//! Bringing a kept answer into the form that is asked for.

use std::sync::Arc;

use anteroom_actors::codec;
use anteroom_actors::message::{Insert, InsertKind};
use anteroom_actors::model::{Encodings, Entry, Form, Header};
use bytes::Bytes;

use super::asked::{Asked, Question};
use crate::canonical::Profile;
use crate::forms::{FormError, events_to_object, object_to_events, without_usage};

/// Bodies from this size on are converted on another thread: it takes milliseconds, for which this
/// thread's other requests would wait.
const CONVERT_ELSEWHERE_FROM: usize = 64 * 1024;

/// Returns `entry` in the form that is asked for; converted, it is given to L1 beside the original.
///
/// # Errors
///
/// [`FormError`] where it cannot be converted.
pub(super) async fn in_form(
    question: &Question<'_>,
    entry: Arc<Entry>,
) -> Result<Arc<Entry>, FormError> {
    let form = question.meaning.form;
    // An error has one form: the one it came in.
    if entry.form == form || !question.asked.route.converts || entry.status != 200 {
        return Ok(entry);
    }
    let body = body_in_form(question, entry.form, entry.body.clone()).await?;
    let converted = Entry {
        body,
        form,
        encodings: Encodings::default(),
        headers: headers_in_form(&entry.headers, form).into(),
        ..Entry::clone(&entry)
    };
    let converted = Arc::new(converted);
    let insert = Insert { entry: Arc::clone(&converted), kind: InsertKind::Converted };
    let gateway = &question.asked.worker.gateway;
    gateway.topology.l1.insert.tell(insert);
    encode_behind(&converted, question.asked);
    Ok(converted)
}

/// Works out an entry that L1 was given in an encoding, on another thread, and tells L1.
fn encode_behind(entry: &Arc<Entry>, asked: &Asked<'_>) {
    let (gateway, encoding) = (&asked.worker.gateway, asked.accepted.best());
    let (entry, settings) = (Arc::clone(entry), asked.in_force.settings.encoding());
    if !codec::is_worth(&entry, &settings) && entry.body.len() < CONVERT_ELSEWHERE_FROM {
        codec::prepare(&entry, encoding, &settings);
        return;
    }
    let insert = gateway.topology.l1.insert.clone();
    // It goes on by itself; one that is lost is worked out at the next conversion.
    drop(actix_web::web::block(move || {
        codec::prepare(&entry, encoding, &settings);
        insert.tell(Insert { entry, kind: InsertKind::Encoded })
    }));
}

/// Returns a whole body of the form `from` in the form that is asked for.
///
/// # Errors
///
/// [`FormError`] where it cannot be converted.
pub(super) async fn body_in_form(
    question: &Question<'_>,
    from: Form,
    body: Bytes,
) -> Result<Bytes, FormError> {
    let (profile, to) = (question.asked.route.profile, question.meaning.form);
    if body.len() < CONVERT_ELSEWHERE_FROM {
        return convert(profile, from, to, &body);
    }
    let converted = actix_web::web::block(move || convert(profile, from, to, &body)).await;
    converted.unwrap_or(Err(FormError::Incomplete))
}

fn convert(profile: Profile, from: Form, to: Form, body: &Bytes) -> Result<Bytes, FormError> {
    Ok(match (from, to) {
        (Form::Stream, Form::StreamWithoutUsage) => without_usage(body).into(),
        (Form::Object, Form::Stream) => object_to_events(profile, body)?.into(),
        (Form::Object, Form::StreamWithoutUsage) => {
            without_usage(&object_to_events(profile, body)?).into()
        }
        (Form::Stream | Form::StreamWithoutUsage, Form::Object) => {
            events_to_object(profile, body)?.into()
        }
        // What was never asked for cannot be added.
        (Form::StreamWithoutUsage, Form::Stream) => body.clone(),
        (Form::Object, Form::Object)
        | (Form::Stream, Form::Stream)
        | (Form::StreamWithoutUsage, Form::StreamWithoutUsage) => body.clone(),
    })
}

/// Returns the headers with the media type of `form`.
pub(super) fn headers_in_form(headers: &[Header], form: Form) -> Vec<Header> {
    let media_type: &'static [u8] =
        if form.is_stream() { b"text/event-stream; charset=utf-8" } else { b"application/json" };
    let other = headers.iter().filter(|header| &*header.name != "content-type").cloned();
    let own = Header { name: "content-type".into(), value: Bytes::from_static(media_type) };
    std::iter::once(own).chain(other).collect()
}

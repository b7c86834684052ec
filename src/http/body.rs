//! Reading a request's body within its bounds.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt};

use super::error::ApiError;
use super::holding::holding;
use super::memory_scope::MemoryScope;
use super::nudges::Nudges;
use super::shape::inflate::{InflateError, content_encoding, inflate};

/// A whole body.
pub struct Whole {
    /// Its bytes.
    pub bytes: Bytes,
    /// Whether it was waited for, longer than to the next of the nudges.
    pub waited: bool,
}

/// Reads the whole body, at most `most` bytes of it, within `deadline`.
///
/// # Errors
///
/// [`ApiError::BodyTooLarge`], [`ApiError::BodyTimedOut`], or a bad request when the client broke
/// off or its framing is wrong.
pub async fn read(
    request: &HttpRequest,
    payload: &mut Payload,
    most: usize,
    deadline: Duration,
) -> Result<Bytes, ApiError> {
    check_announced(request, most)?;
    within(deadline, collect(payload, most, None)).await
}

/// As [`read`], for bodies that come together with their heads, as most do: those cost no timer. For
/// others the deadline begins at the next of the `nudges`.
///
/// # Errors
///
/// Those of [`read`].
pub async fn read_at_hand(
    request: &HttpRequest,
    payload: &mut Payload,
    (most, memory): (usize, &MemoryScope<'_>),
    deadline: Duration,
    nudges: &Nudges,
) -> Result<Whole, ApiError> {
    let announced = check_announced(request, most)?;
    memory.body(announced).await?;
    let mut collected = pin!(collect(payload, most, Some(memory)));
    if let Some(collected) = nudges.second_look(collected.as_mut()).await {
        return Ok(Whole { bytes: collected?, waited: false });
    }
    Ok(Whole { bytes: within(deadline, collected).await?, waited: true })
}

/// Returns the length that the request announces, 0 where it announces none.
fn check_announced(request: &HttpRequest, most: usize) -> Result<usize, ApiError> {
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok());
    let announced = usize::try_from(announced.unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > most {
        return Err(ApiError::BodyTooLarge { most });
    }
    Ok(announced)
}

async fn within(
    deadline: Duration,
    collected: impl Future<Output = Result<Bytes, ApiError>>,
) -> Result<Bytes, ApiError> {
    let late = Err(ApiError::BodyTimedOut { deadline });
    tokio::time::timeout(deadline, collected).await.unwrap_or(late)
}

/// Bodies from this size on are inflated on another thread: it takes a while, for which this thread's
/// other requests would wait.
const INFLATE_ELSEWHERE_FROM: usize = 16 * 1024;

/// JSON seldom shrinks to less than a tenth. The memory for so much is reserved first; a body that takes
/// more is inflated again, with as many times the room, so that few announce what they do not need.
const OFTEN_AT_MOST: usize = 10;

/// Returns what `body` stands for by the request's `Content-Encoding`, at most `most` bytes.
///
/// # Errors
///
/// [`ApiError::Inflate`] for an encoding that is not spoken here, more bytes than `most`, and a body
/// that is damaged.
pub async fn inflated(
    request: &HttpRequest,
    body: Bytes,
    most: usize,
    memory: &MemoryScope<'_>,
) -> Result<Bytes, ApiError> {
    if !request.headers().contains_key(CONTENT_ENCODING) {
        return Ok(body);
    }
    let values = request.headers().get_all(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let encoding = content_encoding(values).map_err(|error| ApiError::Inflate { error })?;
    let mut room = body.len().saturating_mul(OFTEN_AT_MOST).min(most);
    loop {
        memory.body(room).await?;
        let (shared, is_small) = (body.clone(), body.len() < INFLATE_ELSEWHERE_FROM);
        let work = move || inflate(encoding, &shared, room);
        let inflated = if is_small {
            work()
        } else {
            let inflated = actix_web::web::block(work).await;
            inflated.map_err(|_pool_is_gone| ApiError::Internal)?
        };
        match inflated {
            Err(InflateError::TooLarge { .. }) if room < most => {
                room = room.saturating_mul(OFTEN_AT_MOST).min(most);
            }
            inflated => return inflated.map_err(|error| ApiError::Inflate { error }),
        }
    }
}

async fn collect(
    payload: &mut Payload,
    most: usize,
    memory: Option<&MemoryScope<'_>>,
) -> Result<Bytes, ApiError> {
    let mut first: Option<Bytes> = None;
    // Most bodies come in one piece; it is not copied.
    let mut whole: Option<BytesMut> = None;
    let mut length = 0;
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_broken| ApiError::BodyBroken)?;
        length += piece.len();
        // At once, not when the next piece is there: the caller may be waiting for the answer.
        if length > most {
            return Err(ApiError::BodyTooLarge { most });
        }
        if let Some(memory) = memory {
            memory.body(length).await?;
        }
        match &first {
            None => first = Some(piece),
            Some(first) => whole
                .get_or_insert_with(|| BytesMut::from(first.as_ref()))
                .extend_from_slice(&piece),
        }
    }
    Ok(whole.map(BytesMut::freeze).or(first).unwrap_or_default())
}

/// A caller's body that is passed on in pieces, or not at all.
#[derive(Clone)]
pub struct CallersBody {
    payload: Rc<RefCell<Payload>>,
    fault: Rc<RefCell<Option<ApiError>>>,
}

impl CallersBody {
    /// Takes the body over.
    pub fn new(payload: Payload) -> Self {
        Self { payload: Rc::new(RefCell::new(payload)), fault: Rc::default() }
    }

    /// Returns the body's pieces, each within `deadline`; an error is kept as [`Self::fault`].
    pub fn pieces(
        &self,
        deadline: Duration,
    ) -> impl Stream<Item = Result<Bytes, ApiError>> + 'static {
        stream::unfold(Some(self.clone()), move |caller| async move {
            let caller = caller?;
            let next = poll_fn(|cx| caller.payload.borrow_mut().poll_next_unpin(cx));
            let error = match tokio::time::timeout(deadline, next).await {
                Ok(None) => return None,
                Ok(Some(Ok(piece))) => return Some((Ok(piece), Some(caller))),
                Ok(Some(Err(_broken))) => ApiError::BodyBroken,
                Err(_late) => ApiError::BodyTimedOut { deadline },
            };
            *caller.fault.borrow_mut() = Some(error.clone());
            Some((Err(error), None))
        })
    }

    /// Returns why the body ended early, where the caller is the reason.
    pub fn fault(&self) -> Option<ApiError> {
        self.fault.borrow().clone()
    }

    /// Has the connection closed after `response` if the body was not read to its end.
    ///
    /// Held until the response has left: the rest of a dropped body in chunks would be read and
    /// thrown away for as long as the caller likes (actix-http 3.20, `h1/dispatcher.rs`).
    pub fn close_after(self, response: HttpResponse) -> HttpResponse {
        holding(response, self)
    }
}

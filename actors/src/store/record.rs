//! The stored format of an entry, the same in Redis and in the database.
//!
//! ```text
//! magic "ANTR" · version u8 · key 32
//! made u64 ms · initial age u64 ms · lifetime u64 ms · stale while revalidate u64 ms
//! stale if error u64 ms · keep to validate u64 ms · never stale u8 · selection 16
//! upstream latency u64 µs · status u16 · form u8
//! has usage u8 · input tokens u64 · output tokens u64
//! generation u64 · label count u32 · { label u64 } · model length u32 · model
//! header count u32 · { name length u32 · name · value length u32 · value }
//! body digest 16 · body encoding u8 · raw length u64 · body length u64 · body · checksum 16
//! ```
//!
//! The body is in brotli (encoding 1) where that is shorter, else as it is (0).
//! Numbers are little-endian. The checksum is the first half of the BLAKE3 digest of all before
//! it. A record is never believed: each length is checked before use, a body inflates to its raw
//! length or not at all, and a record of another format version, of another key or with one altered
//! bit is an error.

use std::time::Duration;

use bytes::Bytes;

use crate::codec::inflate::inflate;
use crate::error::LevelError;
use crate::model::{
    CacheKey, Encoding, Encodings, Entry, Form, Freshness, Header, Headers, Label, Labels, Millis,
    Selection, TAG_LEN, Usage,
};

const MAGIC: &[u8; 4] = b"ANTR";
const VERSION: u8 = 3;
const CHECKSUM_LEN: usize = 16;
const SELECTION_LEN: usize = size_of::<Selection>();
/// The least a header takes: its two lengths. Bounds what a count can make us reserve.
const MIN_HEADER_LEN: usize = 8;
/// All fields of fixed size.
const FIXED_LEN: usize = MAGIC.len()
    + 1
    + CacheKey::LEN
    + 7 * 8
    + 1
    + SELECTION_LEN
    + 2
    + 1
    + 1
    + 2 * 8
    + 8
    + 4
    + 4
    + 4
    + BODY_HEAD_LEN
    + CHECKSUM_LEN;
/// What goes before the bytes of the body: digest, encoding, both lengths.
const BODY_HEAD_LEN: usize = TAG_LEN + 1 + 8 + 8;
/// A body as it is.
const PLAIN: u8 = 0;
/// A body in brotli.
const BROTLI: u8 = 1;
/// What a label takes.
const LABEL_LEN: usize = 8;

/// Returns the greatest length that the record of `entry` has, in bytes: with its body as it is.
pub fn encoded_len(entry: &Entry) -> usize {
    let headers: usize = entry
        .headers
        .iter()
        .map(|header| MIN_HEADER_LEN + header.name.len() + header.value.len())
        .sum();
    let labels = entry.labels.names.len() * LABEL_LEN;
    let model = entry.model.as_ref().map_or(0, |model| model.len());
    FIXED_LEN + labels + model + headers + entry.body.len()
}

/// Returns the record of `entry`.
///
/// Its body is `packed`, which is brotli, where that is given. Lifetimes are kept in whole milliseconds, latencies in whole microseconds, rounded down.
pub fn encode(entry: &Entry, packed: Option<&Bytes>) -> Vec<u8> {
    let body = packed.unwrap_or(&entry.body);
    let mut out = Vec::with_capacity(encoded_len(entry) - entry.body.len() + body.len());
    out.extend_from_slice(MAGIC);
    out.push(VERSION);
    out.extend_from_slice(entry.key.as_bytes());
    let freshness = &entry.freshness;
    put_u64(&mut out, freshness.made_wall_ms);
    put_u64(&mut out, freshness.initial_age.as_u64());
    put_u64(&mut out, freshness.lifetime.as_u64());
    put_u64(&mut out, freshness.stale_while_revalidate.as_u64());
    put_u64(&mut out, freshness.stale_if_error.as_u64());
    put_u64(&mut out, freshness.keep_to_validate.as_u64());
    out.push(u8::from(freshness.never_stale));
    out.extend_from_slice(&entry.selection);
    put_u64(&mut out, saturated(entry.upstream_latency.as_micros()));
    out.extend_from_slice(&entry.status.to_le_bytes());
    out.push(entry.form.code());
    let usage = entry.usage.unwrap_or_default();
    out.push(u8::from(entry.usage.is_some()));
    put_u64(&mut out, usage.input_tokens);
    put_u64(&mut out, usage.output_tokens);
    put_u64(&mut out, entry.labels.generation);
    put_len32(&mut out, entry.labels.names.len());
    for label in &entry.labels.names {
        put_u64(&mut out, label.as_u64());
    }
    let model = entry.model.as_deref().unwrap_or_default();
    put_len32(&mut out, model.len());
    out.extend_from_slice(model.as_bytes());
    put_len32(&mut out, entry.headers.len());
    for header in entry.headers.iter() {
        put_len32(&mut out, header.name.len());
        out.extend_from_slice(header.name.as_bytes());
        put_len32(&mut out, header.value.len());
        out.extend_from_slice(&header.value);
    }
    out.extend_from_slice(entry.encodings.tag(&entry.body));
    out.push(if packed.is_some() { BROTLI } else { PLAIN });
    for length in [entry.body.len(), body.len()] {
        put_u64(&mut out, u64::try_from(length).unwrap_or(u64::MAX));
    }
    out.extend_from_slice(body);
    let checksum = checksum(&out);
    out.extend_from_slice(&checksum);
    out
}

/// Returns the entry that `record` holds for `key`; no body of more than `most` bytes. Header values
/// and a plain body share its bytes.
///
/// # Errors
///
/// [`LevelError::Damaged`] for anything but an unaltered record of this version and `key`.
pub fn decode(key: &CacheKey, record: &Bytes, most: usize) -> Result<Entry, LevelError> {
    let mut magic = Reader { rest: record.clone() };
    if magic.take(MAGIC.len())? != MAGIC.as_slice() {
        return Err(LevelError::Damaged("not a record"));
    }
    if magic.u8()? != VERSION {
        return Err(LevelError::Damaged("another format version"));
    }
    let content = checked_content(record)?;
    let mut reader = Reader { rest: content };
    reader.take(MAGIC.len() + 1)?;
    if reader.take(CacheKey::LEN)? != key.as_bytes().as_slice() {
        return Err(LevelError::Damaged("another key"));
    }
    let entry = fields(*key, &mut reader, most)?;
    if reader.rest.is_empty() { Ok(entry) } else { Err(LevelError::Damaged("bytes left over")) }
}

/// Returns all but the checksum, once that has been found right.
fn checked_content(record: &Bytes) -> Result<Bytes, LevelError> {
    let (content, expected) = record
        .len()
        .checked_sub(CHECKSUM_LEN)
        .and_then(|at| record.split_at_checked(at))
        .ok_or(LevelError::Damaged("too short"))?;
    if checksum(content) != expected {
        return Err(LevelError::Damaged("checksum mismatch"));
    }
    Ok(record.slice_ref(content))
}

fn fields(key: CacheKey, reader: &mut Reader, most: usize) -> Result<Entry, LevelError> {
    let freshness = Freshness {
        made_wall_ms: reader.u64()?,
        initial_age: Millis::new(reader.u64()?),
        lifetime: Millis::new(reader.u64()?),
        stale_while_revalidate: Millis::new(reader.u64()?),
        stale_if_error: Millis::new(reader.u64()?),
        keep_to_validate: Millis::new(reader.u64()?),
        never_stale: reader.flag()?,
    };
    let selection = reader.array()?;
    let upstream_latency = Duration::from_micros(reader.u64()?);
    let status = u16::from_le_bytes(reader.array()?);
    let form = Form::from_code(reader.u8()?).ok_or(LevelError::Damaged("no such form"))?;
    let has_usage = reader.flag()?;
    let usage = Usage { input_tokens: reader.u64()?, output_tokens: reader.u64()? };
    let usage = has_usage.then_some(usage);
    let labels = labels(reader)?;
    let model_len = reader.len32()?;
    let model = reader.text(model_len)?;
    let model = (!model.is_empty()).then_some(model);
    let headers = headers(reader)?;
    let (body, encodings) = body(reader, most)?;
    Ok(Entry {
        key,
        status,
        headers,
        body,
        encodings,
        form,
        freshness,
        min_uses: 0,
        labels,
        model,
        usage,
        selection,
        upstream_latency,
    })
}

/// Reads the body, and keeps the form in which it is stored beside it.
fn body(reader: &mut Reader, most: usize) -> Result<(Bytes, Encodings), LevelError> {
    let encodings = Encodings::default();
    encodings.set_tag(reader.array()?);
    let encoding = reader.u8()?;
    let raw_len = reader.length()?;
    let stored_len = reader.length()?;
    let stored = reader.take(stored_len)?;
    let body = match encoding {
        PLAIN => stored,
        BROTLI if raw_len <= most => {
            let inflated = inflate(Encoding::Brotli, &stored, raw_len);
            let inflated =
                inflated.map_err(|_| LevelError::Damaged("the body does not inflate"))?;
            // Not a part of the record, which would stay in memory as a whole.
            encodings.settle(Encoding::Brotli, || Some(Bytes::copy_from_slice(&stored)));
            inflated
        }
        BROTLI => return Err(LevelError::Damaged("the body inflates to too much")),
        _ => return Err(LevelError::Damaged("no such encoding")),
    };
    if body.len() == raw_len {
        Ok((body, encodings))
    } else {
        Err(LevelError::Damaged("the body has another length"))
    }
}

fn labels(reader: &mut Reader) -> Result<Labels, LevelError> {
    let generation = reader.u64()?;
    let count = reader.len32()?;
    if count > reader.rest.len() / LABEL_LEN {
        return Err(LevelError::Damaged("more labels than bytes"));
    }
    let names = (0..count).map(|_| reader.u64().map(Label::from_u64));
    Ok(Labels { generation, names: names.collect::<Result<_, _>>()? })
}

fn headers(reader: &mut Reader) -> Result<Headers, LevelError> {
    let count = reader.len32()?;
    if count > reader.rest.len() / MIN_HEADER_LEN {
        return Err(LevelError::Damaged("more headers than bytes"));
    }
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        let name_len = reader.len32()?;
        let name = reader.text(name_len)?;
        let value_len = reader.len32()?;
        headers.push(Header { name, value: reader.take(value_len)? });
    }
    Ok(headers.into())
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut half = [0; CHECKSUM_LEN];
    for (to, from) in half.iter_mut().zip(blake3::hash(content).as_bytes()) {
        *to = *from;
    }
    half
}

fn saturated(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// A length past 4 GiB is written as the largest one: such a record is then found damaged.
fn put_len32(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

/// Takes fields off the front; every take is checked against what is left.
struct Reader {
    rest: Bytes,
}

impl Reader {
    fn take(&mut self, len: usize) -> Result<Bytes, LevelError> {
        if len > self.rest.len() {
            return Err(LevelError::Damaged("cut short"));
        }
        Ok(self.rest.split_to(len))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], LevelError> {
        let bytes = self.take(N)?;
        bytes.as_ref().try_into().map_err(|_| LevelError::Damaged("cut short"))
    }

    fn text(&mut self, len: usize) -> Result<Box<str>, LevelError> {
        let bytes = self.take(len)?;
        let text = std::str::from_utf8(&bytes);
        text.map(Box::from).map_err(|_| LevelError::Damaged("a name is not text"))
    }

    fn u8(&mut self) -> Result<u8, LevelError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn flag(&mut self) -> Result<bool, LevelError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(LevelError::Damaged("no such flag")),
        }
    }

    fn u64(&mut self) -> Result<u64, LevelError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn length(&mut self) -> Result<usize, LevelError> {
        Ok(usize::try_from(self.u64()?).unwrap_or(usize::MAX))
    }

    fn len32(&mut self) -> Result<usize, LevelError> {
        Ok(usize::try_from(u32::from_le_bytes(self.array()?)).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;

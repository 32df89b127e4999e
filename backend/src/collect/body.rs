//! A body, on its way from the connection to JSON: counted against the backlog while it arrives,
//! unpacked within a limit, and taken out of a form.

use super::writer::{Backlog, Room};
use crate::error::Problem;
use axum::body::{Body, HttpBody};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::read::MultiGzDecoder;
use std::io::Read;
use tokio_stream::StreamExt;

/// A body holds at most this many bytes, packed and unpacked: what Segment's libraries send.
pub const MAX_BODY: usize = 512 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a body to its end; it has its place in the backlog from its first byte on.
///
/// # Errors
/// [`Problem::TooLarge`], [`Problem::Overloaded`] where the backlog has no room, or
/// [`Problem::Malformed`] where the body breaks off or does not unpack.
pub async fn read(body: Body, backlog: &Backlog) -> Result<(Vec<u8>, Room), Problem> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(Problem::TooLarge(MAX_BODY));
    }
    let (mut bytes, mut room) = (Vec::new(), backlog.room()?);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::Malformed("the body broke off".to_owned()))?;
        if bytes.len() + chunk.len() > MAX_BODY {
            return Err(Problem::TooLarge(MAX_BODY));
        }
        room.grow(bytes.len() + chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    // What a body is packed with shows in its first bytes; beacons cannot send a header that says so.
    if bytes.starts_with(&GZIP) {
        bytes = unpacked(&bytes, &mut room)?;
    }
    Ok((bytes, room))
}

fn unpacked(packed: &[u8], room: &mut Room) -> Result<Vec<u8>, Problem> {
    const STEP: u64 = 64 * 1024;
    let mut unpacked = Vec::new();
    let mut reader = MultiGzDecoder::new(packed);
    loop {
        let read = reader.by_ref().take(STEP).read_to_end(&mut unpacked);
        let read =
            read.map_err(|error| Problem::Malformed(format!("the body does not unpack: {error}")))?;
        if read == 0 {
            return Ok(unpacked);
        }
        if unpacked.len() > MAX_BODY {
            return Err(Problem::TooLarge(MAX_BODY));
        }
        room.grow(packed.len() + unpacked.len())?;
    }
}

/// The JSON in a body: as it is, or in the field `data` of a form, whose field `key` may carry the write key.
pub fn json(body: Vec<u8>) -> Result<(Vec<u8>, Option<String>), Problem> {
    let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let form = start.is_some_and(u8::is_ascii_alphabetic) && body.contains(&b'=');
    if !form {
        return Ok((body, None));
    }
    let (mut data, mut key) = (None, None);
    for (name, value) in form_urlencoded::parse(&body) {
        match &*name {
            "data" => data = Some(value.into_owned()),
            "key" => key = Some(value.into_owned()),
            _ => {}
        }
    }
    let data = data.ok_or_else(|| Problem::Malformed("the form has no field `data`".to_owned()))?;
    Ok((plain(data)?, key))
}

/// JSON that stands in an address or a form: as it is, or in base 64 as addresses write it.
///
/// # Errors
/// [`Problem::Malformed`] for anything else.
pub fn plain(data: String) -> Result<Vec<u8>, Problem> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    if data.trim_start().starts_with('{') {
        return Ok(data.into_bytes());
    }
    LENIENT.decode(data.trim()).map_err(|error| {
        Problem::Malformed(format!("`data` is neither JSON nor base 64 (url-safe): {error}"))
    })
}

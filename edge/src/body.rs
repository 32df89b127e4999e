//! The JSON in a body, as beacons and libraries send it: packed, in a form, or as it is.

use crate::problem::Problem;
use crate::request::MAX_BODY;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::read::MultiGzDecoder;
use std::borrow::Cow;
use std::io::Read;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The JSON, and the write key where a form carries one.
///
/// # Errors
/// Where it does not unpack within the limit, or a form holds no JSON.
pub fn json(body: &[u8]) -> Result<(Cow<'_, [u8]>, Option<String>), Problem> {
    let body =
        if body.starts_with(&GZIP) { Cow::Owned(unpacked(body)?) } else { Cow::Borrowed(body) };
    let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if !(start.is_some_and(u8::is_ascii_alphabetic) && body.contains(&b'=')) {
        return Ok((body, None));
    }
    let field = |wanted: &str| {
        let mut fields = form_urlencoded::parse(&body);
        fields.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let data = field("data")
        .ok_or_else(|| Problem::Malformed("the form has no field `data`".to_owned()))?;
    Ok((Cow::Owned(plain(data)?), field("key")))
}

fn unpacked(packed: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut unpacked = Vec::new();
    let most = MAX_BODY as u64 + 1;
    let read = MultiGzDecoder::new(packed).take(most).read_to_end(&mut unpacked);
    read.map_err(|error| Problem::Malformed(format!("the body does not unpack: {error}")))?;
    if unpacked.len() > MAX_BODY { Err(Problem::TooLarge(MAX_BODY)) } else { Ok(unpacked) }
}

/// As it is, or in base 64 as addresses write it.
fn plain(data: String) -> Result<Vec<u8>, Problem> {
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

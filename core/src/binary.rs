//! Little-endian reading and writing, hashes and the checksum that every binary format here shares.

mod packed;
mod reader;

pub(crate) use packed::{Packed, nested, packed_members};
pub(crate) use reader::{Fault, Reader, Refused};

/// Appends `text` behind its length in one byte; longer text is cut at a character boundary.
#[cfg(feature = "wire")]
pub(crate) fn put_short_str(out: &mut Vec<u8>, text: &str) {
    let text = cut(text, usize::from(u8::MAX));
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

/// Appends `text` behind its length in two bytes; longer text is cut at a character boundary.
pub(crate) fn put_long_str(out: &mut Vec<u8>, text: &str) {
    let text = cut(text, usize::from(u16::MAX));
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The longest head of `text` that holds at most `len` bytes.
pub(crate) fn cut(text: &str, len: usize) -> &str {
    let mut end = len.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// FNV-1a, 32 bits: how category levels, event names and condition values travel.
pub fn fnv1a32(bytes: &[u8]) -> u32 {
    hash_on(FNV32, bytes)
}

/// What FNV-1a starts from.
pub(crate) const FNV32: u32 = 0x811c_9dc5;

/// FNV-1a, 32 bits, of what stood before and these bytes.
#[inline(never)] // in a dozen places
pub(crate) fn hash_on(before: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(before, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The hash that a category level travels as: [`fnv1a32`] of the trimmed text.
pub fn level_hash(level: &str) -> u32 {
    fnv1a32(level.trim().as_bytes())
}

/// FNV-1a, 64 bits.
pub(crate) fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// CRC-32 (ISO-HDLC, as in zip and PNG), four bits a step: small rather than fast.
pub fn crc32(bytes: &[u8]) -> u32 {
    // Made in a few microseconds: as constants they are 4 KB that no visitor's download can compress.
    let tables = crc_tables();
    let (words, rest) = bytes.as_chunks::<4>();
    let mut crc = !0;
    for word in words {
        let [a, b, c, d] = (crc ^ u32::from_le_bytes(*word)).to_le_bytes();
        crc = tables[3][a as usize]
            ^ tables[2][b as usize]
            ^ tables[1][c as usize]
            ^ tables[0][d as usize];
    }
    for &byte in rest {
        crc = crc >> 8 ^ tables[0][(crc as u8 ^ byte) as usize];
    }
    !crc
}

/// What each byte does to the checksum, and what it does one, two and three bytes later.
fn crc_tables() -> [[u32; 256]; 4] {
    let mut tables = [[0; 256]; 4];
    for (byte, entry) in (0_u32..).zip(&mut tables[0]) {
        *entry = (0..8)
            .fold(byte, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 });
    }
    for later in 1..4 {
        for byte in 0..256 {
            let crc = tables[later - 1][byte];
            tables[later][byte] = crc >> 8 ^ tables[0][(crc & 0xFF) as usize];
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_and_hashes_are_the_published_ones() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(fnv1a32(b"foobar"), 0xbf9c_f968);
        assert_eq!(fnv1a64(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(level_hash("  foobar "), 0xbf9c_f968);
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}

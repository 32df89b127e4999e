//! Packing the sealed halves of a subject's day, before they are encrypted: zstd with a dictionary of
//! the schema's own words. What is in the dictionary survives every erasure, so nothing of it may
//! ever come from traffic.

use crate::ArchiveError;
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// The words, version 1: never changed, only followed by others. They are the events of
/// `words-1.jsonl`, each as a block holds it, the most usual ones last.
const WORDS_1: &[u8] = include_bytes!("words-1.bin");
const LEVEL: i32 = 19;
/// A packed text says which words it was packed with.
const VERSION: u8 = 1;

thread_local! {
    /// Made once a thread: it costs more to make than to use.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Packs texts.
pub struct Packer(Compressor<'static>);

impl Packer {
    /// A packer, for many texts.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn new() -> Result<Self, ArchiveError> {
        let mut compressor = Compressor::with_dictionary(LEVEL, WORDS_1)?;
        // The seal knows better whether it is whole, and the length is in the frame.
        compressor.include_checksum(false)?;
        compressor.include_dictid(false)?;
        Ok(Self(compressor))
    }

    /// Packs a text.
    ///
    /// # Errors
    /// Where there is no memory for it.
    pub fn pack(&mut self, text: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let mut packed = vec![VERSION];
        packed.extend(self.0.compress(text)?);
        Ok(packed)
    }
}

/// What [`Packer::pack`] packed, where it is no longer than `most` bytes.
///
/// # Errors
/// Where it was not packed so.
pub fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>, ArchiveError> {
    let damaged = |why: String| ArchiveError::Damaged(why);
    match packed.split_first() {
        Some((&VERSION, frame)) => {
            let length = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten();
            let length = length.and_then(|length| usize::try_from(length).ok());
            let length = length.filter(|length| *length <= most);
            let length = length.ok_or_else(|| damaged("a block is longer than any".to_owned()))?;
            DECOMPRESSOR.with_borrow_mut(|kept| {
                let mut decompressor = match kept.take() {
                    Some(decompressor) => decompressor,
                    None => Decompressor::with_dictionary(WORDS_1)?,
                };
                let text = decompressor.decompress(frame, length)?;
                *kept = Some(decompressor);
                Ok(text)
            })
        }
        Some((version, _)) => {
            Err(damaged(format!("a block is packed in way {version}, which a newer release knows")))
        }
        None => Err(damaged("a block is empty".to_owned())),
    }
}

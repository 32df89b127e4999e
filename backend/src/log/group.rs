//! A journal's bytes: the head of the file, and groups one behind the other.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How a journal begins.
pub const MAGIC: [u8; 8] = *b"RPLOG\0\0\x01";
/// The last byte of [`MAGIC`]: a later release may write a later one.
pub const VERSION: u8 = 1;
/// Mark, length and checksum before a group.
pub const HEAD: u64 = 12;
const MARK: [u8; 4] = *b"RPG1";
/// No group is longer; a head that says so is damaged.
const MAX_GROUP: u64 = 1 << 30;
/// Who looks for the next whole group reads so much at once.
const WINDOW: usize = 1 << 16;

/// A group with what `fill` appends to its head.
pub fn write(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    bytes.extend_from_slice(&[0; HEAD as usize - MARK.len()]);
    fill(&mut bytes);
    let body = bytes.get(HEAD as usize..).unwrap_or_default();
    let (length, checksum) = (body.len() as u32, crc32fast::hash(body));
    if let Some(head) = bytes.get_mut(MARK.len()..HEAD as usize) {
        let (lower, upper) = head.split_at_mut(4);
        lower.copy_from_slice(&length.to_le_bytes());
        upper.copy_from_slice(&checksum.to_le_bytes());
    }
    bytes
}

/// Reads the group at `at` into `body`; answers where the next one begins, `None` where no whole
/// group stands before `end`.
pub fn read(file: &File, at: u64, end: u64, body: &mut Vec<u8>) -> io::Result<Option<u64>> {
    if at + HEAD > end {
        return Ok(None);
    }
    let mut head = [0; HEAD as usize];
    file.read_exact_at(&mut head, at)?;
    let [a, b, c, d, l0, l1, l2, l3, c0, c1, c2, c3] = head;
    let length = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
    if [a, b, c, d] != MARK || length > MAX_GROUP || at + HEAD + length > end {
        return Ok(None);
    }
    body.resize(length as usize, 0);
    file.read_exact_at(body, at + HEAD)?;
    let whole = crc32fast::hash(body) == u32::from_le_bytes([c0, c1, c2, c3]);
    Ok(whole.then_some(at + HEAD + length))
}

/// Where the next whole group begins, from `at` on.
pub fn next(file: &File, mut at: u64, end: u64) -> io::Result<Option<u64>> {
    let (mut window, mut body) = (vec![0; WINDOW], Vec::new());
    while at + HEAD <= end {
        let size = WINDOW.min((end - at) as usize);
        let bytes = window.get_mut(..size).unwrap_or_default();
        file.read_exact_at(bytes, at)?;
        for (index, four) in bytes.windows(MARK.len()).enumerate() {
            if four == MARK && read(file, at + index as u64, end, &mut body)?.is_some() {
                return Ok(Some(at + index as u64));
            }
        }
        // A mark may lie across two windows.
        at += (size - (MARK.len() - 1)) as u64;
    }
    Ok(None)
}

/// The version that a journal's first bytes say; `None` where they are not a journal's.
pub fn version(head: [u8; MAGIC.len()]) -> Option<u8> {
    let ((version, name), (_, ours)) = (head.split_last()?, MAGIC.split_last()?);
    (name == ours).then_some(*version)
}

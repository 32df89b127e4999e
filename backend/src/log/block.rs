//! A subject's day as one block: the sealed halves together, packed, then encrypted under the
//! subject's key. Packed together they say once what they have in common.

use super::{Draft, Offset, plain};
use crate::identity::{Scope, SubjectId};
use crate::seal::{Opener, SealBroken};
use rapport_archive::unpack;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A block is closed when its texts have this many bytes.
pub const FULL: usize = 1 << 20;
/// No block is longer: an event of half a megabyte may come last.
const MOST: usize = 4 << 20;

/// The sealed halves of a subject's envelopes.
pub struct Block {
    bound: Vec<u8>,
    sealed: Vec<u8>,
    /// Opened once, with the first of its envelopes.
    open: OnceLock<Option<Texts>>,
}

/// The texts of a block, and where each ends.
struct Texts {
    all: Vec<u8>,
    ends: Vec<u32>,
}

/// An envelope's place in a block.
#[derive(Clone)]
pub struct InBlock {
    block: Arc<Block>,
    index: usize,
}

impl Block {
    /// A block of a subject whose first envelope is at `first`.
    pub fn new(scope: Scope, subject: SubjectId, first: Offset, sealed: Vec<u8>) -> Arc<Self> {
        let bound = block_bound(scope, subject, first);
        Arc::new(Self { bound, sealed, open: OnceLock::new() })
    }
}

impl Texts {
    fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before));
        self.all.get(start.map_or(0, |before| *before as usize + 2)..end as usize)
    }
}

impl InBlock {
    /// The place of the envelope that is number `index` of the block, from 0.
    pub const fn new(block: Arc<Block>, index: usize) -> Self {
        Self { block, index }
    }

    /// The envelope's sealed half as it was before it was sealed.
    ///
    /// # Errors
    /// [`SealBroken`] where the block was changed or belongs elsewhere.
    pub fn open(&self, opener: &Opener, draft: &Draft) -> Result<Vec<u8>, SealBroken> {
        let opened = self.block.open.get_or_init(|| {
            let packed = opener.open(&self.block.bound, &self.block.sealed).ok()?;
            let all = unpack(&packed, MOST).ok()?;
            let ends = ends(&all);
            Some(Texts { all, ends })
        });
        let text = opened.as_ref().and_then(|texts| texts.get(self.index)).ok_or(SealBroken)?;
        Ok(lengthen(text, draft))
    }
}

impl PartialEq for InBlock {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && self.block.sealed == other.block.sealed
    }
}

impl Eq for InBlock {}

impl fmt::Debug for InBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "InBlock({} of {} bytes)", self.index, self.block.sealed.len())
    }
}

/// What a block is bound to: it opens only in its own workspace and environment, for its own subject
/// and at its own place.
pub fn block_bound(scope: Scope, subject: SubjectId, first: Offset) -> Vec<u8> {
    [b"rapport.log.block.1".as_slice(), &scope.to_bytes(), &subject.0, &first.0.to_be_bytes()]
        .concat()
}

/// The byte that begins what stands for something else; UTF-8 has none, and a number seldom.
const ESCAPE: u8 = 0xff;
/// Behind the escape: the escape itself, the end of a text, what the open half says, and numbers of
/// so many decimals. They are for good.
const ITSELF: u8 = 0;
const END: u8 = 1;
const SAID: [u8; 5] = [2, 3, 4, 5, 6];
const DECIMALS: [u8; 5] = [7, 8, 9, 10, 11];
/// Shorter texts are in a text by chance.
const SHORTEST: usize = 4;

/// What the open half says already, in the order of [`SAID`].
fn said(draft: &Draft) -> [Option<Vec<u8>>; 5] {
    let text = |text: &str| Some(text.as_bytes().to_vec()).filter(|text| text.len() >= SHORTEST);
    [
        text(&draft.message_id),
        draft.open.client_time.map(|time| crate::clock::iso(time).into_bytes()),
        draft.sent_at.map(|time| crate::clock::iso(time).into_bytes()),
        draft.open.path.as_deref().and_then(text),
        Some(draft.event_time.to_le_bytes().to_vec()),
    ]
}

/// Adds a sealed half to a block's texts, without what the open half says.
pub fn add(text: &[u8], draft: &Draft, texts: &mut Vec<u8>) {
    let said = said(draft);
    let numbers = plain::numbers(text);
    let mut numbers = numbers.iter().peekable();
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let at = text.len() - rest.len();
        while numbers.next_if(|number| **number < at).is_some() {}
        if numbers.next_if(|number| **number == at).is_some()
            && let Some((number, after)) = rest.split_first_chunk::<8>()
            && shorten(f64::from_le_bytes(*number), texts)
        {
            rest = after;
            continue;
        }
        let found = SAID.iter().zip(&said).find_map(|(mark, known)| {
            let known = known.as_deref()?;
            Some((*mark, rest.strip_prefix(known)?))
        });
        match found {
            Some((mark, after)) => {
                texts.extend([ESCAPE, mark]);
                rest = after;
            }
            None => {
                texts.push(*first);
                if *first == ESCAPE {
                    texts.push(ITSELF);
                }
                rest = behind;
            }
        }
    }
    texts.extend([ESCAPE, END]);
}

/// Where the texts of a block end.
fn ends(texts: &[u8]) -> Vec<u32> {
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(found) = texts.get(at..).and_then(escape) {
        let place = at + found;
        let mark = texts.get(place + 1);
        if mark == Some(&END) {
            ends.push(place as u32);
        }
        at = place + 2;
        if let Some(rest) = texts.get(at..)
            && DECIMALS.iter().any(|decimals| Some(decimals) == mark)
        {
            let mut behind = rest;
            unsigned(&mut behind);
            at += rest.len() - behind.len();
        }
    }
    ends
}

fn lengthen(text: &[u8], draft: &Draft) -> Vec<u8> {
    let said = said(draft);
    let mut long = Vec::with_capacity(text.len() + 128);
    let mut rest = text;
    while let Some(at) = escape(rest) {
        let (plain, marked) = rest.split_at(at);
        long.extend_from_slice(plain);
        let mark = marked.get(1);
        rest = marked.get(2..).unwrap_or_default();
        if let Some(decimals) = DECIMALS.iter().position(|decimals| Some(decimals) == mark) {
            long.extend(whole(unsigned(&mut rest), decimals).to_le_bytes());
            continue;
        }
        let known = SAID.iter().zip(&said).find(|(said, _)| Some(*said) == mark);
        match known {
            Some((_, known)) => long.extend_from_slice(known.as_deref().unwrap_or_default()),
            None => long.push(ESCAPE),
        }
    }
    long.extend_from_slice(rest);
    long
}

/// Writes a number as its decimals say it, where they say it to the bit: in seven-bit groups, the
/// sign first. A binary fraction such as 12.3 takes eight random bytes otherwise.
fn shorten(number: f64, texts: &mut Vec<u8>) -> bool {
    for (decimals, mark) in DECIMALS.iter().enumerate() {
        let scaled = (number * 10f64.powi(decimals as i32)).round();
        if scaled.abs() >= 1e15 {
            return false;
        }
        let folded = (scaled.abs() as u64) << 1 | u64::from(scaled < 0.0);
        if whole(folded, decimals).to_bits() == number.to_bits() {
            texts.extend([ESCAPE, *mark]);
            let mut rest = folded;
            while rest >= 1 << 7 {
                texts.push(rest as u8 | 1 << 7);
                rest >>= 7;
            }
            texts.push(rest as u8);
            return true;
        }
    }
    false
}

/// The number that [`shorten`] wrote.
fn whole(folded: u64, decimals: usize) -> f64 {
    let size = (folded >> 1) as f64 / 10f64.powi(decimals as i32);
    if folded & 1 == 1 { -size } else { size }
}

fn unsigned(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let Some((first, rest)) = bytes.split_first() else { break };
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}

fn escape(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == ESCAPE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::WorkspaceId;
    use crate::log::{Consent, Open, SCHEMA_VERSION, Sealed};

    #[test]
    fn what_the_open_half_says_is_left_out_and_put_back() {
        let open = Open {
            path: Some("/pricing".to_owned()),
            client_time: Some(1_780_000_000_123),
            ..Open::default()
        };
        let draft = Draft {
            scope: Scope::live(WorkspaceId::generate().unwrap()),
            message_id: "3d1b1e62-6e1c-4a0e-9a93-4f1c8d8d9a10".to_owned(),
            subject: SubjectId([1; 16]),
            event_time: -1,
            sent_at: None,
            received_at: 0,
            consent: Consent::ALL,
            schema_version: SCHEMA_VERSION,
            open,
            sealed: Sealed::default(),
        };
        let texts: [&[u8]; 5] = [
            b"{\"a\":\"/pricing/pricing\",\"at\":\"2026-05-28T20:26:40.123Z\"}",
            b"",
            b"\xff\x01\xff\xff\xff\x00\x02",
            &[255; 21],
            b"3d1b1e62-6e1c-4a0e-9a93-4f1c8d8d9a10\n",
        ];
        let mut block = Vec::new();
        texts.iter().for_each(|text| add(text, &draft, &mut block));
        assert!(block.len() < texts.concat().len());
        let ends = ends(&block);
        assert_eq!(ends.len(), texts.len());
        let split = Texts { all: block, ends };
        for (index, text) in texts.iter().enumerate() {
            assert_eq!(lengthen(split.get(index).unwrap(), &draft), *text);
        }
        assert_eq!(split.get(texts.len()), None);
    }
}

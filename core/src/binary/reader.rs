//! Reading untrusted bytes.

use super::crc32;

/// Reads little-endian values from untrusted bytes; nothing is allocated before the bytes for it
/// were seen.
///
/// Once it refused something it is empty: every number is 0 from then on, every text and row empty,
/// so that what reads goes on without asking, and asks once at the end. Asking at every reading
/// would be a third of the code that opens a bundle, which every visitor downloads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
    fault: Option<Fault>,
    /// How deep it is in structures that hold others of their kind.
    depth: u8,
}

/// The first thing that a reader refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub at: usize,
    pub what: Refused,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Refused {
    /// The bytes ended early.
    End,
    /// Text is not UTF-8.
    Text,
    /// The bytes make no sense, and why.
    Sense(&'static str),
}

impl Fault {
    pub(crate) fn what(self) -> &'static str {
        match self.what {
            Refused::End => "it ends early",
            Refused::Text => "its text is not UTF-8",
            Refused::Sense(what) => what,
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len(), fault: None, depth: 0 }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    /// Whether it refused something.
    pub(crate) const fn failed(&self) -> bool {
        self.fault.is_some()
    }

    /// What it refused, be it bytes that are left over.
    pub(crate) fn end(mut self) -> Result<(), Fault> {
        if !self.rest.is_empty() {
            self.invalid("bytes are left over");
        }
        self.fault.map_or(Ok(()), Err)
    }

    /// Refuses what makes no sense.
    pub(crate) fn invalid(&mut self, what: &'static str) {
        self.refuse(Refused::Sense(what));
    }

    /// Whether the checksum of all that follows comes next.
    #[inline(never)]
    pub(crate) fn proves_the_rest(&mut self) -> bool {
        let sum = self.u32();
        !self.failed() && crc32(self.rest) == sum
    }

    /// The next bytes; none where there are not as many.
    #[cfg_attr(target_arch = "wasm32", inline(never))] // small in pages, fast elsewhere
    #[cfg_attr(not(target_arch = "wasm32"), inline)]
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                taken
            }
            None => {
                self.refuse(Refused::End);
                &[]
            }
        }
    }

    pub(crate) fn u8(&mut self) -> u8 {
        self.number(1) as u8
    }

    pub(crate) fn u16(&mut self) -> u16 {
        self.number(2) as u16
    }

    pub(crate) fn u32(&mut self) -> u32 {
        self.number(4) as u32
    }

    pub(crate) fn i64(&mut self) -> i64 {
        self.number(8) as i64
    }

    pub(crate) fn f64(&mut self) -> f64 {
        f64::from_bits(self.number(8))
    }

    /// A whole number of at most eight bytes.
    #[cfg_attr(target_arch = "wasm32", inline(never))] // small in pages, fast elsewhere
    #[cfg_attr(not(target_arch = "wasm32"), inline)]
    pub(crate) fn number(&mut self, width: usize) -> u64 {
        // Where eight bytes are left, one load and a mask say what a loop over them would.
        if let Some((eight, _)) = self.rest.split_first_chunk::<8>()
            && let Some(rest) = self.rest.get(width..)
        {
            self.rest = rest;
            let mask = u64::MAX.checked_shr(64 - 8 * width as u32).unwrap_or(0);
            return u64::from_le_bytes(*eight) & mask;
        }
        whole(self.take(width))
    }

    /// A string of at most 255 bytes behind its length in one byte.
    pub(crate) fn short_str(&mut self) -> &'a str {
        self.text(1)
    }

    /// A string of at most 65,535 bytes behind its length in two bytes.
    pub(crate) fn long_str(&mut self) -> &'a str {
        self.text(2)
    }

    /// A string behind its length in four bytes.
    pub(crate) fn wide_str(&mut self) -> &'a str {
        self.text(4)
    }

    /// Goes into a structure that can hold others of its kind, unless that is too deep.
    pub(crate) fn enter(&mut self, most: u8) -> bool {
        if self.depth >= most {
            self.invalid("it nests too deep");
            return false;
        }
        self.depth += 1;
        true
    }

    /// Leaves the structure that it entered last.
    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// A count of things that take at least `least` bytes each.
    pub(crate) fn count(&mut self, least: usize) -> usize {
        let count = self.u32() as usize;
        if count.saturating_mul(least) <= self.rest.len() {
            return count;
        }
        self.refuse(Refused::End);
        0
    }

    /// A row of whole numbers of one or two bytes each.
    pub(crate) fn u16s(&mut self, count: usize, width: usize) -> Vec<u16> {
        self.row(count, width).map(|bits| bits as u16).collect()
    }

    /// A row of numbers of `width` bytes each, by what their bits say.
    pub(crate) fn f64s(&mut self, count: usize, width: usize, of: &dyn Fn(u64) -> f64) -> Vec<f64> {
        self.row(count, width).map(of).collect()
    }

    #[cfg_attr(target_arch = "wasm32", inline(never))] // small in pages, fast elsewhere
    #[cfg_attr(not(target_arch = "wasm32"), inline)]
    fn text(&mut self, width: usize) -> &'a str {
        let length = self.number(width) as usize;
        core::str::from_utf8(self.take(length)).unwrap_or_else(|_| {
            self.refuse(Refused::Text);
            ""
        })
    }

    fn row(&mut self, count: usize, width: usize) -> impl Iterator<Item = u64> {
        self.take(count.saturating_mul(width)).chunks_exact(width).map(whole)
    }

    #[inline(never)] // in half a hundred places
    fn refuse(&mut self, what: Refused) {
        // Pages tell no more than that something is refused; the reasons would be a kilobyte of them.
        let what = if cfg!(feature = "wire") { what } else { Refused::End };
        self.fault.get_or_insert(Fault { at: self.position(), what });
        self.rest = &[];
    }
}

/// The number that at most eight bytes make.
fn whole(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

//! Little-endian bytes, in and out.

use super::ModelError;

/// Reads from untrusted bytes; nothing is allocated before the bytes for it were seen. It keeps
/// why it stopped, so that each reading is a value or nothing: errors that every call carries
/// would be a tenth of the code that pages download.
pub struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
    fault: Option<ModelError>,
}

macro_rules! numbers {
    ($($one:ident $many:ident $number:ty;)*) => {
        #[allow(dead_code)] // not every format comes alone and in rows, both ways
        impl<'a> Reader<'a> {
            $(pub fn $one(&mut self) -> Option<$number> {
                self.array().map(<$number>::from_le_bytes)
            }
            pub fn $many(&mut self, count: usize) -> Option<Vec<$number>> {
                const SIZE: usize = size_of::<$number>();
                let bytes = self.take(count.saturating_mul(SIZE))?;
                Some(bytes.as_chunks::<SIZE>().0.iter().map(|&chunk| <$number>::from_le_bytes(chunk)).collect())
            })*
        }
        #[allow(dead_code)]
        impl Writer {
            $(pub fn $one(&mut self, number: $number) {
                self.0.extend_from_slice(&number.to_le_bytes());
            }
            pub fn $many(&mut self, numbers: &[$number]) {
                numbers.iter().for_each(|&number| self.$one(number));
            })*
        }
    };
}

numbers! {
    u8 u8s u8;
    u16 u16s u16;
    u32 u32s u32;
    i16 i16s i16;
    f32 f32s f32;
    f64 f64s f64;
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, length: bytes.len(), fault: None }
    }

    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Some(taken)
            }
            None => self.truncated(),
        }
    }

    /// A text with its length in bytes as `u16` in front.
    pub fn text(&mut self) -> Option<String> {
        let length = self.u16()?;
        let bytes = self.take(usize::from(length))?;
        match core::str::from_utf8(bytes) {
            Ok(text) => Some(text.to_owned()),
            Err(_) => self.refuse(ModelError::Text { at: self.position() }),
        }
    }

    /// A count of things that take at least one byte each.
    pub fn count(&mut self) -> Option<usize> {
        let count = self.u32()? as usize;
        if count > self.rest.len() { self.truncated() } else { Some(count) }
    }

    pub fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Stops at something that makes no sense.
    pub fn invalid<T>(&mut self, what: &'static str) -> Option<T> {
        // Pages tell no more than that a model is damaged; the sentences would be a kilobyte of them.
        let what = if cfg!(feature = "wire") { what } else { "" };
        self.refuse(ModelError::Invalid { at: self.position(), what })
    }

    pub fn refuse<T>(&mut self, fault: ModelError) -> Option<T> {
        self.fault.get_or_insert(fault);
        None
    }

    /// Why it stopped.
    pub fn fault(self) -> ModelError {
        let at = self.position();
        self.fault.unwrap_or(ModelError::Truncated { at })
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N).and_then(|bytes| bytes.first_chunk().copied())
    }

    fn truncated<T>(&mut self) -> Option<T> {
        self.refuse(ModelError::Truncated { at: self.position() })
    }
}

/// Writes a model's body.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A text of at most 65,535 bytes; the packer sees to that.
    pub fn text(&mut self, text: &str) {
        self.u16(text.len() as u16);
        self.bytes(text.as_bytes());
    }
}

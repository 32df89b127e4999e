//! Structures whose bytes are those of their members, one behind the other.

use super::Reader;

/// Structures nest at most this deep in themselves.
const MAX_DEPTH: u8 = 48;

/// Something that is written as its members are, in their order.
pub(crate) trait Packed: Sized {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>);
    fn unpack(reader: &mut Reader<'_>) -> Self;
}

/// Implements [`Packed`] for a structure by its members.
macro_rules! packed_members {
    ($($kind:ident { $($member:ident),+ })+) => { $(
        impl $crate::binary::Packed for $kind {
            #[cfg(feature = "wire")]
            fn pack(&self, out: &mut Vec<u8>) {
                $( $crate::binary::Packed::pack(&self.$member, out); )+
            }

            fn unpack(reader: &mut $crate::binary::Reader<'_>) -> Self {
                // Members are read in the order in which they are written here.
                $( let $member = $crate::binary::Packed::unpack(reader); )+
                Self { $($member),+ }
            }
        }
    )+ };
}
pub(crate) use packed_members;

/// A structure that can hold others of its kind; what nests too deep is refused.
pub(crate) fn nested<'a, T>(
    reader: &mut Reader<'a>,
    instead: impl FnOnce() -> T,
    read: impl FnOnce(&mut Reader<'a>) -> T,
) -> T {
    if reader.enter(MAX_DEPTH) {
        let read = read(reader);
        reader.leave();
        read
    } else {
        instead()
    }
}

macro_rules! packed_numbers {
    ($($kind:ty: $bytes:literal),+) => { $(
        impl Packed for $kind {
            #[cfg(feature = "wire")]
            fn pack(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn unpack(reader: &mut Reader<'_>) -> Self {
                reader.number($bytes) as $kind
            }
        }
    )+ };
}
packed_numbers!(u8: 1, u16: 2, u32: 4, i64: 8);

impl Packed for f64 {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        reader.f64()
    }
}

impl Packed for bool {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        match reader.u8() {
            0 => false,
            1 => true,
            _ => {
                reader.invalid("a truth is neither 0 nor 1");
                false
            }
        }
    }
}

impl Packed for Box<str> {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        (self.len() as u32).pack(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        reader.wide_str().into()
    }
}

impl Packed for String {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        (self.len() as u32).pack(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        reader.wide_str().to_owned()
    }
}

impl<T: Packed> Packed for Vec<T> {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        (self.len() as u32).pack(out);
        self.iter().for_each(|item| item.pack(out));
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        // Nothing is allocated for items whose bytes were not seen.
        let count = reader.count(1);
        let mut items = Vec::new();
        for _ in 0..count {
            if reader.failed() {
                break;
            }
            items.push(T::unpack(reader));
        }
        items
    }
}

impl<T: Packed> Packed for Option<T> {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        self.is_some().pack(out);
        self.iter().for_each(|item| item.pack(out));
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        bool::unpack(reader).then(|| T::unpack(reader))
    }
}

impl<T: Packed> Packed for Box<T> {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        (**self).pack(out);
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        Self::new(T::unpack(reader))
    }
}

impl<A: Packed, B: Packed> Packed for (A, B) {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
        self.1.pack(out);
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        (A::unpack(reader), B::unpack(reader))
    }
}

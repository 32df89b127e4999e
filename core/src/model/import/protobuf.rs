//! As much of the Protocol Buffers wire format as reading an ONNX file takes.

/// The fields of one message, in order.
pub struct Message<'a>(&'a [u8]);

/// One field: its number and what it holds.
pub struct Field<'a> {
    pub number: u64,
    pub value: Value<'a>,
}

#[derive(Clone, Copy)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(&'a [u8]),
}

impl<'a> Message<'a> {
    pub fn new(bytes: &'a [u8]) -> Message<'a> {
        Message(bytes)
    }

    /// All fields, or nothing where the bytes are no message.
    pub fn fields(self) -> Option<Vec<Field<'a>>> {
        self.collect()
    }
}

/// Field by field; `None` inside where the bytes go on as no message.
impl<'a> Iterator for Message<'a> {
    type Item = Option<Field<'a>>;

    fn next(&mut self) -> Option<Option<Field<'a>>> {
        if self.0.is_empty() { None } else { Some(self.field()) }
    }
}

impl<'a> Message<'a> {
    fn field(&mut self) -> Option<Field<'a>> {
        let key = varint(&mut self.0)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.0)?),
            1 => Value::Fixed64(array(&mut self.0)?),
            2 => {
                let length = usize::try_from(varint(&mut self.0)?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(array(&mut self.0)?),
            _ => return None,
        };
        Some(Field { number: key >> 3, value })
    }
}

impl<'a> Value<'a> {
    pub fn bytes(self) -> &'a [u8] {
        if let Value::Bytes(bytes) = self { bytes } else { &[] }
    }

    pub fn text(self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// One integer, or a packed row of them.
    pub fn integers(self) -> Vec<i64> {
        match self {
            Value::Varint(number) => vec![number as i64],
            Value::Bytes(mut bytes) => {
                core::iter::from_fn(|| varint(&mut bytes)).map(|number| number as i64).collect()
            }
            _ => Vec::new(),
        }
    }

    /// One `float`, or a packed row of them.
    pub fn floats(self) -> Vec<f32> {
        match self {
            Value::Fixed32(bytes) => vec![f32::from_le_bytes(bytes)],
            Value::Bytes(bytes) => {
                bytes.as_chunks().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// One `double`, or a packed row of them.
    pub fn doubles(self) -> Vec<f64> {
        match self {
            Value::Fixed64(bytes) => vec![f64::from_le_bytes(bytes)],
            Value::Bytes(bytes) => {
                bytes.as_chunks().0.iter().map(|&chunk| f64::from_le_bytes(chunk)).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*array)
}

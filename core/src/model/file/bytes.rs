//! Little-endian bytes, out.

/// Writes a model's body.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub fn u16(&mut self, number: u16) {
        self.bytes(&number.to_le_bytes());
    }

    pub fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    pub fn f64(&mut self, number: f64) {
        self.bytes(&number.to_le_bytes());
    }

    pub fn u16s(&mut self, numbers: &[u16]) {
        numbers.iter().for_each(|&number| self.u16(number));
    }

    pub fn f64s(&mut self, numbers: &[f64]) {
        numbers.iter().for_each(|&number| self.f64(number));
    }

    /// A text of at most 65,535 bytes; the packer sees to that.
    pub fn text(&mut self, text: &str) {
        self.u16(text.len() as u16);
        self.bytes(text.as_bytes());
    }
}

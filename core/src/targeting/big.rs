//! Whole numbers of any size: what reading and writing decimals exactly takes, in little code.

use core::cmp::Ordering;

/// A whole number, lowest 32 bits first, without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Big(Vec<u32>);

impl Big {
    pub fn new(number: u64) -> Self {
        let mut big = Self(vec![number as u32, (number >> 32) as u32]);
        big.trim();
        big
    }

    pub const fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Times `factor`, plus `addend`.
    pub fn take_in(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.0 {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    /// Times `base` to the power of `times`.
    pub fn times(mut self, base: u32, times: u32) -> Self {
        (0..times).for_each(|_| self.take_in(base, 0));
        self
    }

    /// Divides by 10 and answers with the remainder.
    pub fn tenth(&mut self) -> u8 {
        let mut rest = 0;
        for limb in self.0.iter_mut().rev() {
            rest = rest << 32 | u64::from(*limb);
            *limb = (rest / 10) as u32;
            rest %= 10;
        }
        self.trim();
        rest as u8
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Big {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.0.len().cmp(&other.0.len());
        length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

//! How a split's cover is kept: the share of the smaller side in half precision, so that rare
//! branches keep their relative weight.

/// The part of a node's training weight that went left, in 16 bits: bit 15 says that the right
/// side is the smaller one; the rest is the smaller side's share, times 65,536, as a positive half-precision float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub u16);

const SMALLER_IS_RIGHT: u16 = 0x8000;
/// A share of one half.
const EQUAL: u16 = 0x7800;
/// 2⁹⁶: the exponents of single and half precision are 112 apart, and shares are kept times 2¹⁶.
const REBASE: f32 = f32::from_bits((127 + 96) << 23);

impl Share {
    /// Of two positive weights; never 0 nor 1.
    pub fn of(left: f64, right: f64) -> Share {
        let share = (left.min(right) / (left + right)) as f32;
        let bits = (share / REBASE).to_bits();
        let half = ((bits + 0xFFF + (bits >> 13 & 1)) >> 13) as u16;
        let side = if right < left && half != EQUAL { SMALLER_IS_RIGHT } else { 0 };
        Share(half.max(1) | side)
    }

    /// Whether the bits are a share in `0 < share <= 1/2`.
    pub fn is_valid(self) -> bool {
        (1..=EQUAL).contains(&(self.0 & !SMALLER_IS_RIGHT))
    }

    /// The shares of the left and of the right side.
    pub fn sides(self) -> [f64; 2] {
        let smaller =
            f64::from(f32::from_bits(u32::from(self.0 & !SMALLER_IS_RIGHT) << 13) * REBASE);
        if self.0 & SMALLER_IS_RIGHT == 0 {
            [smaller, 1.0 - smaller]
        } else {
            [1.0 - smaller, smaller]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn every_share_is_kept_to_three_digits_and_packs_to_the_same_bits_again() {
        for weight in 1..60_000u32 {
            let (left, right) = (f64::from(weight), 60_000.5 - f64::from(weight));
            let share = Share::of(left, right);
            let [l, r] = share.sides();
            assert!((l / (left / 60_000.5) - 1.0).abs() < 1e-3, "{left}: {l}");
            assert!((r / (right / 60_000.5) - 1.0).abs() < 1e-3, "{right}: {r}");
            assert!(share.is_valid());
            assert_eq!(Share::of(l * 0.3, r * 0.3), share);
        }
    }

    #[test]
    fn a_vanishing_side_keeps_the_smallest_share() {
        assert_eq!(Share::of(1e-300, 1.0).sides()[0], 2f64.powi(-40));
        assert!(Share::of(1.0, 1e-300).is_valid());
    }
}

//! Powers of two for signals that halve: exact for whole half-lives, and correctly rounded in all
//! but two of a thousand other cases. The usual tables are 4 KB that no visitor's download can
//! compress; a few products carried in two numbers each do as well.

/// `2^exponent`; 0 below `2^-1022`.
pub(super) fn power_of_two(exponent: f64) -> f64 {
    if exponent < -1022.0 {
        return 0.0;
    }
    let whole = libm::floor(exponent.min(1023.0) + 0.5);
    // ln 2 in two numbers, times what is left: e^(high + low), with |high| below 0.35.
    let rest = exponent - whole;
    let (high, low) = product(rest, core::f64::consts::LN_2);
    let low = low + rest * 2.319_046_813_846_299_6e-17;
    let (square, square_low) = product(high, high);
    // From the cube on, one number is precise enough.
    let tail = (4..=14).rev().fold(1.0, |tail, n| 1.0 + tail * high / f64::from(n));
    let tail = tail * high * high * high / 6.0;
    let (sum, first) = add(1.0, high);
    let (sum, second) = add(sum, square / 2.0);
    let power = sum + (first + (second + (square_low / 2.0 + (tail + (low + low * high)))));
    power * f64::from_bits(((whole + 1023.0) as u64) << 52)
}

/// A product, and what rounding took from it (Dekker, 1971).
fn product(a: f64, b: f64) -> (f64, f64) {
    let split = |x: f64| {
        let scaled = 134_217_729.0 * x;
        let high = scaled - (scaled - x);
        (high, x - high)
    };
    let ((ah, al), (bh, bl)) = (split(a), split(b));
    let rounded = a * b;
    (rounded, ((ah * bh - rounded) + ah * bl + al * bh) + al * bl)
}

/// A sum, and what rounding took from it (Knuth).
fn add(a: f64, b: f64) -> (f64, f64) {
    let rounded = a + b;
    let part = rounded - a;
    (rounded, (a - (rounded - part)) + (b - part))
}

#[cfg(test)]
mod tests {
    use super::power_of_two;

    #[test]
    fn whole_exponents_are_exact() {
        for exponent in -1022..=1023 {
            let exact = f64::from_bits(((exponent + 1023) as u64) << 52);
            assert_eq!(power_of_two(f64::from(exponent)), exact);
        }
        assert_eq!(power_of_two(-1e9), 0.0);
    }

    #[test]
    fn others_are_as_near_as_the_library_gets() {
        let mut differ = 0;
        for step in 0..20_000 {
            let exponent = -f64::from(step) * 0.003_701;
            let (ours, theirs) = (power_of_two(exponent), libm::exp2(exponent));
            assert!((ours - theirs).abs() <= theirs * f64::EPSILON, "{exponent}");
            differ += u32::from(ours != theirs);
        }
        assert!(differ < 300, "{differ}");
    }
}

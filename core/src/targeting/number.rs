//! Numbers as JavaScript writes and reads them.
//!
//! Exactly, and in little code: what the standard library does faster takes tables that are larger than
//! all else that decides.

use super::big::Big;
use core::cmp::Ordering;

/// Below it whole numbers, and products with exact powers of ten, are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;
const EXACT_DIGITS: usize = 15;
const EXACT_POWER: i32 = 22;
/// What JavaScript takes for white space.
const SPACE: &[char] = &[
    '\t', '\n', '\u{b}', '\u{c}', '\r', ' ', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2001}',
    '\u{2002}', '\u{2003}', '\u{2004}', '\u{2005}', '\u{2006}', '\u{2007}', '\u{2008}', '\u{2009}',
    '\u{200a}', '\u{2028}', '\u{2029}', '\u{202f}', '\u{205f}', '\u{3000}', '\u{feff}',
];
/// Beyond these powers of ten everything is infinite, or nothing.
const LARGEST: i32 = 310;
const SMALLEST: i32 = -326;

/// `Number(text)`; NaN where the text is no number.
pub fn parse(text: &str) -> f64 {
    let text = text.trim_matches(SPACE);
    match text.as_bytes() {
        [] => 0.0,
        [b'0', b'x' | b'X', digits @ ..] => whole(digits, 16),
        [b'0', b'o' | b'O', digits @ ..] => whole(digits, 8),
        [b'0', b'b' | b'B', digits @ ..] => whole(digits, 2),
        [b'-', digits @ ..] => -unsigned(digits),
        [b'+', digits @ ..] | digits => unsigned(digits),
    }
}

fn whole(digits: &[u8], radix: u32) -> f64 {
    if digits.is_empty() {
        return f64::NAN;
    }
    digits.iter().fold(0.0, |number, &digit| {
        let digit = char::from(digit).to_digit(radix);
        number * f64::from(radix) + digit.map_or(f64::NAN, f64::from)
    })
}

fn unsigned(text: &[u8]) -> f64 {
    if text == b"Infinity" {
        return f64::INFINITY;
    }
    let (mut digits, mut power, mut fraction, mut any) = (Vec::new(), 0, false, false);
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        match byte {
            b'0'..=b'9' => {
                any = true;
                if !(digits.is_empty() && byte == b'0') {
                    digits.push(byte - b'0');
                }
                power -= i32::from(fraction);
            }
            b'.' if !fraction => fraction = true,
            b'e' | b'E' if any => match exponent(rest.as_slice()) {
                Some(exponent) => {
                    power += exponent;
                    break;
                }
                None => return f64::NAN,
            },
            _ => return f64::NAN,
        }
    }
    if any { nearest(&digits, power) } else { f64::NAN }
}

fn exponent(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] | digits => (1, digits),
    };
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let number = |number: i32, digit: &u8| (number * 10 + i32::from(digit - b'0')).min(100_000);
    all.then(|| sign * digits.iter().fold(0, number))
}

/// The number nearest to the digits times a power of ten; of two equally near ones the even one. From
/// an estimate on, neighbours are compared exactly (W. Clinger, *How to Read Floating Point Numbers
/// Accurately*, PLDI 1990).
fn nearest(digits: &[u8], power: i32) -> f64 {
    let size = digits.len() as i32 + power;
    if digits.is_empty() || size < SMALLEST {
        return 0.0;
    }
    if size > LARGEST {
        return f64::INFINITY;
    }
    let head = digits.iter().take(EXACT_DIGITS);
    let left_out = digits.len().saturating_sub(EXACT_DIGITS) as i32;
    let short = head.fold(0.0, |number, &digit| number * 10.0 + f64::from(digit));
    let estimate = scaled(short, power + left_out);
    if left_out == 0 && power.abs() <= EXACT_POWER {
        return estimate;
    }
    let mut decimal = Big::default();
    digits.iter().for_each(|&digit| decimal.take_in(10, u32::from(digit)));
    let mut number = estimate.min(f64::MAX);
    loop {
        let (mantissa, exponent) = parts(number);
        match against(&decimal, power, 2 * mantissa + 1, exponent - 1) {
            Ordering::Less => {}
            Ordering::Equal if mantissa % 2 == 0 => return number,
            Ordering::Equal => return number.next_up(),
            Ordering::Greater => {
                number = number.next_up();
                if number.is_infinite() {
                    return number;
                }
                continue;
            }
        }
        if number == 0.0 {
            return number;
        }
        let below = number.next_down();
        let (lower, exponent) = parts(below);
        match against(&decimal, power, 2 * lower + 1, exponent - 1) {
            Ordering::Greater => return number,
            Ordering::Equal if mantissa % 2 == 0 => return number,
            Ordering::Equal => return below,
            Ordering::Less => number = below,
        }
    }
}

/// Exact where number and power are small; near otherwise.
fn scaled(mut number: f64, power: i32) -> f64 {
    // Up to 10²² they are exact.
    let ten = (0..power.abs().min(EXACT_POWER)).fold(1.0, |ten, _| ten * 10.0);
    number = if power < 0 { number / ten } else { number * ten };
    (EXACT_POWER..power.abs()).for_each(|_| {
        number = if power < 0 { number / 10.0 } else { number * 10.0 };
    });
    number
}

/// A finite number as a whole number times a power of two.
const fn parts(number: f64) -> (u64, i32) {
    let bits = number.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
    if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) }
}

/// How `decimal` · 10^`power` stands to `mantissa` · 2^`exponent`.
fn against(decimal: &Big, power: i32, mantissa: u64, exponent: i32) -> Ordering {
    let up = |power: i32| power.max(0).unsigned_abs();
    let left = decimal.clone().times(10, up(power)).times(2, up(-exponent));
    let right = Big::new(mantissa).times(10, up(-power)).times(2, up(exponent));
    left.cmp(&right)
}

/// `String(number)`: the shortest decimal that reads back as the number, and of those the nearest.
pub fn text(number: f64) -> String {
    let mut out = String::new();
    if number < 0.0 {
        out.push('-');
    }
    let number = number.abs();
    if number.is_nan() {
        out.push_str("NaN");
    } else if number.is_infinite() {
        out.push_str("Infinity");
    } else if number < EXACT && libm::trunc(number) == number {
        put_whole(&mut out, number as u64);
    } else {
        let (digits, point) = shortest(number);
        place(&mut out, &digits, point);
    }
    out
}

/// Appends a whole number.
pub fn put_whole(out: &mut String, number: u64) {
    digits(number, &mut [0; 20]).iter().for_each(|&digit| out.push(char::from(digit)));
}

/// The decimal digits of a whole number, written into `room`.
pub fn digits(mut number: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut at = room.len();
    loop {
        at -= 1;
        if let Some(digit) = room.get_mut(at) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 || at == 0 {
            return room.get(at..).unwrap_or_default();
        }
    }
}

/// The digits of the shortest decimal, and where its point stands behind the first of them.
fn shortest(number: f64) -> (Vec<u8>, i32) {
    let exact = exact(number);
    let point = exact.1 + exact.0.len() as i32;
    for length in 1..17 {
        let (digits, carried) = rounded(&exact.0, length);
        let point = point + i32::from(carried);
        if nearest(&digits, point - digits.len() as i32) == number {
            return (digits, point);
        }
    }
    let (digits, carried) = rounded(&exact.0, 17);
    (digits, point + i32::from(carried))
}

/// All digits of a number, and the power of ten that they are to be taken by.
fn exact(number: f64) -> (Vec<u8>, i32) {
    let (mantissa, exponent) = parts(number);
    // m · 2⁻ᵏ is m · 5ᵏ · 10⁻ᵏ.
    let base = if exponent < 0 { 5 } else { 2 };
    let mut whole = Big::new(mantissa).times(base, exponent.unsigned_abs());
    let mut digits = Vec::new();
    while !whole.is_zero() {
        digits.push(whole.tenth());
    }
    digits.reverse();
    (digits, exponent.min(0))
}

/// The first digits, rounded and without zeros at the end; and whether there is one more before them.
fn rounded(digits: &[u8], length: usize) -> (Vec<u8>, bool) {
    let mut kept: Vec<u8> = digits.iter().copied().take(length).collect();
    let mut rest = digits.iter().skip(length);
    let first = rest.next().copied().unwrap_or_default();
    let odd = kept.last().is_some_and(|digit| digit % 2 == 1);
    let up = first > 5 || first == 5 && (odd || rest.any(|&digit| digit > 0));
    let mut carry = up;
    if carry {
        for digit in kept.iter_mut().rev() {
            *digit = (*digit + 1) % 10;
            carry = *digit == 0;
            if !carry {
                break;
            }
        }
    }
    if carry {
        kept.insert(0, 1);
    }
    while kept.last() == Some(&0) {
        kept.pop();
    }
    (kept, carry)
}

/// Lays digits out as ECMAScript's Number::toString does.
fn place(out: &mut String, digits: &[u8], point: i32) {
    let count = digits.len() as i32;
    let scientific = !(-5..=21).contains(&point);
    let mut put = |byte: u8| out.push(char::from(byte));
    if !scientific && point <= 0 {
        b"0.".iter().for_each(|&byte| put(byte));
        (point..0).for_each(|_| put(b'0'));
    }
    let dot = if scientific { 1 } else { point };
    for (at, digit) in (0..).zip(digits) {
        if at == dot && at > 0 {
            put(b'.');
        }
        put(b'0' + digit);
    }
    if scientific {
        out.push_str(if point < 1 { "e-" } else { "e+" });
        put_whole(out, u64::from((point - 1).unsigned_abs()));
    } else {
        (count..point).for_each(|_| put(b'0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        for (number, written) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1e21, "1e+21"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.25e-9, "1.25e-9"),
            (-2.5, "-2.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (9.5e-7, "9.5e-7"),
            (99_999.999, "99999.999"),
        ] {
            assert_eq!(text(number), written);
        }
    }

    #[test]
    fn texts_are_read_as_javascript_reads_them() {
        for (text, number) in [
            ("", 0.0),
            (" \u{FEFF}\n7\t", 7.0),
            ("0x1F", 31.0),
            ("0b101", 5.0),
            ("-Infinity", f64::NEG_INFINITY),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("+3", 3.0),
            ("1e400", f64::INFINITY),
            ("1e-400", 0.0),
            ("1e99999999999", f64::INFINITY),
            ("2.2250738585072011e-308", 2.225_073_858_507_201e-308),
            ("0.000000000000000000000000000001e30", 1.0),
        ] {
            assert_eq!(parse(text), number, "{text}");
        }
        for text in [
            "x", "1 2", "inf", "NaN", "0x", "-0x1", "1_000", ".", "e5", "infinity", "--1", "1e",
            "1e+", "1.2.3",
        ] {
            assert!(parse(text).is_nan(), "{text}");
        }
    }

    #[test]
    fn any_number_is_read_and_written_as_the_standard_library_does() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..300 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let number = f64::from_bits(if round % 3 == 0 { seed >> 12 } else { seed }).abs();
            if !number.is_finite() {
                continue;
            }
            assert_eq!(parse(&text(number)), number);
            let written = format!("{number:e}");
            assert_eq!(parse(&written), number, "{written}");
            let digits = |text: &str| -> String {
                let head = text.split('e').next().unwrap_or_default();
                head.chars().filter(char::is_ascii_digit).collect::<String>()
            };
            let trimmed = |text: String| text.trim_matches('0').to_owned();
            assert_eq!(trimmed(digits(&text(number))), trimmed(digits(&written)), "{written}");
            // Digits that no number has: just above and below what lies between two.
            let long = format!("{number:.40e}");
            assert_eq!(parse(&long), long.parse::<f64>().unwrap(), "{long}");
        }
    }
}

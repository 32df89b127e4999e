//! Numbers with and without thousands marks, currency signs and per cent.

/// The mark between whole and fraction; the other of the two may group thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DecimalMark {
    #[default]
    Point,
    Comma,
}

/// The number that `text` writes, held within what `f32` can express; nothing where it writes none.
#[must_use]
pub fn number(text: &str, mark: DecimalMark) -> Option<f64> {
    let text = text.trim();
    // What programs write, read the short way.
    if mark == DecimalMark::Point
        && let Ok(value) = text.parse::<f64>()
    {
        return held(value);
    }
    let bare = text.trim_matches(|c: char| "€$£¥% \u{a0}\u{202f}".contains(c));
    let (negative, digits) = match bare.strip_prefix(['-', '−', '+']) {
        Some(rest) => (!bare.starts_with('+'), rest),
        None => (false, bare),
    };
    let digits = digits.trim_start_matches(|c: char| "€$£¥ \u{a0}\u{202f}".contains(c));
    let (point, groups) = match mark {
        DecimalMark::Point => ('.', ','),
        DecimalMark::Comma => (',', '.'),
    };
    let (whole, fraction) = digits.split_once(point).unwrap_or((digits, ""));
    let mut plain = ungroup(whole, groups)?;
    if !fraction.is_empty() || digits.ends_with(point) {
        let tail = fraction.split(['e', 'E']).next().unwrap_or("");
        if !tail.bytes().all(|byte| byte.is_ascii_digit()) || fraction.contains(groups) {
            return None;
        }
        plain.push('.');
        plain.push_str(fraction);
    }
    let value: f64 = plain.parse().ok()?;
    held(if negative { -value } else { value })
}

/// Digits in groups of three, the first group one to three digits and not a lone zero.
fn ungroup(whole: &str, mark: char) -> Option<String> {
    let marks = [mark, ' ', '\'', '’', '\u{a0}', '\u{202f}'];
    let groups: Vec<&str> = whole.split(marks).collect();
    let first = groups.first()?;
    let plain = groups.len() == 1;
    let grouped = (1..=3).contains(&first.len())
        && *first != "0"
        && groups.iter().skip(1).all(|group| group.len() == 3);
    let starts_with_digit =
        first.starts_with(|c: char| c.is_ascii_digit()) || (plain && first.is_empty());
    if !(plain || grouped) || !starts_with_digit {
        return None;
    }
    let digits = groups.concat();
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (plain && matches!(byte, b'e' | b'E' | b'-' | b'+')))
        .then_some(digits)
}

fn held(value: f64) -> Option<f64> {
    (!value.is_nan()).then(|| value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)))
}

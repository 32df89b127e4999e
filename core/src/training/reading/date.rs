//! Dates in the forms that exports use.

/// Which comes first where a date is written with numbers and the year last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateOrder {
    #[default]
    DayFirst,
    MonthFirst,
}

/// Days since 1970-01-01, the time of day as a fraction; nothing where `text` is no date. Years 1900 to 2200.
#[must_use]
pub fn days(text: &str, order: DateOrder) -> Option<f64> {
    let text = text.trim();
    if text.len() < 8 || text.len() > 40 || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (date, time) = split_time(text);
    let parts: Vec<&str> =
        date.split(['-', '/', '.', ' ', ',']).filter(|part| !part.is_empty()).collect();
    let &[a, b, c] = parts.as_slice() else { return None };
    let (year, month, day) = match (a.len(), month_name(a), month_name(b)) {
        (4, None, _) => (whole(a)?, month_name(b).or_else(|| whole(b))?, whole(c)?),
        (_, Some(month), _) => (whole(c)?, month, whole(b)?),
        (_, _, Some(month)) => (whole(c)?, month, whole(a)?),
        _ if c.len() == 4 => match order {
            DateOrder::DayFirst => (whole(c)?, whole(b)?, whole(a)?),
            DateOrder::MonthFirst => (whole(c)?, whole(a)?, whole(b)?),
        },
        _ => return None,
    };
    let civil = days_from_civil(year, month, day)?;
    Some(f64::from(civil) + time.map_or(Some(0.0), day_fraction)?)
}

/// Date and time of day, parted by `T` or by the white space before `hh:mm`.
fn split_time(text: &str) -> (&str, Option<&str>) {
    let Some(colon) = text.find(':') else { return (text, None) };
    let head = &text[..colon];
    let Some(at) = head.rfind(|c: char| c == 'T' || c.is_whitespace()) else { return (text, None) };
    (text[..at].trim_end_matches(','), text.get(at + 1..))
}

/// `hh:mm[:ss[.fraction]]`, with `am` or `pm`, `Z` or an offset, which moves the instant to UTC.
fn day_fraction(time: &str) -> Option<f64> {
    let mut time = time.trim().trim_end_matches(['Z', 'z']).trim();
    let mut offset = 0.0;
    let zone = time.rfind(['+', '-']).filter(|&at| at >= 4);
    if let Some(at) = zone {
        let (sign, digits) =
            (if time[at..].starts_with('-') { -1.0 } else { 1.0 }, time[at + 1..].replace(':', ""));
        let (hours, minutes) =
            (digits.get(..2)?, digits.get(2..).filter(|rest| !rest.is_empty()).unwrap_or("0"));
        offset = sign * (f64::from(whole(hours)?) / 24.0 + f64::from(whole(minutes)?) / 1440.0);
        time = time[..at].trim();
    }
    let lower = time.to_ascii_lowercase();
    let noon = lower.ends_with("pm");
    let twelve = noon || lower.ends_with("am");
    let clock = if twelve { lower.get(..lower.len() - 2)?.trim() } else { lower.as_str() };
    let mut parts = clock.split(':');
    let mut hour = whole(parts.next()?.trim())?;
    if twelve {
        hour = hour % 12 + if noon { 12 } else { 0 };
    }
    let minute = whole(parts.next()?)?;
    let second: f64 = parts.next().map_or(Some(0.0), |part| part.replace(',', ".").parse().ok())?;
    if hour > 24 || minute > 59 || !(0.0..61.0).contains(&second) || parts.next().is_some() {
        return None;
    }
    Some((f64::from(hour) * 3600.0 + f64::from(minute) * 60.0 + second) / 86_400.0 - offset)
}

fn month_name(text: &str) -> Option<i32> {
    const NAMES: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let lower = text.get(..3)?.to_ascii_lowercase();
    (text.len() <= 9)
        .then(|| NAMES.iter().position(|name| *name == lower).map(|at| at as i32 + 1))?
}

fn whole(text: &str) -> Option<i32> {
    (text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days_from_civil(year: i32, month: i32, day: i32) -> Option<i32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1900..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=last).contains(&day) {
        return None;
    }
    let year = year - i32::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

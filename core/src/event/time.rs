//! The one rule about whose clock counts.

/// Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Millis {
    pub const SECOND: i64 = 1_000;
    pub const MINUTE: i64 = 60_000;
    pub const HOUR: i64 = 3_600_000;
    pub const DAY: i64 = 86_400_000;

    /// Milliseconds from `earlier` to this instant; 0 where the clock ran backwards.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0).max(0)
    }

    /// This instant, `millis` later.
    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

impl Millis {
    /// Reads ISO 8601 with a date, a time and `Z` or an offset; without a zone it is UTC.
    /// `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, rest) = text.split_at_checked(10)?;
        let days = parse_date(date)?;
        let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
            return rest.is_empty().then_some(Self(days * Self::DAY));
        };
        let zone = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
        let (clock, zone) = rest.split_at_checked(zone)?;
        Some(Self(days * Self::DAY + parse_clock(clock)? - parse_zone(zone)?))
    }
}

/// `YYYY-MM-DD` as days since 1970-01-01, in the proleptic Gregorian calendar.
fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if parts.next().is_some() || !(1..=longest).contains(&day) {
        return None;
    }
    // Years that start in March put the leap day last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(
        365 * year + year.div_euclid(4) - year.div_euclid(100)
            + year.div_euclid(400)
            + (153 * month + 2) / 5
            + day
            - 719_469,
    )
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction` as milliseconds.
fn parse_clock(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = parts.next().map_or(Some(0), |part| digits(part, 2))?;
    let fraction = fraction
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(fraction)
        .filter(|text| !text.is_empty())?;
    let millis = fraction
        .bytes()
        .chain(*b"000")
        .take(3)
        .fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'));
    let fits = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    fits.then_some(hour * Millis::HOUR + minute * Millis::MINUTE + second * Millis::SECOND + millis)
}

/// Nothing, `Z`, `+HH:MM`, `+HHMM` or `+HH` as milliseconds east of UTC.
fn parse_zone(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first() {
        None | Some(b'Z' | b'z') => return (text.len() <= 1).then_some(0),
        Some(b'-') => (-1, text.get(1..)?),
        _ => (1, text.get(1..)?),
    };
    let (hour, minute) = rest.split_at_checked(2)?;
    let minute = minute.strip_prefix(':').unwrap_or(minute);
    let minute = if minute.is_empty() { 0 } else { digits(minute, 2)? };
    let hour = digits(hour, 2)?;
    (hour < 24 && minute < 60).then_some(sign * (hour * Millis::HOUR + minute * Millis::MINUTE))
}

fn digits(text: &str, len: usize) -> Option<i64> {
    let plain = text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.bytes().fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0')))
}

/// When an event happened, by the receiver's clock: `received − (sent − client)`, so that a wrong
/// client clock cancels out, clamped to 30 days before and one minute after receipt.
/// Without both client times the difference is taken as 0, except that a lone client time is
/// believed within the clamp.
pub fn event_time(received: Millis, sent: Option<Millis>, client: Option<Millis>) -> Millis {
    let claimed = match (sent, client) {
        (Some(sent), Some(client)) => received.0.saturating_sub(sent.0.saturating_sub(client.0)),
        (None, Some(client)) => client.0,
        (_, None) => received.0,
    };
    Millis(claimed.clamp(received.plus(-30 * Millis::DAY).0, received.plus(Millis::MINUTE).0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECEIVED: Millis = Millis(1_700_000_000_000);

    #[test]
    fn a_wrong_client_clock_cancels_out() {
        let year = 365 * Millis::DAY;
        let sent = RECEIVED.plus(-year);
        assert_eq!(
            event_time(RECEIVED, Some(sent), Some(sent.plus(-5_000))),
            RECEIVED.plus(-5_000)
        );
        let sent = RECEIVED.plus(year);
        assert_eq!(
            event_time(RECEIVED, Some(sent), Some(sent.plus(-5_000))),
            RECEIVED.plus(-5_000)
        );
    }

    #[test]
    fn an_event_is_at_most_thirty_days_old_and_a_minute_early() {
        let at = |offset| event_time(RECEIVED, Some(RECEIVED), Some(RECEIVED.plus(offset)));
        assert_eq!(at(-30 * Millis::DAY), RECEIVED.plus(-30 * Millis::DAY));
        assert_eq!(at(-30 * Millis::DAY - 1), RECEIVED.plus(-30 * Millis::DAY));
        assert_eq!(at(60_000), RECEIVED.plus(60_000));
        assert_eq!(at(60_001), RECEIVED.plus(60_000));
    }

    #[cfg(feature = "wire")]
    #[test]
    fn iso_8601_is_read_and_nothing_else() {
        let at = |text| Millis::parse(text).map(|time| time.0);
        assert_eq!(at("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(at("2015-12-12T19:11:01.249Z"), Some(1_449_947_461_249));
        assert_eq!(at("2024-02-29T23:59:59.5+01:30"), Some(1_709_245_799_500));
        assert_eq!(at("2024-02-29 22:29"), Some(1_709_245_740_000));
        assert_eq!(at("2024-02-29"), Some(1_709_164_800_000));
        for text in [
            "",
            "2023-02-29",
            "2024-13-01",
            "yesterday",
            "2024-02-29T25:00Z",
            "2024-02-29T10:00:00.Z",
            "éééééééééé",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn missing_and_absurd_times_never_overflow() {
        assert_eq!(event_time(RECEIVED, None, None), RECEIVED);
        assert_eq!(event_time(RECEIVED, Some(Millis(5)), None), RECEIVED);
        assert_eq!(event_time(RECEIVED, None, Some(RECEIVED.plus(-7))), RECEIVED.plus(-7));
        for a in [i64::MIN, 0, i64::MAX] {
            for b in [i64::MIN, 0, i64::MAX] {
                let time = event_time(RECEIVED, Some(Millis(a)), Some(Millis(b)));
                assert!(time >= RECEIVED.plus(-30 * Millis::DAY) && time <= RECEIVED.plus(60_000));
                event_time(Millis(a), Some(Millis(b)), Some(Millis(0)));
            }
        }
    }
}

//! Networks, as CIDR notation names them (RFC 4632, RFC 4291).

/// A network: the addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub(super) bits: u128,
    pub(super) length: u8,
}

/// What an IPv4 address begins with when it is written as an IPv6 one.
const MAPPED: u128 = 0xffff << 32;

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
    #[cfg(feature = "wire")]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text.trim(), None),
        };
        let bits = bits(address)?;
        let longest = if address.contains(':') { 128 } else { 32 };
        let length = match length {
            Some(length) => u8::try_from(decimal(length, 3)?).ok().filter(|at| *at <= longest)?,
            None => longest,
        };
        let length = length + (128 - longest);
        Some(Self { bits: bits & mask(length), length })
    }

    /// Whether the text is an address of this network.
    pub fn holds(&self, address: &str) -> bool {
        bits(address).is_some_and(|bits| bits & mask(self.length) == self.bits)
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or_default()
}

/// The bits of an address.
fn bits(address: &str) -> Option<u128> {
    if !address.contains(':') {
        return four(address).map(|bits| MAPPED | u128::from(bits));
    }
    // Groups before `::`, and those behind it.
    let (mut before, mut behind, mut gap) = ((0, 0), (0, 0), false);
    let mut groups = address.split(':').peekable();
    let mut first = true;
    while let Some(group) = groups.next() {
        let side: &mut (u128, u32) = if gap { &mut behind } else { &mut before };
        if group.is_empty() {
            let edge = first && groups.next_if_eq(&"").is_some();
            let last = groups.peek().is_none();
            if gap || first && !edge || !edge && last {
                return None;
            }
            gap = true;
            // `1::` and `::` end with one more empty group.
            if groups.peek() == Some(&"") {
                groups.next();
                if groups.peek().is_some() {
                    return None;
                }
            }
        } else if group.contains('.') {
            *side = (side.0 << 32 | u128::from(four(group)?), side.1 + 2);
            if groups.peek().is_some() {
                return None;
            }
        } else {
            *side = (side.0 << 16 | u128::from(hexadecimal(group)?), side.1 + 1);
        }
        if before.1 + behind.1 > 8 {
            return None;
        }
        first = false;
    }
    let count = before.1 + behind.1;
    if gap && count < 8 {
        Some(before.0.checked_shl(16 * (8 - before.1)).unwrap_or_default() | behind.0)
    } else {
        (!gap && count == 8).then_some(before.0)
    }
}

/// `10.0.0.1`, without leading zeros.
fn four(text: &str) -> Option<u32> {
    let (mut bits, mut count) = (0, 0);
    for part in text.split('.') {
        let byte = decimal(part, 3).filter(|byte| *byte < 256)?;
        if part.len() > 1 && part.starts_with('0') {
            return None;
        }
        bits = bits << 8 | byte;
        count += 1;
        if count > 4 {
            return None;
        }
    }
    (count == 4).then_some(bits)
}

fn decimal(text: &str, longest: usize) -> Option<u32> {
    digits(text, longest, 10)
}

fn hexadecimal(text: &str) -> Option<u32> {
    digits(text, 4, 16)
}

fn digits(text: &str, longest: usize, radix: u32) -> Option<u32> {
    if text.is_empty() || text.len() > longest {
        return None;
    }
    text.chars().try_fold(0, |number, digit| Some(number * radix + digit.to_digit(radix)?))
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn an_address_is_in_the_networks_that_it_begins_with() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.168.1.7", "192.168.1.7", "192.168.1.8"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
        ] {
            let network = Network::parse(network).unwrap();
            assert!(network.holds(inside) && !network.holds(outside), "{inside} {outside}");
        }
        assert!(Network::parse("0.0.0.0/0").unwrap().holds("1.2.3.4"));
        assert!(!Network::parse("0.0.0.0/0").unwrap().holds("2001:db8::1"));
        for text in ["10.0.0/8", "10.0.0.0/33", "10.0.0.0/", "::/129", "10.0.0.0/+8", "x", ""] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_are_read_as_the_standard_library_reads_them() {
        let pieces = ["", "1", "0", "db8", "ffff", "10000", "g", "1.2.3.4", "256.1.1.1", "01"];
        let mut seed = 7_u32;
        let mut read = 0;
        for _ in 0..200_000 {
            let mut text = String::new();
            for at in 0..1 + seed % 10 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if at > 0 {
                    text.push(if seed >> 8 & 7 == 0 { '.' } else { ':' });
                }
                text.push_str(pieces[(seed >> 16) as usize % pieces.len()]);
            }
            let wanted = match text.parse::<core::net::IpAddr>() {
                Ok(core::net::IpAddr::V4(address)) => {
                    Some(super::MAPPED | u128::from(address.to_bits()))
                }
                Ok(core::net::IpAddr::V6(address)) => Some(address.to_bits()),
                Err(_) => None,
            };
            assert_eq!(super::bits(&text), wanted, "{text}");
            read += u32::from(wanted.is_some());
            seed = seed.wrapping_add(1);
        }
        assert!(read > 1000, "{read}");
    }
}

//! Networks, as CIDR notation names them (RFC 4632, RFC 4291).

use core::net::IpAddr;

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
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            Some(length) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().ok().filter(|&length: &u8| length <= longest)?
            }
            Some(_) => return None,
            None => longest,
        };
        let length = length + (128 - longest);
        Some(Self { bits: bits(address) & mask(length), length })
    }

    /// Whether the text is an address of this network.
    pub fn holds(&self, address: &str) -> bool {
        address.trim().parse().is_ok_and(|address| bits(address) & mask(self.length) == self.bits)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => MAPPED | u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mask(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or_default()
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
}

//! How fast events may come: a leaking bucket for each address and each limited key.
//!
//! A bucket is one number, the time at which it will have run empty (the generic cell rate
//! algorithm), and addresses share a fixed number of them: there is no list for anybody to fill.

use crate::identity::{Principal, Role};
use crate::sqlite::lock;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Who shares one with a flood is slowed with it, until the next start: the hash is seeded anew.
const BUCKETS: usize = 1 << 16;
/// What comes in so many seconds may come at once: browsers send what waited while they were offline.
const BURST_SECONDS: i64 = 20;
/// Limited keys that are remembered; beyond it the memory starts anew.
const KEYS: usize = 10_000;
const SECOND: i64 = 1_000_000;

/// The buckets of a server.
pub struct Rates {
    start: Instant,
    /// Events a second from one address; any number where absent.
    of_address: Option<u32>,
    addresses: Box<[AtomicI64]>,
    seed: RandomState,
    keys: Mutex<HashMap<String, i64>>,
}

/// Come back after this long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFast(pub Duration);

impl Rates {
    /// Buckets that let through so many events a second from one address.
    pub fn new(of_address: Option<u32>) -> Self {
        Self {
            start: Instant::now(),
            of_address: of_address.filter(|rate| *rate > 0),
            addresses: (0..BUCKETS).map(|_| AtomicI64::new(0)).collect(),
            seed: RandomState::new(),
            keys: Mutex::default(),
        }
    }

    /// Lets `events` through that an address sends, or none of them. A batch that begins below the
    /// limit is let through as a whole; asking with 0 tells whether one would be.
    ///
    /// # Errors
    /// [`TooFast`] where the bucket is full.
    pub fn address(&self, who: &Principal, address: IpAddr, events: usize) -> Result<(), TooFast> {
        let page = matches!(who.role, Role::Page | Role::Anyone);
        let Some(rate) = self.of_address.filter(|_| page && !address.is_loopback()) else {
            return Ok(());
        };
        let bucket = self.seed.hash_one(network(address)) as usize % BUCKETS;
        let Some(bucket) = self.addresses.get(bucket) else { return Ok(()) };
        let now = self.now();
        let poured = bucket.try_update(Ordering::Relaxed, Ordering::Relaxed, |empty_at| {
            pour(empty_at, now, events, rate).ok()
        });
        poured.map(drop).map_err(|empty_at| full(empty_at, now))
    }

    /// Lets `events` through that come with a key, or none of them.
    ///
    /// # Errors
    /// [`TooFast`] where the bucket is full.
    pub fn key(&self, who: &Principal, events: usize) -> Result<(), TooFast> {
        let Some(rate) = who.terms.events_per_second else { return Ok(()) };
        let now = self.now();
        let mut keys = lock(&self.keys);
        if keys.len() >= KEYS {
            keys.clear();
        }
        let empty_at = keys.entry(who.actor.0.clone()).or_default();
        *empty_at = pour(*empty_at, now, events, rate)?;
        Ok(())
    }

    fn now(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

fn pour(empty_at: i64, now: i64, events: usize, rate: u32) -> Result<i64, TooFast> {
    if empty_at - now > BURST_SECONDS * SECOND {
        return Err(full(empty_at, now));
    }
    let drops = i64::try_from(events).unwrap_or(i64::MAX).saturating_mul(SECOND);
    Ok(empty_at.max(now).saturating_add(drops / i64::from(rate)))
}

fn full(empty_at: i64, now: i64) -> TooFast {
    let over = empty_at - now - BURST_SECONDS * SECOND;
    TooFast(Duration::from_micros(over.max(1).unsigned_abs()))
}

/// A provider gives a household a whole network of version 6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::KeyTerms;

    const ONE: &str = "203.0.113.7";

    #[test]
    fn an_address_sends_its_burst_and_then_waits_while_others_send() {
        let rates = Rates::new(Some(10));
        let anyone = Principal::anyone();
        let send = |address: &str, events| rates.address(&anyone, address.parse().unwrap(), events);
        assert_eq!(send(ONE, 150), Ok(()));
        assert_eq!(send(ONE, 150), Ok(()), "a batch that begins below the limit is whole");
        let TooFast(wait) = send(ONE, 1).unwrap_err();
        assert!(wait > Duration::from_secs(9) && wait <= Duration::from_secs(10), "{wait:?}");
        assert!(send(ONE, 0).is_err());
        assert!(send("::ffff:203.0.113.7", 0).is_err(), "the same address in other letters");
        assert_eq!(send("203.0.113.8", 1), Ok(()));
        assert_eq!(send("127.0.0.1", 100_000), Ok(()));
        assert_eq!(send("127.0.0.1", 1), Ok(()), "a proxy's own address says nothing of who sent");
    }

    #[test]
    fn a_network_of_version_6_is_one_sender() {
        let rates = Rates::new(Some(1));
        let anyone = Principal::anyone();
        let send = |address: &str| rates.address(&anyone, address.parse().unwrap(), 30);
        assert_eq!(send("2001:db8:1:2::1"), Ok(()));
        assert!(send("2001:db8:1:2:ffff::9").is_err());
        assert_eq!(send("2001:db8:1:3::1"), Ok(()));
    }

    #[test]
    fn a_limited_key_is_limited_from_wherever_it_comes() {
        let rates = Rates::new(None);
        let terms = KeyTerms { events_per_second: Some(2), ..KeyTerms::default() };
        let key = Principal { terms, ..Principal::anyone() };
        assert_eq!(rates.key(&key, 41), Ok(()));
        assert!(rates.key(&key, 1).is_err());
        assert_eq!(rates.key(&Principal::anyone(), 1_000_000), Ok(()));
        assert_eq!(rates.address(&key, ONE.parse().unwrap(), 1_000_000), Ok(()));
    }
}

//! Compiled flags as bytes: `docs/flags-format.md`.

use super::flags::{
    Audience, Authored, Bandit, Cap, Effect, Experience, Experiment, Feature, Filter, Flags,
    Hashing, Leaf, Parent, Rollout, Rule, Sticky, Variation,
};
use super::page::{PageLike, PagePattern};
use super::{HashVersion, Namespace, Range};
use crate::binary::{Packed, Reader, nested, packed_members};
use crate::targeting::packed_variants;

const MAGIC: &[u8; 4] = b"RPF1";

/// Why bytes are no flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FlagsError {
    #[error("these are not the flags of a bundle: they do not begin with RPF1")]
    NotFlags,
    #[error("the flags are damaged: their checksum differs")]
    Damaged,
    #[error("the flags cannot be read, at byte {at}: {what}")]
    Malformed { at: usize, what: &'static str },
}

impl Flags {
    /// The bytes that [`Self::open`] reads.
    #[cfg(feature = "wire")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (mut about, mut body) = (Vec::new(), Vec::new());
        self.describe().pack(&mut about);
        (about.len() as u32).pack(&mut body);
        body.extend_from_slice(&about);
        self.pack(&mut body);
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&crate::binary::crc32(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Checks the bytes of a bundle's flags and opens them; whatever they say, deciding by them
    /// neither fails nor runs for long.
    ///
    /// # Errors
    /// Where they are something else, damaged or malformed.
    pub fn open(bytes: &[u8]) -> Result<Self, FlagsError> {
        let body = bytes.strip_prefix(MAGIC).ok_or(FlagsError::NotFlags)?;
        let mut reader = Reader::new(body);
        if !reader.proves_the_rest() {
            return Err(FlagsError::Damaged);
        }
        let length = reader.u32() as usize;
        let _about = reader.take(length);
        #[cfg_attr(
            not(feature = "wire"),
            expect(unused_mut, reason = "pages read it by themselves")
        )]
        let mut flags = Self::unpack(&mut reader);
        if !flags.features.is_sorted_by(|left, right| left.key < right.key) {
            reader.invalid("the features do not ascend");
        }
        if let Err(fault) = reader.end() {
            // A page that is refused its flags goes on without: nothing there takes flags down.
            #[cfg(not(feature = "wire"))]
            core::mem::forget(flags);
            return Err(FlagsError::Malformed { at: fault.at, what: fault.what() });
        }
        #[cfg(feature = "wire")]
        flags.describe_by(_about);
        Ok(flags)
    }

    /// Gives the experiments back what was authored.
    #[cfg(feature = "wire")]
    fn describe_by(&mut self, about: &[u8]) {
        use crate::targeting::Value;
        let about = Value::unpack(&mut Reader::new(about));
        for experiment in self.all_experiments() {
            let described = about.at("experiments").member(&experiment.number.to_string());
            let authored = described.and_then(|described| described.member("authored"));
            experiment.authored = Authored(authored.cloned().unwrap_or_default());
        }
    }
}

packed_members! {
    Flags { attributes, groups, features, experiments, audiences, asks_audiences, experiences }
    Audience { name, condition }
    Experience { key, name, slot, cap }
    Cap { times, days }
    Feature { key, default, rules }
    Rule { id, parents, filters, effect }
    Parent { feature, condition, gate }
    Filter { seed, attribute, version, ranges }
    Hashing { attribute, fallback, seed, version }
    Rollout { hashing, range, end_included }
    Experiment {
        number, key, hashing, variations, ranges, filters, namespaces, condition, parents, pages, active, force,
        sticky, bandit, keeps_query, authored
    }
    Sticky { version, least }
    Variation { value, key, name, passthrough }
    Bandit { version, leaves }
    Leaf { id, condition, weights, ranges }
    Namespace { seed, range }
    PagePattern { include, like }
}

packed_variants!(Effect, else Effect::Nothing;
    0 => Nothing,
    1 => Force { value, condition, rollout },
    2 => Run(experiment),
);

packed_variants!(PageLike, else PageLike::Nothing;
    0 => Nothing,
    1 => Simple(address),
    2 => Pattern(pattern),
);

packed_variants!(HashVersion, else HashVersion::V1;
    1 => V1, 2 => V2, 3 => V3,
);

impl Packed for Authored {
    #[cfg(feature = "wire")]
    fn pack(&self, _: &mut Vec<u8>) {}

    fn unpack(_: &mut Reader<'_>) -> Self {
        Self::default()
    }
}

impl Packed for Range {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        self.0.pack(out);
        self.1.pack(out);
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        Self(reader.f64(), reader.f64())
    }
}

impl Packed for usize {
    #[cfg(feature = "wire")]
    fn pack(&self, out: &mut Vec<u8>) {
        (*self as u32).pack(out);
    }

    fn unpack(reader: &mut Reader<'_>) -> Self {
        reader.u32() as Self
    }
}

//! Asking in bytes and answering in numbers: what every host with an engine of its own does.
//!
//! A question is a byte of bits (1 no experiment runs, 2 only what is forced happens, 4 an address
//! follows, 8 variations chosen by hand follow, 16 what is remembered follows), what the bits announce,
//! and then attributes to the end: the number of each (u16) and its value. Texts stand behind their
//! length (u32), lists behind their count (u32).

use super::evaluate::{Assignment, Outcome};
use super::{Flags, StickyBuckets, Visitor};
use crate::binary::Reader;
use crate::targeting::Value;

/// A visitor, as a host wrote them.
#[derive(Debug, Default)]
pub struct Question<'a> {
    visitor: Visitor<'a>,
    memory: Option<StickyBuckets>,
}

impl<'a> Question<'a> {
    /// Reads a question for flags; `None` where the bytes are none.
    pub fn read(bytes: &'a [u8], flags: &Flags) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let bits = reader.u8();
        let mut visitor = Visitor {
            disabled: bits & 1 != 0,
            only_forced: bits & 2 != 0,
            attributes: vec![Value::Null; flags.attributes.len()],
            ..Visitor::default()
        };
        if bits & 4 != 0 {
            visitor.address = reader.wide_str();
        }
        if bits & 8 != 0 {
            for _ in 0..reader.count(8) {
                visitor.forced.push((reader.wide_str(), reader.u32() as usize));
            }
        }
        let memory = (bits & 16 != 0).then(|| {
            let mut memory = StickyBuckets::default();
            for _ in 0..reader.count(16) {
                let [attribute, value, experiment, variation] = [(); 4].map(|()| reader.wide_str());
                memory.put(attribute, value, experiment, variation);
            }
            memory
        });
        while !reader.rest().is_empty() {
            let number = usize::from(reader.u16());
            let value = Value::read(&mut reader);
            *visitor.attributes.get_mut(number)? = value;
        }
        (!reader.failed()).then_some(Self { visitor, memory })
    }

    /// What a feature is, as numbers: see [`Outcome::numbers`].
    pub fn feature(&mut self, flags: &Flags, number: usize, out: &mut Vec<f64>) {
        let visitor =
            Visitor { sticky: self.memory.as_ref(), ..core::mem::take(&mut self.visitor) };
        let (outcome, exposures) = flags.feature_numbered(number, &visitor);
        outcome.numbers(&exposures, out);
    }

    /// What the experiment of that number among [`Flags::experiments`] is: its assignment's seven
    /// numbers, how many exposures there are, and theirs.
    pub fn experiment(&mut self, flags: &Flags, number: usize, out: &mut Vec<f64>) {
        let visitor =
            Visitor { sticky: self.memory.as_ref(), ..core::mem::take(&mut self.visitor) };
        let Some(experiment) = flags.experiments.get(number) else { return };
        let (assignment, exposures) = flags.run(experiment, &visitor);
        assignment.numbers(out);
        exposed(&exposures, out);
    }
}

impl Outcome<'_> {
    /// The source, the number of the rule or −1, whether an assignment follows, its seven numbers if it
    /// does, how many exposures there are, and the seven numbers of each.
    pub fn numbers(&self, exposures: &[Assignment<'_>], out: &mut Vec<f64>) {
        out.push(f64::from(self.source as u8));
        out.push(self.rule_number.map_or(-1.0, |number| number as f64));
        out.push(f64::from(u8::from(self.assignment.is_some())));
        if let Some(assignment) = &self.assignment {
            assignment.numbers(out);
        }
        exposed(exposures, out);
    }
}

fn exposed(exposures: &[Assignment<'_>], out: &mut Vec<f64>) {
    out.push(exposures.len() as f64);
    exposures.iter().for_each(|exposure| exposure.numbers(out));
}

impl Assignment<'_> {
    /// The experiment, the variation, bits (1 in the experiment, 2 by hash, 4 remembered), the attribute,
    /// the place or −1, the bandit's leaf or −1, and why.
    fn numbers(&self, out: &mut Vec<f64>) {
        let bits =
            u8::from(self.in_experiment) | u8::from(self.by_hash) << 1 | u8::from(self.sticky) << 2;
        let leaves = self.experiment.bandit.as_ref().map(|bandit| &bandit.leaves);
        let leaf = self
            .leaf
            .zip(leaves)
            .and_then(|(leaf, leaves)| leaves.iter().position(|other| core::ptr::eq(leaf, other)));
        out.extend([
            f64::from(self.experiment.number),
            self.variation as f64,
            f64::from(bits),
            f64::from(self.attribute),
            self.place.unwrap_or(-1.0),
            leaf.map_or(-1.0, |at| at as f64),
            f64::from(self.why as u8),
        ]);
    }
}

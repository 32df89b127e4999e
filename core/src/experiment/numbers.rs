//! Asking in bytes and answering in numbers: what every host with an engine of its own does.
//!
//! A question is a byte of bits (1 no experiment runs, 2 only what is forced happens, 4 an address
//! follows, 8 variations chosen by hand follow, 16 what is remembered follows, 32 the time in
//! milliseconds (f64) and what was shown follow, 64 a score and a band (a byte each) follow, 128 a grade
//! follows), what the bits announce, and then attributes to the end: the number of each (u16) and its
//! value; those that core feeds itself are passed over. What is remembered is a list of attribute,
//! value, experiment and variation; what was shown one of an experience's key, how often (u32) and when
//! last (f64). Texts stand behind their length (u32), lists behind their count (u32).

use super::evaluate::{Assignment, Outcome};
use super::{Answers, Flags, Known, Shown, StickyBuckets, Visitor};
use crate::binary::Reader;
use crate::event::Millis;
use crate::scoring::Band;
use crate::targeting::{Own, Value};

/// A visitor, as a host wrote them.
#[derive(Debug, Default)]
pub struct Question<'a> {
    visitor: Visitor<'a>,
    memory: Option<StickyBuckets>,
    /// What conditions read as `$…`; a host that scores the visitor puts the score in.
    pub known: Known<'a>,
}

impl<'a> Question<'a> {
    /// Reads a question for flags; `None` where the bytes are none.
    pub fn read(bytes: &'a [u8], flags: &Flags) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let bits = reader.u8();
        let mut visitor = Visitor {
            disabled: bits & 1 != 0,
            only_forced: bits & 2 != 0,
            attributes: flags.attributes.iter().map(|_| Value::Null).collect(),
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
        let mut known = Known::default();
        if bits & 32 != 0 {
            known.now = Some(Millis(reader.f64() as i64));
            for _ in 0..reader.count(16) {
                let (experience, times) = (reader.wide_str(), reader.u32());
                let last = Millis(reader.f64() as i64);
                known.shown.push(Shown { experience, times, last });
            }
        }
        if bits & 64 != 0 {
            known.score = Some(reader.u8());
            known.band = Some(Band::numbered(reader.u8()));
        }
        if bits & 128 != 0 {
            known.grade = Some(reader.wide_str());
        }
        while !reader.rest().is_empty() {
            let number = usize::from(reader.u16());
            let value = Value::read(&mut reader);
            let place = visitor.attributes.get_mut(number)?;
            if number >= Own::COUNT {
                *place = value;
            }
        }
        (!reader.failed()).then_some(Self { visitor, memory, known })
    }

    /// The visitor that is asked about, once, with all that is known of them.
    pub fn visitor<'q>(&'q mut self, flags: &'q Flags) -> Visitor<'q> {
        let asked = core::mem::take(&mut self.visitor);
        let mut visitor = Visitor { sticky: self.memory.as_ref(), ..asked };
        flags.tell(&mut visitor, &self.known);
        visitor
    }

    /// What a feature is, as numbers: see [`Outcome::numbers`]; then of each rule before the one that
    /// decided why it did not, behind their count.
    pub fn feature(&mut self, flags: &Flags, number: usize, out: &mut Vec<f64>) {
        let (outcome, exposures) = flags.feature_numbered(number, &self.visitor(flags));
        outcome.numbers(out);
        exposed(&exposures, out);
        outcome.passed_numbers(out);
    }

    /// What the experiment of that number among [`Flags::experiments`] is: its assignment's seven
    /// numbers, how many exposures there are, and theirs.
    pub fn experiment(&mut self, flags: &Flags, number: usize, out: &mut Vec<f64>) {
        let Some(experiment) = flags.experiments.get(number) else { return };
        let (assignment, exposures) = flags.run(experiment, &self.visitor(flags));
        assignment.numbers(out);
        exposed(&exposures, out);
    }

    /// All there is: the score and the band or −1, each feature as [`Outcome::numbers`] with why the
    /// rules before did not decide, each experiment of pages with its assignment's seven numbers, how
    /// many exposures there are, and theirs.
    pub fn all(&mut self, flags: &Flags, out: &mut Vec<f64>) {
        let Answers { features, pages, exposures } = flags.all(&self.visitor(flags));
        out.push(self.known.score.map_or(-1.0, f64::from));
        out.push(self.known.band.map_or(-1.0, |band| f64::from(band as u8)));
        for outcome in &features {
            outcome.numbers(out);
            outcome.passed_numbers(out);
        }
        pages.iter().for_each(|assignment| assignment.numbers(out));
        exposed(&exposures, out);
    }
}

impl Outcome<'_> {
    /// The source, the number of the rule or −1, whether an assignment follows, and its seven numbers if
    /// it does.
    fn numbers(&self, out: &mut Vec<f64>) {
        out.push(f64::from(self.source as u8));
        out.push(self.rule_number.map_or(-1.0, |number| number as f64));
        out.push(f64::from(u8::from(self.assignment.is_some())));
        if let Some(assignment) = &self.assignment {
            assignment.numbers(out);
        }
    }

    fn passed_numbers(&self, out: &mut Vec<f64>) {
        out.push(self.passed.len() as f64);
        out.extend(self.passed.iter().map(|why| f64::from(*why as u8)));
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

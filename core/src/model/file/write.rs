//! The image of a file as bytes.

use super::bytes::Writer;
use super::packed::{Packed, PackedKind, PackedTrees, Questions};
use super::{MAGIC, VERSION};
use crate::binary::crc32;
use crate::model::{AdditiveModel, Calibration, Effect, Knot, Leaves, LevelHash, SignalKind};

/// What the header's flags say.
pub mod flag {
    pub const LEAVES_F32: u16 = 1;
    pub const LEAVES_F64: u16 = 2;
    pub const EXACT_CUTS: u16 = 4;
    pub const COVERS: u16 = 8;
    pub const LEVEL_NAMES: u16 = 16;
    pub const KNOWN: u16 = 31;
}

/// The numbers that stand for kinds.
pub mod tag {
    use crate::model::Notation;

    pub const TREES: u8 = 0;
    pub const POINTS: u8 = 1;
    pub const LOGISTIC: u8 = 2;

    pub const PLATT: u8 = 0;
    pub const BETA: u8 = 1;
    pub const KNOTS: u8 = 2;
    pub const SHARE: u8 = 3;

    pub const NUMBER: u8 = 0;
    pub const DATE: u8 = 1;
    pub const CATEGORY: u8 = 2;
    pub const NON_ZERO: u8 = 3;
    /// Beside a signal's kind, in the upper four bits.
    pub const NOTATIONS: [Notation; 5] = [
        Notation::Untold,
        Notation::DecimalPoint,
        Notation::DecimalComma,
        Notation::DayFirst,
        Notation::MonthFirst,
    ];

    pub const PER_UNIT: u8 = 0;
    pub const STEPS: u8 = 1;
    pub const LEVELS: u8 = 2;
}

pub fn write(packed: &Packed) -> Vec<u8> {
    let mut out = Writer::default();
    out.bytes(&MAGIC);
    out.u8(VERSION);
    out.u8(match packed.kind {
        PackedKind::Trees(_) => tag::TREES,
        PackedKind::Points(_) => tag::POINTS,
        PackedKind::Logistic(_) => tag::LOGISTIC,
    });
    out.u16(flags(packed));
    out.u32(0); // the length, known at the end
    out.text(&packed.name);
    calibration(&mut out, &packed.calibration);
    knots(&mut out, packed.scale.knots());
    out.f64(packed.bands.not_below);
    out.f64(packed.bands.qualified_from);
    out.f64(packed.wanted_fpr.unwrap_or(f64::NAN));
    signals(&mut out, packed);
    match &packed.kind {
        PackedKind::Trees(model) => trees(&mut out, model),
        PackedKind::Points(model) | PackedKind::Logistic(model) => additive(&mut out, model),
    }
    let Writer(mut bytes) = out;
    let length = (bytes.len() + 4) as u32;
    bytes[8..12].copy_from_slice(&length.to_le_bytes());
    let crc = crc32(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn flags(packed: &Packed) -> u16 {
    let packing = packed.packing;
    let leaves = match packing.leaves {
        Leaves::Steps16 => 0,
        Leaves::F32 => flag::LEAVES_F32,
        Leaves::F64 => flag::LEAVES_F64,
    };
    let with = |on: bool, flag: u16| if on { flag } else { 0 };
    leaves
        | with(packing.exact_cuts, flag::EXACT_CUTS)
        | with(packing.covers, flag::COVERS)
        | with(packing.level_names, flag::LEVEL_NAMES)
}

fn calibration(out: &mut Writer, calibration: &Calibration) {
    match calibration {
        Calibration::Platt { slope, intercept } => {
            out.u8(tag::PLATT);
            out.f64s(&[*slope, *intercept]);
        }
        Calibration::Beta { a, b, c } => {
            out.u8(tag::BETA);
            out.f64s(&[*a, *b, *c]);
        }
        Calibration::Knots(points) => {
            out.u8(tag::KNOTS);
            knots(out, points);
        }
        Calibration::Share { zero, one } => {
            out.u8(tag::SHARE);
            out.f64s(&[*zero, *one]);
        }
    }
}

fn knots(out: &mut Writer, knots: &[Knot]) {
    out.u16(knots.len() as u16);
    knots.iter().for_each(|knot| out.f64s(&[knot.x, knot.y]));
}

fn signals(out: &mut Writer, packed: &Packed) {
    out.u32(packed.signals.len() as u32);
    for signal in &packed.signals {
        out.u32(signal.id);
        out.text(&signal.name);
        let kind = match &signal.kind {
            SignalKind::Number => tag::NUMBER,
            SignalKind::NonZero => tag::NON_ZERO,
            SignalKind::Date => tag::DATE,
            SignalKind::Category { .. } => tag::CATEGORY,
        };
        let notation = tag::NOTATIONS.iter().take_while(|&&other| other != signal.notation).count();
        out.u8(kind | (notation as u8) << 4);
        if let SignalKind::Category { levels } = &signal.kind {
            out.u32(levels.len() as u32);
            levels.iter().for_each(|level| out.u32(LevelHash::of(level).0));
            if packed.packing.level_names {
                levels.iter().for_each(|level| out.text(level));
            }
        }
    }
}

fn trees(out: &mut Writer, model: &PackedTrees) {
    out.f64(model.base_margin);
    for questions in &model.questions {
        match questions {
            Questions::Outside { count, bits } => {
                out.u16(*count as u16);
                out.bytes(bits);
            }
            Questions::Above(cuts) => {
                out.u16(cuts.values.len() as u16);
                out.u16(cuts.missing_no as u16);
                if cuts.wide {
                    out.u8(size_of::<f64>() as u8);
                    out.f64s(&cuts.values);
                } else {
                    let values: Vec<f32> = cuts.values.iter().map(|&cut| cut as f32).collect();
                    let width = upper_bytes(&values);
                    out.u8(width as u8);
                    values.iter().for_each(|cut| out.bytes(&cut.to_le_bytes()[4 - width..]));
                }
            }
        }
    }
    out.u32(model.trees as u32);
    out.u32(model.splits.len() as u32);
    for eight in model.splits.chunks(8) {
        out.u8(eight
            .iter()
            .enumerate()
            .fold(0, |byte, (bit, &splits)| byte | u8::from(splits) << bit));
    }
    narrow(out, &model.signals, model.questions.len());
    narrow(out, &model.indices, model.questions.iter().map(Questions::count).max().unwrap_or(0));
    model.shares.iter().for_each(|share| out.u16(share.0));
    out.u16s(&model.leaves.scales);
    for &number in &model.leaves.numbers {
        match model.leaves.format {
            Leaves::Steps16 => out.u16(number as i16 as u16),
            Leaves::F32 => out.bytes(&(number as f32).to_le_bytes()),
            Leaves::F64 => out.f64(number),
        }
    }
}

/// How many upper bytes hold all cuts: two, three or four. Whole and half numbers need few.
fn upper_bytes(cuts: &[f32]) -> usize {
    let used = cuts.iter().fold(0, |used, cut| used | cut.to_bits());
    4 - (used.trailing_zeros() as usize / 8).min(2)
}

/// Numbers below `count`: bytes where bytes hold them.
fn narrow(out: &mut Writer, numbers: &[u16], count: usize) {
    if count <= 256 {
        numbers.iter().for_each(|&number| out.u8(number as u8));
    } else {
        out.u16s(numbers);
    }
}

fn additive(out: &mut Writer, model: &AdditiveModel) {
    out.f64(model.bias);
    out.u32(model.groups.len() as u32);
    for group in &model.groups {
        out.f64s(&[group.at_least, group.at_most]);
        out.u32(group.terms.len() as u32);
        for term in &group.terms {
            out.u16(term.signal);
            out.f64s(&[term.missing, term.usual]);
            match &term.effect {
                Effect::PerUnit { points, from, to } => {
                    out.u8(tag::PER_UNIT);
                    out.f64s(&[*points, *from, *to]);
                }
                Effect::Steps(steps) => {
                    out.u8(tag::STEPS);
                    out.u32(steps.len() as u32);
                    steps.iter().for_each(|step| out.f64s(&[step.from, step.points]));
                }
                Effect::Levels { points, other } => {
                    out.u8(tag::LEVELS);
                    out.f64(*other);
                    out.f64s(points);
                }
            }
        }
    }
}

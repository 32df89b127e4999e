//! A file's bytes, checked: behind this door nothing about a model can fail.

use super::packed::{
    Cuts, Packed, PackedKind, PackedLeaves, PackedTrees, Questions, set_bytes, step_scale,
};
use super::share::Share;
use super::write::{flag, tag};
use super::{MAGIC, MOST_DEPTH, ModelError, VERSION};
use crate::binary::{Reader, crc32};
use crate::model::{
    AdditiveModel, Bands, Calibration, Effect, Group, Knot, Leaves, LevelHash, Notation, Packing,
    Scale, Signal, SignalKind, Step, Term, bounded,
};

/// Bytes of what stands in front of every model: magic, version, kind, flags and the file's length.
const HEAD: usize = 12;

pub fn read(bytes: &[u8]) -> Result<Packed, ModelError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(ModelError::NotAModel);
    }
    let mut input = Reader::new(bytes);
    input.take(MAGIC.len());
    let (version, kind, flags) = (input.u8(), input.u8(), input.u16());
    let length = input.u32() as usize;
    if version != VERSION && bytes.len() >= HEAD {
        return Err(ModelError::Version { found: version });
    }
    if bytes.len() < length || length < HEAD + 4 {
        return Err(ModelError::Truncated { at: bytes.len() });
    }
    if bytes.len() > length {
        return Err(ModelError::Trailing { at: length });
    }
    let (sealed, crc) = bytes.split_at(length - 4);
    let (found, expected) = (crc32(sealed), Reader::new(crc).u32());
    if found != expected {
        return Err(ModelError::Checksum { found, expected });
    }
    let mut input = Reader::new(sealed);
    input.take(HEAD);
    let packed = body(&mut input, kind, flags);
    input.end()?;
    Ok(packed)
}

fn body(input: &mut Reader, kind: u8, flags: u16) -> Packed {
    let packing = packing(input, flags);
    let name = input.long_str().to_owned();
    let calibration = calibration(input);
    if calibration.check().is_err() {
        input.invalid("the calibration is not finite, or does not increase with the margin");
    }
    let scale = Scale::through(knots(input)).unwrap_or_else(|_| {
        input.invalid("the score's scale does not increase strictly from (0, 0) to (1, 1)");
        Scale::PERCENT
    });
    let bands = Bands { not_below: input.f64(), qualified_from: input.f64() };
    if !(0.0 <= bands.not_below
        && bands.not_below <= bands.qualified_from
        && bands.qualified_from.is_finite())
    {
        input.invalid("the bands are out of order");
    }
    let wanted_fpr = Some(input.f64()).filter(|rate| !rate.is_nan());
    let signals = signals(input, packing);
    let kind = match kind {
        tag::TREES => PackedKind::Trees(trees(input, &signals, packing)),
        tag::POINTS => PackedKind::Points(additive(input, &signals)),
        _ => {
            if kind != tag::LOGISTIC {
                input.invalid("the kind of model is unknown");
            }
            PackedKind::Logistic(additive(input, &signals))
        }
    };
    Packed { name, calibration, scale, bands, wanted_fpr, packing, signals, kind }
}

fn packing(input: &mut Reader, flags: u16) -> Packing {
    let leaves = flags & (flag::LEAVES_F32 | flag::LEAVES_F64);
    if flags & !flag::KNOWN != 0 || leaves == flag::LEAVES_F32 | flag::LEAVES_F64 {
        input.invalid("a flag is unknown");
    }
    Packing {
        leaves: match leaves {
            0 => Leaves::Steps16,
            flag::LEAVES_F32 => Leaves::F32,
            _ => Leaves::F64,
        },
        exact_cuts: flags & flag::EXACT_CUTS != 0,
        covers: flags & flag::COVERS != 0,
        level_names: flags & flag::LEVEL_NAMES != 0,
    }
}

fn calibration(input: &mut Reader) -> Calibration {
    match input.u8() {
        tag::PLATT => Calibration::Platt { slope: input.f64(), intercept: input.f64() },
        tag::BETA => Calibration::Beta { a: input.f64(), b: input.f64(), c: input.f64() },
        tag::SHARE => Calibration::Share { zero: input.f64(), one: input.f64() },
        tag => {
            if tag != tag::KNOTS {
                input.invalid("the kind of calibration is unknown");
            }
            Calibration::Knots(knots(input))
        }
    }
}

fn knots(input: &mut Reader) -> Vec<Knot> {
    let count = usize::from(input.u16());
    let numbers = input.f64s(2 * count, 8, &f64::from_bits);
    numbers.as_chunks().0.iter().map(|&[x, y]| Knot { x, y }).collect()
}

fn signals(input: &mut Reader, packing: Packing) -> Vec<Signal> {
    let count = input.count(7);
    if count > 1 << 16 {
        input.invalid("there are more than 65,536 signals");
    }
    (0..count).map(|_| signal(input, packing)).collect()
}

fn signal(input: &mut Reader, packing: Packing) -> Signal {
    let id = input.u32();
    let name = input.long_str().to_owned();
    let tags = input.u8();
    let notation = tag::NOTATIONS.get(usize::from(tags >> 4)).copied().unwrap_or_else(|| {
        input.invalid("how a signal is written is unknown");
        Notation::Untold
    });
    let kind = match tags & 0x0F {
        tag::NUMBER => SignalKind::Number,
        tag::NON_ZERO => SignalKind::NonZero,
        tag::DATE => SignalKind::Date,
        tag => {
            if tag != tag::CATEGORY {
                input.invalid("the kind of a signal is unknown");
            }
            let count = input.count(4);
            let mut hashes = Reader::new(input.take(4 * count));
            let mut levels = Vec::with_capacity(count);
            for _ in 0..count {
                let hash = LevelHash(hashes.u32());
                if !packing.level_names {
                    levels.push(hash.stand_in());
                    continue;
                }
                let level = input.long_str().to_owned();
                if LevelHash::of(&level) != hash {
                    input.invalid("a level's text and hash differ");
                }
                levels.push(level);
            }
            SignalKind::Category { levels }
        }
    };
    Signal { id, name, kind, notation }
}

fn trees(input: &mut Reader, signals: &[Signal], packing: Packing) -> PackedTrees {
    let base_margin = finite(input);
    let questions: Vec<Questions> =
        signals.iter().map(|signal| questions_about(input, signal)).collect();
    let trees = input.u32() as usize;
    let nodes = input.u32() as usize;
    let splits = shape(input, trees, nodes);
    let count = splits.len().saturating_sub(trees) / 2;
    let asked = narrow(input, count, signals.len());
    let most = questions.iter().map(Questions::count).max().unwrap_or(0);
    let indices = narrow(input, count, most);
    let fits = |(&signal, &index): (&u16, &u16)| {
        questions
            .get(usize::from(signal))
            .is_some_and(|questions| usize::from(index) < questions.count())
    };
    if !asked.iter().zip(&indices).all(fits) {
        input.invalid("a split asks a question that is not there");
    }
    let shares: Vec<Share> =
        input.u16s(if packing.covers { count } else { 0 }, 2).into_iter().map(Share).collect();
    if !shares.iter().all(|share| share.is_valid()) {
        input.invalid("a cover is no share");
    }
    let leaves = leaves(input, packing.leaves, trees, splits.len() - count);
    PackedTrees { base_margin, questions, splits, trees, signals: asked, indices, shares, leaves }
}

fn finite(input: &mut Reader) -> f64 {
    let number = input.f64();
    if !bounded(number) {
        input.invalid("a number is too large, or none");
    }
    number
}

fn questions_about(input: &mut Reader, signal: &Signal) -> Questions {
    let count = usize::from(input.u16());
    if let SignalKind::Category { levels } = &signal.kind {
        let bits = input.take(count * set_bytes(levels.len())).to_vec();
        return Questions::Outside { count, bits };
    }
    let missing_no = usize::from(input.u16());
    let width = usize::from(input.u8());
    let wide = width == 8;
    let values = match width {
        8 => input.f64s(count, width, &f64::from_bits),
        2..=4 => input.f64s(count, width, &|upper| {
            f64::from(f32::from_bits((upper as u32) << (8 * (4 - width))))
        }),
        _ => {
            input.invalid("the width of cuts is unknown");
            Vec::new()
        }
    };
    match values.split_at_checked(missing_no) {
        Some((no, yes)) if rising(no) && rising(yes) => {}
        Some(_) => input.invalid("the cuts of a signal do not rise"),
        None => input.invalid("there are more cuts of one side than cuts"),
    }
    Questions::Above(Cuts { missing_no, values, wide })
}

/// Whether numbers rise strictly; NaN never does.
fn rising(numbers: &[f64]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
        && !numbers.iter().any(|number| number.is_nan())
}

fn shape(input: &mut Reader, trees: usize, nodes: usize) -> Vec<bool> {
    let bits = input.take(nodes.div_ceil(8));
    let splits: Vec<bool> =
        (0..nodes.min(8 * bits.len())).map(|at| bits[at / 8] >> (at % 8) & 1 == 1).collect();
    // Depths at which right children are still to come.
    let mut open: Vec<usize> = Vec::new();
    let (mut found, mut depth) = (0, 0);
    for &splits in &splits {
        if splits {
            depth += 1;
            if depth > MOST_DEPTH {
                input.invalid("a tree is deeper than 200 splits");
            }
            open.push(depth);
        } else {
            match open.pop() {
                Some(of_right) => depth = of_right,
                None => {
                    found += 1;
                    depth = 0;
                }
            }
        }
    }
    if !open.is_empty() || found != trees {
        input.invalid("the trees are not whole");
    }
    splits
}

/// Numbers below `count`: bytes where bytes hold them.
fn narrow(input: &mut Reader, length: usize, count: usize) -> Vec<u16> {
    input.u16s(length, if count <= 256 { 1 } else { 2 })
}

fn leaves(input: &mut Reader, format: Leaves, trees: usize, count: usize) -> PackedLeaves {
    let scales = input.u16s(if format == Leaves::Steps16 { trees } else { 0 }, 2);
    let numbers = match format {
        Leaves::Steps16 => input.f64s(count, 2, &|bits| f64::from(bits as i16)),
        Leaves::F32 => input.f64s(count, 4, &|bits| f64::from(f32::from_bits(bits as u32))),
        Leaves::F64 => input.f64s(count, 8, &f64::from_bits),
    };
    let finite = scales.iter().all(|&scale| bounded(f64::from(step_scale(scale)) * 32_768.0))
        && numbers.iter().all(|&number| bounded(number));
    if !finite {
        input.invalid("a leaf is too large, or no number");
    }
    PackedLeaves { format, scales, numbers }
}

#[cfg_attr(target_arch = "wasm32", inline(never))] // apart: pages compile what they run
fn additive(input: &mut Reader, signals: &[Signal]) -> AdditiveModel {
    let bias = finite(input);
    let count = input.count(20);
    let groups = (0..count).map(|_| group(input, signals)).collect();
    AdditiveModel { signals: Vec::new(), bias, groups }
}

fn group(input: &mut Reader, signals: &[Signal]) -> Group {
    let (at_least, at_most) = (input.f64(), input.f64());
    if at_least.partial_cmp(&at_most).is_none_or(|order| order.is_gt()) {
        input.invalid("a group's caps are out of order");
    }
    let count = input.count(19);
    let terms = (0..count).map(|_| term(input, signals)).collect();
    let group = Group { terms, at_least, at_most };
    if group.is_capped() && group.players().len() > Group::MOST_CAPPED_SIGNALS {
        input.invalid("too many signals stand under one cap");
    }
    group
}

fn term(input: &mut Reader, signals: &[Signal]) -> Term {
    let signal = input.u16();
    let levels = match signals.get(usize::from(signal)).map(|signal| &signal.kind) {
        Some(SignalKind::Category { levels }) => Some(levels.len()),
        Some(_) => None,
        None => {
            input.invalid("a term reads a signal that is not there");
            None
        }
    };
    let (missing, usual) = (finite(input), finite(input));
    let effect = match (input.u8(), levels) {
        (tag::LEVELS, Some(levels)) => Effect::Levels {
            other: finite(input),
            points: (0..levels).map(|_| finite(input)).collect(),
        },
        (tag::PER_UNIT, None) => {
            let (points, from, to) = (finite(input), input.f64(), input.f64());
            if from.partial_cmp(&to).is_none_or(|order| order.is_gt()) {
                input.invalid("an effect's range is out of order");
            }
            Effect::PerUnit { points, from, to }
        }
        (tag, levels) => {
            if tag != tag::STEPS || levels.is_some() {
                input.invalid("an effect does not fit its signal");
            }
            let count = input.count(16);
            let step = |_| Step { from: input.f64(), points: finite(input) };
            let steps: Vec<Step> = (0..count).map(step).collect();
            if steps.iter().any(|step| step.from.is_nan())
                || !steps.windows(2).all(|pair| pair[0].from < pair[1].from)
            {
                input.invalid("the steps of an effect do not rise");
            }
            Effect::Steps(steps)
        }
    };
    Term { signal, effect, missing, usual }
}

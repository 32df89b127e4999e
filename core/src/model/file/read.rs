//! A file's bytes, checked: behind this door nothing about a model can fail.

use super::bytes::Reader;
use super::packed::{
    CutValues, Cuts, Packed, PackedKind, PackedLeaves, PackedTrees, Questions, set_bytes,
    step_scale,
};
use super::share::Share;
use super::write::{flag, tag};
use super::{MAGIC, MOST_DEPTH, ModelError, VERSION};
use crate::binary::crc32;
use crate::model::{
    AdditiveModel, Bands, Calibration, Effect, Group, Knot, Leaves, LevelHash, Packing, Scale,
    Signal, SignalKind, Step, Term, bounded,
};

pub fn read(bytes: &[u8]) -> Result<Packed, ModelError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(ModelError::NotAModel);
    }
    let mut input = Reader::new(bytes);
    let Some(Head { version, kind, flags, length, size }) = head(&mut input) else {
        return Err(input.fault());
    };
    if version != VERSION {
        return Err(ModelError::Version { found: version });
    }
    if bytes.len() < length || length < size + 4 {
        return Err(ModelError::Truncated { at: bytes.len() });
    }
    if bytes.len() > length {
        return Err(ModelError::Trailing { at: length });
    }
    let (sealed, crc) = bytes.split_at(length - 4);
    let (found, expected) =
        (crc32(sealed), crc.iter().rev().fold(0, |crc, &byte| crc << 8 | u32::from(byte)));
    if found != expected {
        return Err(ModelError::Checksum { found, expected });
    }
    let mut input = Reader::new(sealed);
    let packed = input.take(size).and_then(|_| body(&mut input, kind, flags));
    match packed {
        Some(packed) if input.is_empty() => Ok(packed),
        Some(_) => Err(ModelError::Invalid { at: input.position(), what: "bytes are left over" }),
        None => Err(input.fault()),
    }
}

/// What stands in front of every model.
struct Head {
    version: u8,
    kind: u8,
    flags: u16,
    /// Bytes of the file, as it says.
    length: usize,
    /// Bytes of the head itself.
    size: usize,
}

fn head(input: &mut Reader) -> Option<Head> {
    input.take(MAGIC.len())?;
    let (version, kind, flags) = (input.u8()?, input.u8()?, input.u16()?);
    let length = input.u32()? as usize;
    Some(Head { version, kind, flags, length, size: input.position() })
}

fn body(input: &mut Reader, kind: u8, flags: u16) -> Option<Packed> {
    let Some(packing) = packing(flags) else { return input.invalid("a flag is unknown") };
    let name = input.text()?;
    let calibration = calibration(input)?;
    if let Err(error) = calibration.check() {
        return input.refuse(error.into());
    }
    let scale = match Scale::through(knots(input)?) {
        Ok(scale) => scale,
        Err(error) => return input.refuse(error.into()),
    };
    let bands = Bands { not_below: input.f64()?, qualified_from: input.f64()? };
    if !(0.0 <= bands.not_below
        && bands.not_below <= bands.qualified_from
        && bands.qualified_from.is_finite())
    {
        return input.invalid("the bands are out of order");
    }
    let wanted_fpr = Some(input.f64()?).filter(|rate| !rate.is_nan());
    let signals = signals(input, packing)?;
    let kind = match kind {
        tag::TREES => PackedKind::Trees(trees(input, &signals, packing)?),
        tag::POINTS => PackedKind::Points(additive(input, &signals)?),
        tag::LOGISTIC => PackedKind::Logistic(additive(input, &signals)?),
        _ => return input.invalid("the kind of model is unknown"),
    };
    Some(Packed { name, calibration, scale, bands, wanted_fpr, packing, signals, kind })
}

fn packing(flags: u16) -> Option<Packing> {
    let leaves = match flags & (flag::LEAVES_F32 | flag::LEAVES_F64) {
        0 => Leaves::Steps16,
        flag::LEAVES_F32 => Leaves::F32,
        flag::LEAVES_F64 => Leaves::F64,
        _ => return None,
    };
    (flags & !flag::KNOWN == 0).then_some(Packing {
        leaves,
        exact_cuts: flags & flag::EXACT_CUTS != 0,
        covers: flags & flag::COVERS != 0,
        level_names: flags & flag::LEVEL_NAMES != 0,
    })
}

fn calibration(input: &mut Reader) -> Option<Calibration> {
    Some(match input.u8()? {
        tag::PLATT => Calibration::Platt { slope: input.f64()?, intercept: input.f64()? },
        tag::BETA => Calibration::Beta { a: input.f64()?, b: input.f64()?, c: input.f64()? },
        tag::KNOTS => Calibration::Knots(knots(input)?),
        tag::SHARE => Calibration::Share { zero: input.f64()?, one: input.f64()? },
        _ => return input.invalid("the kind of calibration is unknown"),
    })
}

fn knots(input: &mut Reader) -> Option<Vec<Knot>> {
    let count = usize::from(input.u16()?);
    let numbers = input.f64s(2 * count)?;
    Some(numbers.as_chunks().0.iter().map(|&[x, y]| Knot { x, y }).collect())
}

fn signals(input: &mut Reader, packing: Packing) -> Option<Vec<Signal>> {
    let count = input.count()?;
    if count > 1 << 16 {
        return input.invalid("there are more than 65,536 signals");
    }
    let mut signals = Vec::new();
    for _ in 0..count {
        signals.push(signal(input, packing)?);
    }
    Some(signals)
}

fn signal(input: &mut Reader, packing: Packing) -> Option<Signal> {
    let id = input.u32()?;
    let name = input.text()?;
    let tags = input.u8()?;
    let Some(notation) = tag::NOTATIONS.get(usize::from(tags >> 4)) else {
        return input.invalid("how a signal is written is unknown");
    };
    let kind = match tags & 0x0F {
        tag::NUMBER => SignalKind::Number,
        tag::NON_ZERO => SignalKind::NonZero,
        tag::DATE => SignalKind::Date,
        tag::CATEGORY => {
            let count = input.count()?;
            let hashes = input.u32s(count)?;
            let mut levels = Vec::with_capacity(count);
            for hash in hashes.into_iter().map(LevelHash) {
                let level = if packing.level_names { input.text()? } else { hash.stand_in() };
                if LevelHash::of(&level) != hash {
                    return input.invalid("a level's text and hash differ");
                }
                levels.push(level);
            }
            SignalKind::Category { levels }
        }
        _ => return input.invalid("the kind of a signal is unknown"),
    };
    Some(Signal { id, name, kind, notation: *notation })
}

fn trees(input: &mut Reader, signals: &[Signal], packing: Packing) -> Option<PackedTrees> {
    let base_margin = finite(input)?;
    let mut questions = Vec::new();
    for signal in signals {
        questions.push(questions_about(input, signal)?);
    }
    let trees = input.u32()? as usize;
    let nodes = input.u32()? as usize;
    let splits = shape(input, trees, nodes)?;
    let count = (nodes - trees) / 2;
    let asked = narrow(input, count, signals.len())?;
    let most = questions.iter().map(Questions::count).max().unwrap_or(0);
    let indices = narrow(input, count, most)?;
    let fits = |(&signal, &index): (&u16, &u16)| {
        questions
            .get(usize::from(signal))
            .is_some_and(|questions| usize::from(index) < questions.count())
    };
    if !asked.iter().zip(&indices).all(fits) {
        return input.invalid("a split asks a question that is not there");
    }
    let shares: Vec<Share> =
        input.u16s(if packing.covers { count } else { 0 })?.into_iter().map(Share).collect();
    if !shares.iter().all(|share| share.is_valid()) {
        return input.invalid("a cover is no share");
    }
    let leaves = leaves(input, packing.leaves, trees, nodes - count)?;
    Some(PackedTrees {
        base_margin,
        questions,
        splits,
        trees,
        signals: asked,
        indices,
        shares,
        leaves,
    })
}

fn finite(input: &mut Reader) -> Option<f64> {
    let number = input.f64()?;
    if bounded(number) { Some(number) } else { input.invalid("a number is too large, or none") }
}

fn questions_about(input: &mut Reader, signal: &Signal) -> Option<Questions> {
    let count = usize::from(input.u16()?);
    if let SignalKind::Category { levels } = &signal.kind {
        let bits = input.take(count * set_bytes(levels.len()))?.to_vec();
        return Some(Questions::Outside { count, bits });
    }
    let missing_no = usize::from(input.u16()?);
    if missing_no > count {
        return input.invalid("there are more cuts of one side than cuts");
    }
    let (values, rising) = match usize::from(input.u8()?) {
        width @ 2..=4 => {
            let values: Vec<f32> = input.take(count * width)?.chunks(width).map(upper).collect();
            let (no, yes) = values.split_at(missing_no);
            let rising = rising(no) && rising(yes);
            (CutValues::F32(values), rising)
        }
        8 => {
            let values = input.f64s(count)?;
            let (no, yes) = values.split_at(missing_no);
            let rising = rising(no) && rising(yes);
            (CutValues::F64(values), rising)
        }
        _ => return input.invalid("the width of cuts is unknown"),
    };
    if !rising {
        return input.invalid("the cuts of a signal do not rise");
    }
    Some(Questions::Above(Cuts { missing_no, values }))
}

/// The `f32` whose upper bytes these are.
fn upper(bytes: &[u8]) -> f32 {
    let bits = bytes.iter().rev().fold(0, |bits, &byte| bits << 8 | u32::from(byte));
    f32::from_bits(bits << (8 * (4 - bytes.len())))
}

/// Whether numbers rise strictly; NaN never does.
fn rising<T: PartialOrd>(numbers: &[T]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
        && numbers.iter().all(|number| number.partial_cmp(number).is_some())
}

fn shape(input: &mut Reader, trees: usize, nodes: usize) -> Option<Vec<bool>> {
    let bits = input.take(nodes.div_ceil(8))?;
    let splits: Vec<bool> = (0..nodes).map(|at| bits[at / 8] >> (at % 8) & 1 == 1).collect();
    // Depths at which right children are still to come.
    let mut open: Vec<usize> = Vec::new();
    let (mut found, mut depth) = (0, 0);
    for &splits in &splits {
        if splits {
            depth += 1;
            if depth > MOST_DEPTH {
                return input.invalid("a tree is deeper than 200 splits");
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
    if open.is_empty() && found == trees {
        Some(splits)
    } else {
        input.invalid("the trees are not whole")
    }
}

fn narrow(input: &mut Reader, length: usize, count: usize) -> Option<Vec<u16>> {
    if count <= 256 {
        Some(input.take(length)?.iter().map(|&byte| u16::from(byte)).collect())
    } else {
        input.u16s(length)
    }
}

fn leaves(input: &mut Reader, format: Leaves, trees: usize, count: usize) -> Option<PackedLeaves> {
    let (leaves, finite) = match format {
        Leaves::Steps16 => {
            let scales = input.u16s(trees)?;
            let finite =
                scales.iter().all(|&scale| bounded(f64::from(step_scale(scale)) * 32_768.0));
            (PackedLeaves::Steps16 { scales, steps: input.i16s(count)? }, finite)
        }
        Leaves::F32 => {
            let values = input.f32s(count)?;
            let finite = values.iter().all(|&value| bounded(f64::from(value)));
            (PackedLeaves::F32(values), finite)
        }
        Leaves::F64 => {
            let values = input.f64s(count)?;
            let finite = values.iter().all(|&value| bounded(value));
            (PackedLeaves::F64(values), finite)
        }
    };
    if finite { Some(leaves) } else { input.invalid("a leaf is too large, or no number") }
}

fn additive(input: &mut Reader, signals: &[Signal]) -> Option<AdditiveModel> {
    let bias = finite(input)?;
    let count = input.count()?;
    let mut groups = Vec::new();
    for _ in 0..count {
        groups.push(group(input, signals)?);
    }
    Some(AdditiveModel { signals: Vec::new(), bias, groups })
}

fn group(input: &mut Reader, signals: &[Signal]) -> Option<Group> {
    let (at_least, at_most) = (input.f64()?, input.f64()?);
    if at_least.partial_cmp(&at_most).is_none_or(|order| order.is_gt()) {
        return input.invalid("a group's caps are out of order");
    }
    let count = input.count()?;
    let mut terms = Vec::new();
    for _ in 0..count {
        terms.push(term(input, signals)?);
    }
    let group = Group { terms, at_least, at_most };
    if group.is_capped() && group.players().len() > Group::MOST_CAPPED_SIGNALS {
        return input.invalid("too many signals stand under one cap");
    }
    Some(group)
}

fn term(input: &mut Reader, signals: &[Signal]) -> Option<Term> {
    let signal = input.u16()?;
    let kind = signals.get(usize::from(signal)).map(|signal| &signal.kind);
    let Some(kind) = kind else { return input.invalid("a term reads a signal that is not there") };
    let (missing, usual) = (finite(input)?, finite(input)?);
    let effect = match (input.u8()?, kind) {
        (tag::LEVELS, SignalKind::Category { levels }) => {
            Effect::Levels { other: finite(input)?, points: all_finite(input, levels.len())? }
        }
        (_, SignalKind::Category { .. }) => {
            return input.invalid("an effect does not fit its signal");
        }
        (tag::PER_UNIT, _) => {
            let (points, from, to) = (finite(input)?, input.f64()?, input.f64()?);
            if from.partial_cmp(&to).is_none_or(|order| order.is_gt()) {
                return input.invalid("an effect's range is out of order");
            }
            Effect::PerUnit { points, from, to }
        }
        (tag::STEPS, _) => {
            let count = input.count()?;
            let numbers = input.f64s(2 * count)?;
            let steps: Vec<Step> =
                numbers.as_chunks().0.iter().map(|&[from, points]| Step { from, points }).collect();
            if !steps.iter().all(|step| bounded(step.points) && !step.from.is_nan())
                || !steps.windows(2).all(|pair| pair[0].from < pair[1].from)
            {
                return input.invalid("the steps of an effect do not rise");
            }
            Effect::Steps(steps)
        }
        _ => return input.invalid("an effect does not fit its signal"),
    };
    Some(Term { signal, effect, missing, usual })
}

fn all_finite(input: &mut Reader, count: usize) -> Option<Vec<f64>> {
    let numbers = input.f64s(count)?;
    if numbers.iter().all(|&number| bounded(number)) {
        Some(numbers)
    } else {
        input.invalid("a number is too large, or none")
    }
}

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
    let mut header = Reader::new(bytes);
    header.take(MAGIC.len())?;
    let version = header.u8()?;
    if version != VERSION {
        return Err(ModelError::Version { found: version });
    }
    let kind = header.u8()?;
    let flags = header.u16()?;
    let length = header.u32()? as usize;
    if bytes.len() < length || length < header.position() + 4 {
        return Err(ModelError::Truncated { at: bytes.len() });
    }
    if bytes.len() > length {
        return Err(ModelError::Trailing { at: length });
    }
    let (sealed, crc) = bytes.split_at(length - 4);
    let (found, expected) = (crc32(sealed), Reader::new(crc).u32()?);
    if found != expected {
        return Err(ModelError::Checksum { found, expected });
    }
    let mut input = Reader::new(sealed);
    input.take(header.position())?;
    let packed = body(&mut input, kind, flags)?;
    if input.is_empty() { Ok(packed) } else { Err(invalid(&input, "bytes are left over")) }
}

fn invalid(input: &Reader, what: &'static str) -> ModelError {
    ModelError::Invalid { at: input.position(), what }
}

fn body(input: &mut Reader, kind: u8, flags: u16) -> Result<Packed, ModelError> {
    let packing = packing(flags).ok_or_else(|| invalid(input, "a flag is unknown"))?;
    let name = input.text()?;
    let calibration = calibration(input)?;
    calibration.check()?;
    let scale = Scale::through(knots(input)?)?;
    let bands = Bands { not_below: input.f64()?, qualified_from: input.f64()? };
    if !(0.0 <= bands.not_below
        && bands.not_below <= bands.qualified_from
        && bands.qualified_from.is_finite())
    {
        return Err(invalid(input, "the bands are out of order"));
    }
    let wanted_fpr = Some(input.f64()?).filter(|rate| !rate.is_nan());
    let signals = signals(input, packing)?;
    let kind = match kind {
        tag::TREES => PackedKind::Trees(trees(input, &signals, packing)?),
        tag::POINTS => PackedKind::Points(additive(input, &signals)?),
        tag::LOGISTIC => PackedKind::Logistic(additive(input, &signals)?),
        _ => return Err(invalid(input, "the kind of model is unknown")),
    };
    Ok(Packed { name, calibration, scale, bands, wanted_fpr, packing, signals, kind })
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

fn calibration(input: &mut Reader) -> Result<Calibration, ModelError> {
    Ok(match input.u8()? {
        tag::PLATT => Calibration::Platt { slope: input.f64()?, intercept: input.f64()? },
        tag::BETA => Calibration::Beta { a: input.f64()?, b: input.f64()?, c: input.f64()? },
        tag::KNOTS => Calibration::Knots(knots(input)?),
        tag::SHARE => Calibration::Share { zero: input.f64()?, one: input.f64()? },
        _ => return Err(invalid(input, "the kind of calibration is unknown")),
    })
}

fn knots(input: &mut Reader) -> Result<Vec<Knot>, ModelError> {
    let count = usize::from(input.u16()?);
    let numbers = input.f64s(2 * count)?;
    Ok(numbers.as_chunks().0.iter().map(|&[x, y]| Knot { x, y }).collect())
}

fn signals(input: &mut Reader, packing: Packing) -> Result<Vec<Signal>, ModelError> {
    let count = input.count()?;
    if count > 1 << 16 {
        return Err(invalid(input, "there are more than 65,536 signals"));
    }
    (0..count).map(|_| signal(input, packing)).collect()
}

fn signal(input: &mut Reader, packing: Packing) -> Result<Signal, ModelError> {
    let id = input.u32()?;
    let name = input.text()?;
    let kind = match input.u8()? {
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
                    return Err(invalid(input, "a level's text and hash differ"));
                }
                levels.push(level);
            }
            SignalKind::Category { levels }
        }
        _ => return Err(invalid(input, "the kind of a signal is unknown")),
    };
    Ok(Signal { id, name, kind })
}

fn trees(
    input: &mut Reader,
    signals: &[Signal],
    packing: Packing,
) -> Result<PackedTrees, ModelError> {
    let base_margin = finite(input)?;
    let questions =
        signals.iter().map(|signal| questions(input, signal)).collect::<Result<Vec<_>, _>>()?;
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
        return Err(invalid(input, "a split asks a question that is not there"));
    }
    let shares: Vec<Share> =
        input.u16s(if packing.covers { count } else { 0 })?.into_iter().map(Share).collect();
    if !shares.iter().all(|share| share.is_valid()) {
        return Err(invalid(input, "a cover is no share"));
    }
    let leaves = leaves(input, packing.leaves, trees, nodes - count)?;
    Ok(PackedTrees {
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

fn finite(input: &mut Reader) -> Result<f64, ModelError> {
    let number = input.f64()?;
    if bounded(number) { Ok(number) } else { Err(invalid(input, "a number is too large, or none")) }
}

fn questions(input: &mut Reader, signal: &Signal) -> Result<Questions, ModelError> {
    let count = usize::from(input.u16()?);
    if let SignalKind::Category { levels } = &signal.kind {
        let bits = input.take(count * set_bytes(levels.len()))?.to_vec();
        return Ok(Questions::Outside { count, bits });
    }
    let missing_no = usize::from(input.u16()?);
    if missing_no > count {
        return Err(invalid(input, "there are more cuts of one side than cuts"));
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
        _ => return Err(invalid(input, "the width of cuts is unknown")),
    };
    if !rising {
        return Err(invalid(input, "the cuts of a signal do not rise"));
    }
    Ok(Questions::Above(Cuts { missing_no, values }))
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

fn shape(input: &mut Reader, trees: usize, nodes: usize) -> Result<Vec<bool>, ModelError> {
    let bits = input.take(nodes.div_ceil(8))?;
    let splits: Vec<bool> = (0..nodes).map(|at| bits[at / 8] >> (at % 8) & 1 == 1).collect();
    // Depths at which right children are still to come.
    let mut open: Vec<usize> = Vec::new();
    let (mut found, mut depth) = (0, 0);
    for &splits in &splits {
        if splits {
            depth += 1;
            if depth > MOST_DEPTH {
                return Err(invalid(input, "a tree is deeper than 200 splits"));
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
        Ok(splits)
    } else {
        Err(invalid(input, "the trees are not whole"))
    }
}

fn narrow(input: &mut Reader, length: usize, count: usize) -> Result<Vec<u16>, ModelError> {
    if count <= 256 {
        Ok(input.take(length)?.iter().map(|&byte| u16::from(byte)).collect())
    } else {
        input.u16s(length)
    }
}

fn leaves(
    input: &mut Reader,
    format: Leaves,
    trees: usize,
    count: usize,
) -> Result<PackedLeaves, ModelError> {
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
    if finite { Ok(leaves) } else { Err(invalid(input, "a leaf is too large, or no number")) }
}

fn additive(input: &mut Reader, signals: &[Signal]) -> Result<AdditiveModel, ModelError> {
    let bias = finite(input)?;
    let count = input.count()?;
    let groups = (0..count).map(|_| group(input, signals)).collect::<Result<Vec<_>, _>>()?;
    Ok(AdditiveModel { signals: Vec::new(), bias, groups })
}

fn group(input: &mut Reader, signals: &[Signal]) -> Result<Group, ModelError> {
    let (at_least, at_most) = (input.f64()?, input.f64()?);
    if at_least.partial_cmp(&at_most).is_none_or(|order| order.is_gt()) {
        return Err(invalid(input, "a group's caps are out of order"));
    }
    let count = input.count()?;
    let terms = (0..count).map(|_| term(input, signals)).collect::<Result<Vec<_>, _>>()?;
    let group = Group { terms, at_least, at_most };
    if group.is_capped() && group.players().len() > Group::MOST_CAPPED_SIGNALS {
        return Err(invalid(input, "too many signals stand under one cap"));
    }
    Ok(group)
}

fn term(input: &mut Reader, signals: &[Signal]) -> Result<Term, ModelError> {
    let signal = input.u16()?;
    let kind = signals.get(usize::from(signal)).map(|signal| &signal.kind);
    let kind = kind.ok_or_else(|| invalid(input, "a term reads a signal that is not there"))?;
    let (missing, usual) = (finite(input)?, finite(input)?);
    let effect = match (input.u8()?, kind) {
        (tag::LEVELS, SignalKind::Category { levels }) => {
            Effect::Levels { other: finite(input)?, points: all_finite(input, levels.len())? }
        }
        (_, SignalKind::Category { .. }) => {
            return Err(invalid(input, "an effect does not fit its signal"));
        }
        (tag::PER_UNIT, _) => {
            let (points, from, to) = (finite(input)?, input.f64()?, input.f64()?);
            if from.partial_cmp(&to).is_none_or(|order| order.is_gt()) {
                return Err(invalid(input, "an effect's range is out of order"));
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
                return Err(invalid(input, "the steps of an effect do not rise"));
            }
            Effect::Steps(steps)
        }
        _ => return Err(invalid(input, "an effect does not fit its signal")),
    };
    Ok(Term { signal, effect, missing, usual })
}

fn all_finite(input: &mut Reader, count: usize) -> Result<Vec<f64>, ModelError> {
    let numbers = input.f64s(count)?;
    if numbers.iter().all(|&number| bounded(number)) {
        Ok(numbers)
    } else {
        Err(invalid(input, "a number is too large, or none"))
    }
}

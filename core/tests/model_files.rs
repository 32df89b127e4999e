//! Model files: what is stored stays, what is broken is refused, nothing panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod oracle;

use oracle::{Growth, Random, forest, margin, row};
use rapport_core::binary::crc32;
use rapport_core::model::{
    AdditiveModel, Bands, Calibration, Effect, EncodeError, Group, Kind, Knot, LeadModel, Leaves,
    LevelHash, Model, ModelError, Notation, Packing, Scale, Signal, SignalKind, Step, Term, decode,
    encode,
};
use rapport_core::scoring::{Explainer, points, score};
use std::path::Path;

const BANDS: Bands = Bands { not_below: 0.3, qualified_from: 0.7 };
const GROWTH: Growth = Growth { trees: 9, depth: 6, splits: 30, numbers: 6, categories: 2 };

fn tree_model(packing: Packing) -> LeadModel {
    LeadModel {
        packing,
        ..LeadModel::of_trees("trees", forest(&mut Random::new(4), GROWTH), BANDS)
    }
}

fn points_model() -> LeadModel {
    let number = |name: &str| Signal { id: 7, ..Signal::new(name, SignalKind::Number) };
    let levels = ["DE", "US"].map(str::to_owned).to_vec();
    let term = |signal, effect| Term { signal, effect, missing: 0.0, usual: 0.0 };
    let steps = vec![Step { from: 0.0, points: 3.0 }, Step { from: 10.0, points: 12.0 }];
    let group = Group {
        terms: vec![
            term(0, Effect::PerUnit { points: 2.5, from: 0.0, to: 20.0 }),
            term(1, Effect::Levels { points: vec![10.0, -5.0], other: 1.0 }),
        ],
        at_least: 0.0,
        at_most: 30.0,
    };
    LeadModel {
        name: "points".to_owned(),
        kind: Kind::Points(AdditiveModel {
            signals: vec![
                number("visits"),
                Signal { id: 8, ..Signal::new("country", SignalKind::Category { levels }) },
                number("days"),
            ],
            bias: 5.0,
            groups: vec![group, Group::uncapped(vec![term(2, Effect::Steps(steps))])],
        }),
        calibration: Calibration::Share { zero: 0.0, one: 60.0 },
        scale: Scale::through(
            [(0.0, 0.0), (0.4, 0.7), (1.0, 1.0)].map(|(x, y)| Knot { x, y }).to_vec(),
        )
        .unwrap(),
        bands: BANDS,
        wanted_fpr: Some(0.016),
        packing: Packing::COMPACT,
    }
}

#[test]
fn what_was_decoded_packs_to_the_same_bytes() {
    let f32_leaves = Packing { leaves: Leaves::F32, ..Packing::COMPACT };
    for model in [Packing::COMPACT, Packing::EXACT, f32_leaves]
        .map(tree_model)
        .into_iter()
        .chain([points_model()])
    {
        let bytes = encode(&model).unwrap();
        assert_eq!(encode(&decode(&bytes).unwrap()).unwrap(), bytes, "{}", model.name);
    }
}

#[test]
fn the_golden_files_still_decode_and_pack_to_their_bytes() {
    let folder = Path::new("../conformance/models");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rpm") {
            let bytes = std::fs::read(&path).unwrap();
            assert!(encode(&decode(&bytes).unwrap()).unwrap() == bytes, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 10);
}

#[test]
fn an_exact_file_keeps_margins_and_a_compact_one_comes_close() {
    let authored = forest(&mut Random::new(4), GROWTH);
    let exact = Model::open(&encode(&tree_model(Packing::EXACT)).unwrap()).unwrap();
    let compact = Model::open(&encode(&tree_model(Packing::COMPACT)).unwrap()).unwrap();
    let mut random = Random::new(5);
    for _ in 0..500 {
        let values = row(&mut random, &authored.signals);
        let expected = margin(&authored, &values);
        let of = |model: &Model| {
            let mut row = model.row();
            model.fill(&mut row, &values);
            model.predict(&row).0
        };
        assert!((of(&exact) - expected).abs() < 1e-13);
        assert!((of(&compact) - expected).abs() < 1e-4);
    }
}

#[test]
fn filling_a_row_and_setting_its_signals_is_the_same() {
    let model = Model::open(&encode(&tree_model(Packing::COMPACT)).unwrap()).unwrap();
    let mut random = Random::new(6);
    let (mut filled, mut set) = (model.row(), model.row());
    for _ in 0..500 {
        let values = row(&mut random, model.signals());
        model.fill(&mut filled, &values);
        values.iter().enumerate().for_each(|(signal, &value)| model.set(&mut set, signal, value));
        assert_eq!(model.predict(&filled).0.to_bits(), model.predict(&set).0.to_bits());
    }
}

#[test]
fn levels_travel_as_hashes_where_their_names_stay_at_home() {
    let packing = Packing { level_names: false, ..Packing::COMPACT };
    let model = Model::open(&encode(&LeadModel { packing, ..points_model() }).unwrap()).unwrap();
    assert_eq!(model.level(1, LevelHash::of("US")), 1.0);
    assert_eq!(model.level(1, LevelHash::of(" US ")), 1.0);
    assert_eq!(model.level(1, LevelHash::of("FR")), 2.0);
    let SignalKind::Category { levels } = &model.signals()[1].kind else { panic!("a category") };
    assert!(levels.iter().all(|level| level.starts_with('#')), "{levels:?}");
}

#[test]
fn damaged_files_are_refused_with_what_is_wrong() {
    let bytes = encode(&tree_model(Packing::COMPACT)).unwrap();
    let refusal = |bytes: &[u8]| Model::open(bytes).err().unwrap();
    assert_eq!(refusal(b"hello"), ModelError::NotAModel);
    assert_eq!(refusal(&[]), ModelError::NotAModel);
    assert_eq!(refusal(&bytes[..bytes.len() - 1]), ModelError::Truncated { at: bytes.len() - 1 });
    assert_eq!(
        refusal(&[bytes.as_slice(), b"!"].concat()),
        ModelError::Trailing { at: bytes.len() }
    );
    let mut newer = bytes.clone();
    newer[4] = 9;
    assert_eq!(refusal(&newer), ModelError::Version { found: 9 });
    for at in 5..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        assert!(Model::open(&flipped).is_err(), "a flipped bit at {at}");
    }
}

/// Damage behind a right checksum: the file opens or is refused, and what opens can be used.
#[test]
fn no_file_however_broken_makes_the_engine_panic() {
    let rounds = if std::env::var_os("RAPPORT_SOAK").is_some() { 400_000 } else { 6_000 };
    let originals = [tree_model(Packing::COMPACT), tree_model(Packing::EXACT), points_model()]
        .map(|m| encode(&m).unwrap());
    let mut random = Random::new(7);
    let mut opened = 0;
    for round in 0..rounds {
        let mut bytes = originals[round % originals.len()].clone();
        for _ in 0..1 + random.below(4) {
            let at = 4 + random.below(bytes.len() - 8);
            match random.below(5) {
                0 => bytes[at] = random.next() as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes[at] = 0xFF,
                3 => drop(bytes.splice(at..at, [random.next() as u8])),
                _ => drop(bytes.remove(at)),
            }
        }
        let end = bytes.len() - 4;
        let length = bytes.len() as u32;
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        let crc = crc32(&bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        let Ok(model) = Model::open(&bytes) else { continue };
        opened += 1;
        let mut filled = model.row();
        let values = row(&mut random, model.signals());
        model.fill(&mut filled, &values);
        let scored = score(&model, &filled);
        assert!(scored.score.0 <= 100 && (0.0..=1.0).contains(&scored.probability.0), "{scored:?}");
        if let Ok(explanation) = Explainer::new(&model).explain(&model, &filled) {
            points(&model, explanation);
        }
        encode(&decode(&bytes).unwrap()).unwrap();
    }
    assert!(opened > rounds / 20, "{opened} of {rounds} opened");
}

#[test]
fn how_the_training_table_was_written_is_kept() {
    let all = [
        Notation::Untold,
        Notation::DecimalPoint,
        Notation::DecimalComma,
        Notation::DayFirst,
        Notation::MonthFirst,
    ];
    for notation in all {
        let mut model = points_model();
        let Kind::Points(points) = &mut model.kind else { panic!("points") };
        points.signals[2] =
            Signal { kind: SignalKind::Date, notation, ..points.signals[2].clone() };
        let file = encode(&model).unwrap();
        assert_eq!(Model::open(&file).unwrap().signals()[2].notation, notation);
        assert_eq!(decode(&file).unwrap(), model);
    }
}

#[test]
fn levels_of_one_hash_are_refused_by_name() {
    // Both have the FNV-1a hash 0x2f2f0ec3… of 32 bits: "costarring" and "liquid".
    let levels = ["costarring", "liquid"].map(str::to_owned).to_vec();
    let mut model = tree_model(Packing::COMPACT);
    let Kind::Trees(trees) = &mut model.kind else { panic!("trees") };
    trees.signals.push(Signal::new("mood", SignalKind::Category { levels }));
    assert!(
        matches!(encode(&model), Err(EncodeError::LevelsCollide { .. })),
        "{:?}",
        encode(&model).err()
    );
}

//! The model that scores where a workspace has no other that core runs.

use rapport_core::model::{
    AdditiveModel, Bands, Calibration, Effect, EncodeError, Group, Kind, LeadModel, Signal,
    SignalKind, Term, encode,
};
use rapport_core::profile::{KindWire, SignalWire};

/// Points for what a visitor does: five for each time, up to four times, of whatever the bundle counts.
///
/// # Errors
/// Where the model cannot be packed.
pub fn built_in(signals: &[SignalWire]) -> Result<Vec<u8>, EncodeError> {
    const POINTS: f64 = 5.0;
    const TIMES: f64 = 4.0;
    let counts = |signal: &&SignalWire| {
        matches!(signal.kind, KindWire::Count {} | KindWire::Distinct { .. } | KindWire::Visits {})
    };
    let read: Vec<Signal> = signals
        .iter()
        .filter(counts)
        .map(|signal| Signal { id: signal.id, ..Signal::new("", SignalKind::Number) })
        .collect();
    let term = |(at, _)| Term {
        signal: at as u16,
        effect: Effect::PerUnit { points: POINTS, from: 0.0, to: TIMES },
        missing: 0.0,
        usual: 0.0,
    };
    let groups = read.iter().enumerate().map(term).map(|term| Group::uncapped(vec![term]));
    let groups = groups.collect();
    let points = AdditiveModel { signals: read, bias: 0.0, groups };
    let bands = Bands { not_below: 0.2, qualified_from: 0.6 };
    let model = LeadModel::of_logistic("built-in", points.clone(), bands);
    encode(&LeadModel {
        kind: Kind::Points(points),
        calibration: Calibration::Share { zero: 0.0, one: 100.0 },
        ..model
    })
}

//! The façade: fold an event in, decide, and say why.

use crate::bundle::{Said, Words, WordsError, put_whole};
use crate::event::{Event, Millis};
use crate::model::{
    self, Bands, LevelHash, Model, ModelError, Probability, Row, SignalKind, Tables,
};
use crate::profile::{Profile, ProfileError, Signals, SignalsError};
use crate::scoring::{Band, Explainer, Explanation, Scored, points};

mod brought;
mod frame;

pub use brought::{Brought, BroughtOpenError, Decided, Decider, Runs, ScoredBy};
pub use frame::Frame;

/// One workspace's signals, model and words, opened once and used for every visitor.
pub struct Engine {
    signals: Signals,
    words: Words,
    model: Model,
    slots: Vec<Slot>,
    row: Row,
    explainer: Explainer,
}

/// One input of the model.
struct Slot {
    /// Index into the signals.
    signal: u16,
    /// Hashes of the levels that the model knows, in its order.
    levels: Vec<u32>,
}

/// What a host wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// At most this many reasons; with 0 nothing is explained, and `base` is the score itself.
    pub reasons: usize,
    /// Whether to work out when time alone changes the score.
    pub next_change: bool,
}

/// What a model makes of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// 0 to 100.
    pub score: u8,
    /// The score of a visitor of whom nothing is known.
    pub base: u8,
    /// That the visitor qualifies, 0 to 1.
    pub probability: f64,
    pub band: Band,
    /// The strongest reasons, strongest first.
    pub reasons: Vec<Reason>,
    /// Points of all that `reasons` leaves out: base + reasons + rest = score.
    pub rest: i32,
    /// When this was true.
    pub as_of: Millis,
    /// Until then it stays true if nothing happens; `None` for ever, or where it was not wanted.
    pub next_change_at: Option<Millis>,
    /// How many events went in, and the hash of the last one's message id.
    pub events: u32,
    pub last_event: u64,
}

/// What one signal adds to a score or takes from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reason {
    /// Index into the engine's signals.
    pub signal: u16,
    /// The signal's stable id.
    pub id: u32,
    pub points: i32,
    /// NaN where missing, and for categories.
    pub value: f64,
    /// The level of a category.
    pub level: Option<u32>,
}

/// Why an engine does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Signals(#[from] SignalsError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Words(#[from] WordsError),
    #[error(
        "the model reads signal {0}, which the bundle does not declare: publish the model anew"
    )]
    MissingSignal(u32),
    #[error("the model reads signal {0} as another kind than the bundle declares: train it anew")]
    Kind(u32),
}

impl Engine {
    /// Opens the three parts that a decision needs.
    ///
    /// # Errors
    /// Says which part is refused and why; also where the model does not fit the signals.
    pub fn open(signals: &[u8], model: &[u8], words: &[u8]) -> Result<Self, OpenError> {
        Self::with(signals, model, Words::open(words)?, Tables::All)
    }

    /// Opens what scores need: this engine gives no reasons. A page opens the other one when somebody asks.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open_scores(signals: &[u8], model: &[u8]) -> Result<Self, OpenError> {
        Self::with(signals, model, Words::default(), Tables::Scores)
    }

    fn with(signals: &[u8], model: &[u8], words: Words, tables: Tables) -> Result<Self, OpenError> {
        let signals = Signals::open(signals)?;
        // The tables come last: nothing is refused behind them, so that nobody has to take them down.
        let model = model::read(model)?;
        let mut slots = Vec::with_capacity(model.signals.len());
        for read in &model.signals {
            let found = match read.id {
                0 => signals.index_of_name(&read.name),
                id => signals.index_of(id),
            };
            let signal = found.ok_or(OpenError::MissingSignal(read.id))?;
            let mut slot = Slot { signal: signal as u16, levels: Vec::new() };
            let is_category = signals.get(signal).is_some_and(|signal| signal.kind.is_category());
            match &read.kind {
                SignalKind::Category { levels } if is_category => {
                    levels.iter().for_each(|level| slot.levels.push(LevelHash::of(level).0));
                }
                SignalKind::Category { .. } => return Err(OpenError::Kind(read.id)),
                _ if is_category => return Err(OpenError::Kind(read.id)),
                _ => {}
            }
            slots.push(slot);
        }
        let model = Model::of(model, tables);
        let row = model.row();
        Ok(Self { signals, words, model, slots, row, explainer: Explainer::default() })
    }

    /// The declared signals.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// The words that reasons are made of.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// The band that a shown score is in; at its edges scores of two bands are shown alike.
    pub fn band_of(&self, score: u8) -> Band {
        let Bands { not_below, qualified_from } = self.model.bands();
        let edge = |probability| (self.model.fine_score(Probability(probability)) + 0.5).floor();
        let score = f64::from(score);
        if score >= edge(qualified_from) {
            Band::Qualified
        } else if score < edge(not_below) {
            Band::Not
        } else {
            Band::Undecided
        }
    }

    /// The profile of a visitor who did nothing yet.
    pub fn new_profile(&self) -> Profile {
        Profile::new(&self.signals)
    }

    /// Reads a stored profile.
    ///
    /// # Errors
    /// See [`Profile::open`].
    pub fn open_profile(&self, bytes: &[u8]) -> Result<Profile, ProfileError> {
        Profile::open(bytes, &self.signals)
    }

    /// Folds an event in.
    pub fn fold(&self, profile: &mut Profile, event: &Event<'_>, now: Millis) {
        profile.fold(&self.signals, event, now);
    }

    /// Scores a profile as it is at `now`, and explains the score.
    pub fn decide(&mut self, profile: &Profile, now: Millis, want: Want) -> Decision {
        let scored = self.score(profile, now);
        let mut decision = Decision::unexplained(profile, now, scored);
        if want.reasons > 0 {
            self.explain(profile, want.reasons, &mut decision);
        }
        if want.next_change {
            decision.next_change_at = self.next_change(profile, now, scored);
        }
        decision
    }

    /// Appends a reason in words, with its points: "visited pricing 3 times in 2 days: +14".
    pub fn say(&self, profile: &Profile, decision: &Decision, reason: &Reason, out: &mut String) {
        self.describe(profile, decision, reason, out);
        out.push_str(if reason.points < 0 { ": -" } else { ": +" });
        put_whole(out, u64::from(reason.points.unsigned_abs()));
    }

    /// Appends a reason in words, for hosts that show its points otherwise.
    pub fn describe(
        &self,
        profile: &Profile,
        decision: &Decision,
        reason: &Reason,
        out: &mut String,
    ) {
        let said = Said { id: reason.id, value: reason.value, level: reason.level };
        let other = |index: usize| Said {
            id: self.signals.get(index).map_or(0, |signal| signal.id),
            value: profile.value(&self.signals, index, decision.as_of),
            level: profile.level(index),
        };
        self.words.say(said, &other, out);
    }

    fn score(&mut self, profile: &Profile, now: Millis) -> Scored {
        self.fill(profile, now);
        Scored::at(&self.model, self.model.predict(&self.row))
    }

    /// Writes what the model reads of a profile into the row.
    #[inline(always)] // pages come here by one way
    fn fill(&mut self, profile: &Profile, now: Millis) {
        for (index, slot) in self.slots.iter().enumerate() {
            let signal = usize::from(slot.signal);
            let value = match profile.level(signal) {
                Some(hash) => {
                    slot.levels.iter().position(|level| *level == hash).unwrap_or(slot.levels.len())
                        as f64
                }
                None => profile.value(&self.signals, signal, now),
            };
            self.model.set(&mut self.row, index, value);
        }
    }

    /// Fills in base, reasons and rest; a model that was packed without covers gives none.
    #[cfg_attr(target_arch = "wasm32", inline(never))] // apart: pages compile what they run
    fn explain(&mut self, profile: &Profile, most: usize, decision: &mut Decision) {
        let mut explainer = core::mem::take(&mut self.explainer);
        if let Ok(explanation) = explainer.explain(&self.model, &self.row) {
            self.give_reasons(profile, most, decision, explanation);
        }
        self.explainer = explainer;
    }

    /// As [`Engine::explain`], from an explanation of the model's margin.
    #[cfg_attr(target_arch = "wasm32", inline(always))]
    fn give_reasons(
        &self,
        profile: &Profile,
        most: usize,
        decision: &mut Decision,
        explanation: &Explanation,
    ) {
        let points = points(&self.model, explanation);
        decision.base = points.base.0;
        let mut left = points.points;
        decision.rest = left.iter().map(|points| i32::from(*points)).sum();
        for _ in 0..most.min(left.len()) {
            // Few of many are wanted: looking for the best so often is less than sorting all.
            let mut best = (0, 0.0, 0);
            for (index, (points, phi)) in left.iter().zip(&explanation.contributions).enumerate() {
                if (points.unsigned_abs(), phi.abs()) > (best.0, best.1) && *points != 0 {
                    best = (points.unsigned_abs(), phi.abs(), index);
                }
            }
            let (Some(slot), Some(points)) = (self.slots.get(best.2), left.get_mut(best.2)) else {
                return;
            };
            let points = i32::from(core::mem::take(points));
            if points == 0 {
                return;
            }
            let signal = usize::from(slot.signal);
            decision.rest -= points;
            decision.reasons.push(Reason {
                signal: slot.signal,
                id: self.signals.get(signal).map_or(0, |signal| signal.id),
                points,
                value: profile.value(&self.signals, signal, decision.as_of),
                level: profile.level(signal),
            });
        }
    }

    /// Tree models change where a signal passes a cut. Other models are tried at times that double
    /// from one minute on, and the first change is then halved down to the minute.
    fn next_change(&mut self, profile: &Profile, now: Millis, scored: Scored) -> Option<Millis> {
        if self.model.cuts(0).is_some() {
            let changes = self.slots.iter().enumerate().filter_map(|(index, slot)| {
                let cuts = self.model.cuts(index).unwrap_or_default();
                profile.next_change(&self.signals, usize::from(slot.signal), now, &cuts)
            });
            return changes.min();
        }
        Some(tried(now, |at| {
            let later = self.score(profile, at);
            later.score == scored.score && later.band == scored.band
        }))
    }
}

/// When something stops being the same, as trying tells; see [`Engine::next_change`].
fn tried(now: Millis, mut same: impl FnMut(Millis) -> bool) -> Millis {
    let (mut good, mut bad) = (0, Millis::MINUTE);
    while same(now.plus(bad)) {
        (good, bad) = (bad, 2 * bad);
        if bad > LOOK_AHEAD {
            return now.plus(LOOK_AHEAD);
        }
    }
    while bad - good > Millis::MINUTE {
        let middle = good + (bad - good) / 2;
        if same(now.plus(middle)) { good = middle } else { bad = middle }
    }
    now.plus(good.max(1))
}

impl Decision {
    /// A score and nothing more.
    #[inline(always)] // pages come here by one way
    fn unexplained(profile: &Profile, now: Millis, scored: Scored) -> Self {
        Self {
            score: scored.score.0,
            base: scored.score.0,
            probability: scored.probability.0,
            band: scored.band,
            reasons: Vec::new(),
            rest: 0,
            as_of: now,
            next_change_at: None,
            events: profile.events(),
            last_event: profile.last_event(),
        }
    }
}

/// How far ahead the scores of models without cuts are looked at.
const LOOK_AHEAD: i64 = 30 * Millis::DAY;

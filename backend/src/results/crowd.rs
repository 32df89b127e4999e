//! Whom an experiment was shown to, person by person, and what they did.

use super::reading::landing_key;
use super::store::{Conversion, Exposure, LeafSeen};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Problem, StoreError};
use crate::experiments::{Definition, Kind, variation_keys};
use crate::identity::{Scope, SubjectId};
use crate::profiles::Who;
use rapport_core::stats::Arrivals;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const DAY: f64 = 86_400_000.0;

/// Whom an experiment was shown to.
pub struct Crowd {
    /// Who counts.
    pub seen: BTreeMap<SubjectId, Seen>,
    /// Everybody with an exposure, also those who do not count.
    known: BTreeSet<SubjectId>,
    pub arrivals: Vec<Arrivals>,
    pub staff: u64,
    pub duplicates: u64,
    pub unknown: u64,
}

/// A person who saw exactly one variation.
#[derive(Debug)]
pub struct Seen {
    pub arm: usize,
    pub at: Millis,
    /// The lead score then; unknown where there was no profile.
    pub score: Option<f64>,
    /// What that score stands for by the model of now.
    pub band: Option<&'static str>,
    /// How much the score has risen since.
    pub rise: f64,
    pub leaf: Option<LeafSeen>,
    /// What was known of the person then, and could not be caused by what was shown.
    pub context: Map<String, Value>,
}

impl Crowd {
    /// Whom an experiment was shown to, as far as the log is read.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub fn of(
        app: &App,
        scope: Scope,
        people: &People<'_>,
        experiment: &Definition,
    ) -> Result<Self, StoreError> {
        let arms = variation_keys(&experiment.content);
        let exposures = app.results.exposures(scope, &experiment.key)?;
        let mut crowd = Self::together(people, &arms, exposures)?;
        let bundle = app.bundles.get(app, scope)?;
        for (person, seen) in &mut crowd.seen {
            let Some(profile) = app.profiles.profile(scope, *person)? else { continue };
            let points = profile.trail.points();
            let score = |before: usize| points.get(before.checked_sub(1)?).map(|(_, score)| *score);
            // As it was before anything could come of the exposure.
            let then = score(points.partition_point(|(at, _)| *at <= seen.at));
            seen.score = then.map(f64::from);
            let band = |score| Some(bundle.as_ref()?.engine().band_of(score).name());
            seen.band = then.and_then(band);
            let last = score(points.len()).map_or(0.0, f64::from);
            seen.rise = last - seen.score.unwrap_or(last);
        }
        Ok(crowd)
    }

    fn together(
        people: &People<'_>,
        arms: &[String],
        exposures: Vec<Exposure>,
    ) -> Result<Self, StoreError> {
        let mut of_person: BTreeMap<SubjectId, (BTreeMap<usize, Exposure>, bool)> = BTreeMap::new();
        let (mut staff, mut unknown) = (BTreeSet::new(), 0);
        for exposure in exposures {
            let Some(person) = people.person(exposure.subject)? else {
                staff.insert(people.who.person(exposure.subject)?);
                continue;
            };
            let Some(arm) = arms.iter().position(|arm| *arm == exposure.variation) else {
                unknown += 1;
                continue;
            };
            let (seen, bot) = of_person.entry(person).or_default();
            *bot |= exposure.bot;
            if seen.get(&arm).is_none_or(|first| exposure.at < first.at) {
                seen.insert(arm, exposure);
            }
        }
        let mut crowd = Self {
            seen: BTreeMap::new(),
            known: of_person.keys().copied().collect(),
            arrivals: vec![Arrivals::default(); arms.len()],
            staff: staff.len() as u64,
            duplicates: 0,
            unknown,
        };
        for (person, (mut seen, bot)) in of_person {
            let several = seen.len() > 1;
            for arm in seen.keys() {
                let Some(arrivals) = crowd.arrivals.get_mut(*arm) else { continue };
                arrivals.visitors += 1;
                arrivals.bots += u64::from(bot);
                arrivals.duplicates += u64::from(several);
            }
            crowd.duplicates += u64::from(several);
            if let (false, false, Some((arm, first))) = (several, bot, seen.pop_first()) {
                let Exposure { at, leaf, context, .. } = first;
                let seen = Seen { arm, at, score: None, band: None, rise: 0.0, leaf, context };
                crowd.seen.insert(person, seen);
            }
        }
        Ok(crowd)
    }

    /// Counts who came where a variation's redirect leads while it was tested, and of whom no exposure came.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub fn count_lost(
        &mut self,
        app: &App,
        scope: Scope,
        people: &People<'_>,
        experiment: &Definition,
    ) -> Result<(), StoreError> {
        let Some(start) = self.seen.values().map(|seen| seen.at).min() else { return Ok(()) };
        let keys = variation_keys(&experiment.content);
        for (arrivals, key) in self.arrivals.iter_mut().zip(keys) {
            let mut lost = BTreeSet::new();
            for landed in app.results.conversions(scope, &landing_key(&experiment.key, &key))? {
                if landed.at < start {
                    continue;
                }
                let person = people.person(landed.subject)?;
                lost.extend(person.filter(|person| !self.known.contains(person)));
            }
            arrivals.lost = lost.len() as u64;
        }
        Ok(())
    }
}

/// Who is who, and who works here.
pub struct People<'a> {
    who: Who<'a>,
    staff: BTreeSet<SubjectId>,
}

impl<'a> People<'a> {
    /// As a scope has it now.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub fn of(app: &'a App, scope: Scope) -> Result<Self, StoreError> {
        let who = Who::stored(app, scope);
        let mut staff = BTreeSet::new();
        for subject in app.results.staff(scope)? {
            staff.extend([subject, who.person(subject)?]);
        }
        Ok(Self { who, staff })
    }

    /// Who a subject is; `None` for whoever works here.
    fn person(&self, subject: SubjectId) -> Result<Option<SubjectId>, StoreError> {
        let person = self.who.person(subject)?;
        Ok((!self.staff.contains(&subject) && !self.staff.contains(&person)).then_some(person))
    }
}

/// A goal, and what everybody who counts did towards it.
pub struct Reached {
    pub key: String,
    pub revenue: bool,
    pub less_is_better: bool,
    of_person: BTreeMap<SubjectId, f64>,
}

impl Reached {
    /// What a crowd did towards a goal; `None` where there is no such goal.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub fn of(
        app: &App,
        scope: Scope,
        people: &People<'_>,
        crowd: &Crowd,
        key: &str,
    ) -> Result<Option<Self>, Problem> {
        let revisions = app.records.revisions(scope, Kind::Goal, key)?;
        let Some(goal) = revisions.into_iter().next() else { return Ok(None) };
        let window = goal.content.get("windowDays").and_then(Value::as_f64).map(|days| days * DAY);
        let mut of_person: BTreeMap<SubjectId, f64> = BTreeMap::new();
        for Conversion { subject, at, value, .. } in app.results.conversions(scope, key)? {
            let Some(person) = people.person(subject)? else { continue };
            let Some(seen) = crowd.seen.get(&person) else { continue };
            let since = (at - seen.at) as f64;
            if since >= 0.0 && window.is_none_or(|window| since <= window) {
                *of_person.entry(person).or_default() += value;
            }
        }
        let less = goal.content.get("lessIsBetter").and_then(Value::as_bool);
        Ok(Some(Self {
            key: key.to_owned(),
            revenue: goal.content.contains_key("value"),
            less_is_better: less == Some(true),
            of_person,
        }))
    }

    /// What a person's doing counts for: its worth, or 1 where it is about doing it at all.
    pub fn value(&self, person: SubjectId) -> f64 {
        match self.of_person.get(&person) {
            Some(worth) if self.revenue => *worth,
            Some(_) => 1.0,
            None => 0.0,
        }
    }

    /// Whether a person did it.
    pub fn did(&self, person: SubjectId) -> bool {
        self.of_person.contains_key(&person)
    }
}

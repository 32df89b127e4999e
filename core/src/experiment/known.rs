//! What core itself knows of a visitor, where conditions read it: attributes that begin with `$`.

use super::{Flags, Visitor};
use crate::event::Millis;
use crate::scoring::Band;
use crate::targeting::{Own, Scope, Value};
use std::borrow::Cow;

/// What core, or the host that asks it, knows of a visitor; no caller of the host says it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known<'a> {
    /// The time; without it nothing happens that has a schedule.
    pub now: Option<Millis>,
    /// 0 to 100; absent where nothing scores the visitor.
    pub score: Option<u8>,
    pub band: Option<Band>,
    pub grade: Option<&'a str>,
    /// What the visitor saw before.
    pub shown: Vec<Shown<'a>>,
}

/// How often a visitor saw an experience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    /// Its key.
    pub experience: &'a str,
    pub times: u32,
    pub last: Millis,
}

/// The ids that stand for an attribute where a caller gives none, the first one that there is: `id`
/// is the browser's, so that nobody changes variations by signing in.
pub fn stand_ins(attribute: &str) -> &'static [&'static str] {
    match attribute {
        "id" => &["anonymousId", "userId"],
        "anonymousId" => &["anonymousId"],
        "userId" => &["userId"],
        _ => &[],
    }
}

impl Flags {
    /// Puts what is known where conditions read it, over whatever a caller may have put there. What was
    /// shown so long ago that its cap counts anew was never shown.
    pub fn tell<'a>(&'a self, visitor: &mut Visitor<'a>, known: &Known<'a>) {
        let number = |number| Value::Number(number);
        let mut shown = Vec::new();
        for one in &known.shown {
            if !self.counts_anew(one, known.now) {
                let counted = [("times", f64::from(one.times)), ("last", one.last.0 as f64)];
                let counted = counted.map(|(name, count)| (name.into(), number(count)));
                shown.push((one.experience.into(), Value::Map(counted.into())));
            }
        }
        let text =
            |text: Option<&'a str>| text.map_or(Value::Null, |text| Value::Text(text.into()));
        // In the order of their numbers.
        let own = [
            known.now.map_or(Value::Null, |now| number(now.0 as f64)),
            known.score.map_or(Value::Null, |score| number(f64::from(score))),
            text(known.band.map(Band::name)),
            text(known.grade),
            Value::Map(shown),
        ];
        visitor.attributes.iter_mut().zip(own).for_each(|(place, value)| *place = value);
        let audiences = if self.asks_audiences { self.audiences_of(visitor) } else { Vec::new() };
        if let Some(place) = visitor.attributes.get_mut(Own::Audiences as usize) {
            let names = audiences.into_iter().map(|name| Value::Text(Cow::Borrowed(name)));
            *place = Value::List(names.collect());
        }
    }

    /// The names of the audiences that a visitor, of whom everything else is told, belongs to.
    pub fn audiences_of(&self, visitor: &Visitor<'_>) -> Vec<&str> {
        let scope = Scope::Visitor(&visitor.attributes);
        let meant = self.audiences.iter().filter(|one| one.condition.holds(scope, &self.groups));
        meant.map(|audience| &*audience.name).collect()
    }

    fn counts_anew(&self, shown: &Shown<'_>, now: Option<Millis>) -> bool {
        let experience = self.experiences.iter().find(|one| *one.key == *shown.experience);
        let cap = experience.and_then(|experience| experience.cap);
        match (cap.and_then(|cap| cap.days), now) {
            (Some(days), Some(now)) => {
                (now.0 as f64) - (shown.last.0 as f64) >= days * Millis::DAY as f64
            }
            _ => false,
        }
    }
}

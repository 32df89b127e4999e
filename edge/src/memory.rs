//! What an edge remembers of a visitor by the events that went through it: the profile, what was shown how
//! often, who got which variation. No id, no text: who reads it learns nothing of whom it is about.

use crate::bundle::OpenBundle;
use crate::edge::Settings;
use crate::visitor::VisitorWire;
use rapport_core::binary::fnv1a32;
use rapport_core::decide::Engine;
use rapport_core::event::{EventWire, Millis};
use rapport_core::experiment::{Flags, Mark, StickyBuckets};
use rapport_core::profile::Profile;
use rapport_core::targeting::Value;

/// Of so many events it is known that they were folded.
const HEARD: usize = 24;
/// Of so many experiences it is known how often they were shown.
const SHOWN: usize = 16;
const MARKS: usize = 16;
const MINUTE: i64 = 60_000;

/// What is remembered of one visitor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// The number of the secret that it was kept with.
    secret: usize,
    /// Stands for the visitor's id.
    whose: u64,
    /// Slim; empty where there is none.
    profile: Vec<u8>,
    /// Hashes of the latest events' ids: what a page sends again was folded already.
    heard: Vec<u32>,
    /// The latest first.
    shown: Vec<Showing>,
    /// The latest first.
    marks: Vec<Mark>,
}

/// How often an experience was shown, and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Showing {
    /// Hash of its key.
    experience: u32,
    times: u32,
    /// Minutes since 1970.
    last: u32,
}

impl Memory {
    /// Whether it is about the visitor with this id.
    pub fn is_of(&self, settings: &Settings, anonymous_id: &str) -> bool {
        self.whose == whose(settings, self.secret, anonymous_id)
    }

    /// The profile, as far as its signals are still declared.
    pub fn profile(&self, engine: &Engine) -> Option<Profile> {
        let bytes = Some(&self.profile).filter(|bytes| !bytes.is_empty())?;
        Profile::open_slim(bytes, engine.signals()).ok()
    }

    /// Whether an event was folded already.
    pub fn heard(&self, event: &EventWire) -> bool {
        let id = event.message_id.as_deref().map(|id| fnv1a32(id.as_bytes()));
        id.is_some_and(|id| self.heard.contains(&id))
    }

    /// By the keys of experiences how often they were shown, as `Asker` reads it.
    pub fn shown(&self, flags: &Flags) -> Value<'static> {
        let known = flags.experiences.iter().filter_map(|experience| {
            let hash = fnv1a32(experience.key.as_bytes());
            let found = self.shown.iter().find(|one| one.experience == hash)?;
            let counted = vec![
                ("times".into(), Value::Number(found.times.into())),
                ("last".into(), Value::Number((i64::from(found.last) * MINUTE) as f64)),
            ];
            Some((experience.key.to_string().into(), Value::Map(counted)))
        });
        Value::Map(known.collect())
    }

    /// Who got which variation; `value` says what stands for the visitor, by an attribute's name.
    pub fn sticky(
        &self,
        settings: &Settings,
        flags: &Flags,
        value: impl Fn(&str) -> Option<String>,
    ) -> StickyBuckets {
        flags.recall(&self.marks, salt(settings, self.secret), value)
    }

    /// What is remembered after these events of one browser; `None` where nothing is to be.
    pub fn after(
        before: Option<Self>,
        settings: &Settings,
        bundle: &OpenBundle,
        mut events: Vec<EventWire>,
        now: Millis,
        room: usize,
    ) -> Option<Self> {
        let last = events.iter().rev().find(|event| event.anonymous_id.is_some())?;
        let id = last.anonymous_id.clone()?;
        let before = before.filter(|memory| memory.is_of(settings, &id)).unwrap_or_default();
        let secret = before.secret;
        let sticky = before.sticky(settings, &bundle.flags, |name| id_named(last, name));
        let mut memory = Self { whose: whose(settings, 0, &id), secret: 0, ..before };
        if secret != 0 {
            memory.marks = sticky.marks(salt(settings, 0)).collect();
        }
        events.retain(|event| event.anonymous_id.as_ref() == Some(&id) && !memory.heard(event));
        let visitor = VisitorWire { events, ..VisitorWire::default() };
        let allowed = visitor.allowed();
        if !allowed.profiling {
            return None;
        }
        if allowed.personalization {
            memory.exposed(settings, bundle, &visitor.events, now);
        } else {
            (memory.shown, memory.marks) = Default::default();
        }
        for event in &visitor.events {
            let id = event.message_id.as_deref().unwrap_or_default();
            memory.heard.insert(0, fnv1a32(id.as_bytes()));
        }
        memory.heard.truncate(HEARD);
        let rest = room.saturating_sub(memory.length_of_rest());
        let profile = bundle.scoring(|engine| {
            let mut profile = memory.profile(engine).unwrap_or_else(|| engine.new_profile());
            visitor.fold(engine, &mut profile, now).ok()?;
            Some(profile.slim(engine.signals(), rest))
        });
        // Without a model nothing scores, and nothing need be folded.
        memory.profile = profile.flatten().unwrap_or(memory.profile);
        Some(memory)
    }

    /// Takes in what the page says that its visitor saw.
    fn exposed(
        &mut self,
        settings: &Settings,
        bundle: &OpenBundle,
        events: &[EventWire],
        now: Millis,
    ) {
        let (flags, mut news) = (&bundle.flags, StickyBuckets::default());
        for event in events {
            let said = |name: &str| event.properties.get(name).and_then(|value| value.as_str());
            let experiment = said("experimentId");
            let experience = match event.event.as_deref() {
                Some("Experience Viewed") => said("experienceId"),
                Some("Experiment Viewed") => experiment,
                _ => continue,
            };
            if let (Some(key), Some(variation)) = (experiment, said("variationId")) {
                flags.mark(&mut news, key, variation, |name| id_named(event, name));
            }
            let known =
                experience.filter(|key| flags.experiences.iter().any(|one| *one.key == **key));
            if let Some(key) = known {
                let time = event.event_time(now).unwrap_or(now);
                self.count(fnv1a32(key.as_bytes()), (time.0 / MINUTE) as u32);
            }
        }
        for mark in news.marks(salt(settings, 0)) {
            self.marks.retain(|known| known.asked != mark.asked);
            self.marks.insert(0, mark);
        }
        self.marks.truncate(MARKS);
        self.shown.truncate(SHOWN);
    }

    fn count(&mut self, experience: u32, last: u32) {
        let before = self.shown.iter().position(|one| one.experience == experience);
        let times = before.map_or(0, |at| self.shown.remove(at).times).saturating_add(1);
        self.shown.insert(0, Showing { experience, times, last });
    }

    /// As bytes, of which [`Self::read`] makes the same.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.whose.to_le_bytes());
        for length in [self.heard.len(), self.shown.len(), self.marks.len()] {
            out.push(length as u8);
        }
        self.heard.iter().for_each(|hash| out.extend(hash.to_le_bytes()));
        for Showing { experience, times, last } in &self.shown {
            out.extend(experience.to_le_bytes());
            out.extend(times.to_le_bytes());
            out.extend(last.to_le_bytes());
        }
        for Mark { asked, given } in &self.marks {
            out.extend(asked.to_le_bytes());
            out.extend(given.to_le_bytes());
        }
        out.extend(&self.profile);
        out
    }

    /// Reads what was signed. The profile is read by who needs it.
    pub fn read(bytes: &[u8], secret: usize) -> Option<Self> {
        let (whose, rest) = bytes.split_first_chunk::<8>()?;
        let (&[heard, shown, marks], mut rest) = rest.split_first_chunk::<3>()?;
        let mut four = || {
            let (number, more) = rest.split_first_chunk::<4>()?;
            rest = more;
            Some(u32::from_le_bytes(*number))
        };
        let heard = (0..heard).map(|_| four()).collect::<Option<_>>()?;
        let mut showings = Vec::new();
        for _ in 0..shown {
            let (experience, times, last) = (four()?, four()?, four()?);
            showings.push(Showing { experience, times, last });
        }
        let mut mark = || Some(Mark { asked: four()?, given: four()? });
        let marks = (0..marks).map(|_| mark()).collect::<Option<_>>()?;
        let profile = rest.to_vec();
        let whose = u64::from_le_bytes(*whose);
        Some(Self { secret, whose, profile, heard, shown: showings, marks })
    }

    fn length_of_rest(&self) -> usize {
        8 + 3 + 4 * self.heard.len() + 12 * self.shown.len() + 8 * self.marks.len()
    }
}

/// The ids of events that stand for attributes.
fn id_named(event: &EventWire, name: &str) -> Option<String> {
    let ids = rapport_core::experiment::stand_ins(name);
    ids.iter().find_map(|id| match *id {
        "anonymousId" => event.anonymous_id.clone(),
        "userId" => event.user_id.clone(),
        _ => None,
    })
}

fn whose(settings: &Settings, secret: usize, anonymous_id: &str) -> u64 {
    number(settings, secret, &format!("id {anonymous_id}"))
}

fn salt(settings: &Settings, secret: usize) -> u32 {
    number(settings, secret, "salt") as u32
}

fn number(settings: &Settings, secret: usize, about: &str) -> u64 {
    let secrets = settings.secrets.as_ref();
    secrets.map_or(0, |secrets| secrets.number(secret, &settings.key, about))
}

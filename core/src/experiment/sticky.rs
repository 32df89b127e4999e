//! Who got which variation before.

use crate::targeting::put_whole;

/// What is remembered of a visitor: for each attribute and value that stood for them, the key of the
/// variation by experiment and version, such as `hero__2` → `red`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StickyBuckets {
    /// Attribute, value, experiment with version, variation.
    entries: Vec<[String; 4]>,
}

impl StickyBuckets {
    /// Remembers; whether that is news.
    pub fn put(&mut self, attribute: &str, value: &str, experiment: &str, variation: &str) -> bool {
        let same = |entry: &&mut [String; 4]| {
            entry[0] == attribute && entry[1] == value && entry[2] == experiment
        };
        if let Some(entry) = self.entries.iter_mut().find(same) {
            let news = entry[3] != variation;
            variation.clone_into(&mut entry[3]);
            return news;
        }
        self.entries.push([attribute, value, experiment, variation].map(str::to_owned));
        true
    }

    /// The variation's key, if it is remembered.
    pub fn get(&self, attribute: &str, value: &str, experiment: &str) -> Option<&str> {
        self.entries
            .iter()
            .find(|entry| entry[0] == attribute && entry[1] == value && entry[2] == experiment)
            .map(|entry| entry[3].as_str())
    }

    /// Attribute, value, experiment with version and variation of all that is remembered.
    pub fn iter(&self) -> impl Iterator<Item = [&str; 4]> {
        self.entries.iter().map(|entry| [0, 1, 2, 3].map(|at| entry[at].as_str()))
    }
}

/// The name under which an experiment's assignment is remembered.
pub(super) fn name(experiment: &str, version: u32) -> String {
    let mut name = String::from(experiment) + "__";
    put_whole(&mut name, u64::from(version));
    name
}

//! What a workspace's people author, revision by revision.

use crate::clock::Millis;
use crate::error::Problem;
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One revision of something that is authored.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    pub kind: Kind,
    /// Unique among those of its kind in a workspace's environment.
    pub key: String,
    /// Counts up from 1.
    pub revision: i64,
    pub status: Status,
    pub content: Map<String, Value>,
    /// Since when it is like this.
    pub at: Millis,
    /// Who made it so.
    pub by: String,
}

/// What can be authored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Audience,
    Feature,
    Experiment,
    Experience,
    Goal,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::Audience, Self::Feature, Self::Experiment, Self::Experience, Self::Goal];

    /// The word that rows, problems and the audit log use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Audience => "audience",
            Self::Feature => "feature",
            Self::Experiment => "experiment",
            Self::Experience => "experience",
            Self::Goal => "goal",
        }
    }

    /// What payloads and places call several of them.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Audience => "audiences",
            Self::Feature => "features",
            Self::Experiment => "experiments",
            Self::Experience => "experiences",
            Self::Goal => "goals",
        }
    }

    /// What a new one is where nobody says. Whatever visitors can notice starts when somebody starts it.
    pub const fn first_status(self) -> Status {
        match self {
            Self::Experiment | Self::Experience => Status::Draft,
            Self::Audience | Self::Feature | Self::Goal => Status::Running,
        }
    }
}

/// Where something is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not yet for visitors.
    Draft,
    /// What visitors get.
    Running,
    /// Was for visitors, and may be again.
    Stopped,
    /// Out of the way; its history stays.
    Archived,
}

impl Status {
    const ALL: [Self; 4] = [Self::Draft, Self::Running, Self::Stopped, Self::Archived];

    /// The word that rows and documents use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Archived => "archived",
        }
    }

    /// Whether something may go from here to there.
    pub const fn leads_to(self, to: Self) -> bool {
        match to {
            Self::Draft => matches!(self, Self::Archived),
            Self::Running => matches!(self, Self::Draft | Self::Stopped),
            Self::Stopped => matches!(self, Self::Running),
            Self::Archived => !matches!(self, Self::Archived),
        }
    }
}

/// Says whether a key can stand in addresses, attributes and events of every host.
///
/// # Errors
/// [`Problem::Malformed`] says what keys are.
pub fn check_key(key: &str) -> Result<(), Problem> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
    let starts = key.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    // What objects of JavaScript have without being told.
    let inherited = matches!(key, "constructor" | "toString" | "valueOf" | "hasOwnProperty");
    if starts && key.len() <= MAX_KEY && key.bytes().all(plain) && !inherited {
        return Ok(());
    }
    Err(Problem::Malformed(format!(
        "`key` is 1 to {MAX_KEY} letters, digits or any of `_-.:`, and begins with a letter or digit"
    )))
}

const MAX_KEY: usize = 100;

macro_rules! word_in_row {
    ($type:ty) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(self.word()))
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let word = value.as_str()?;
                let mut all = <$type>::ALL.into_iter();
                all.find(|known| known.word() == word).ok_or(FromSqlError::InvalidType)
            }
        }
    };
}
word_in_row!(Kind);
word_in_row!(Status);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_hosts_would_stumble_over_are_refused() {
        for good in ["hero", "checkout-2026", "a.b:c_d", "1"] {
            assert!(check_key(good).is_ok(), "{good}");
        }
        let long = "x".repeat(101);
        for bad in ["", "__proto__", "constructor", "a b", "ä", "-a", "a/b", "a\0b", long.as_str()]
        {
            assert!(check_key(bad).is_err(), "{bad}");
        }
    }
}

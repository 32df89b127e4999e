//! What each scope decides now, compiled once for all who ask, and told to all who listen.

use super::visitor::json as as_json;
use crate::app::App;
use crate::bundles::published_flags;
use crate::clock::{self, Millis};
use crate::error::StoreError;
use crate::experiments;
use crate::identity::Scope;
use crate::secret::Sha256Digest;
use rapport_core::experiment::{Flags, for_others};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// Flags that decide.
pub struct OpenFlags {
    pub flags: Flags,
    /// As it was authored here, in GrowthBook's words alone.
    pub payload: Value,
    /// What GrowthBook's clients get.
    pub text: String,
    /// An entity tag of what is authored.
    pub tag: String,
    pub changed_at: Millis,
}

impl OpenFlags {
    /// Reads and compiles what runs in a scope: what is authored here, or else came with the bundle. What is
    /// broken was said when it was authored; it does nothing.
    fn read(app: &App, scope: Scope) -> Result<Self, StoreError> {
        let corrupt = |error| StoreError::corrupt("payload", error);
        let mut payload = json!({ "features": {}, "experiments": [] });
        let (mut flags, mut digest) = (Flags::default(), Sha256Digest::of(b""));
        if let Some(authored) = experiments::payload(app, scope)? {
            let wrong;
            (flags, wrong) = authored.compile().map_err(corrupt)?;
            for wrong in wrong {
                tracing::warn!(%scope, at = wrong.at, reason = wrong.reason, "a flag does nothing");
            }
            digest = Sha256Digest::of(authored.value.to_string().as_bytes());
            payload = as_json(&for_others(&authored.for_core().map_err(corrupt)?));
        } else if let Some(bytes) = published_flags(app, scope)? {
            flags = Flags::open(&bytes).map_err(|error| StoreError::corrupt("flags", error))?;
            digest = Sha256Digest::of(&bytes);
        }
        let changed_at = clock::now();
        let mut shown = payload.clone();
        shown["status"] = Value::from(200);
        shown["dateUpdated"] = Value::from(clock::iso(changed_at));
        let tag = format!("\"{}\"", digest.to_string().get(..32).unwrap_or_default());
        Ok(Self { flags, payload, text: shown.to_string(), tag, changed_at })
    }
}

/// The flags that are open, and who listens to them.
#[derive(Default)]
pub struct FlagBoard {
    by_scope: RwLock<HashMap<Scope, watch::Sender<Arc<OpenFlags>>>>,
}

impl FlagBoard {
    /// What a scope decides now.
    ///
    /// # Errors
    /// Where it is not open yet and cannot be read.
    pub fn get(&self, app: &App, scope: Scope) -> Result<Arc<OpenFlags>, StoreError> {
        Ok(self.listen(app, scope)?.borrow().clone())
    }

    /// What a scope decides now, and from now on.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn listen(
        &self,
        app: &App,
        scope: Scope,
    ) -> Result<watch::Receiver<Arc<OpenFlags>>, StoreError> {
        let known = self.by_scope.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(news) = known.get(&scope) {
            return Ok(news.subscribe());
        }
        drop(known);
        let open = Arc::new(OpenFlags::read(app, scope)?);
        let mut by_scope = self.by_scope.write().unwrap_or_else(PoisonError::into_inner);
        Ok(by_scope.entry(scope).or_insert_with(|| watch::Sender::new(open)).subscribe())
    }

    /// How many listen to a scope.
    pub fn listeners(&self, scope: Scope) -> usize {
        let by_scope = self.by_scope.read().unwrap_or_else(PoisonError::into_inner);
        by_scope.get(&scope).map_or(0, watch::Sender::receiver_count)
    }

    /// Reads what a scope decides anew, and tells who listens where it changed.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn refresh(&self, app: &App, scope: Scope) -> Result<Arc<OpenFlags>, StoreError> {
        let open = Arc::new(OpenFlags::read(app, scope)?);
        let mut by_scope = self.by_scope.write().unwrap_or_else(PoisonError::into_inner);
        let news = by_scope.entry(scope).or_insert_with(|| watch::Sender::new(open.clone()));
        news.send_if_modified(|current| {
            let changed = current.tag != open.tag;
            if changed {
                *current = open.clone();
            }
            changed
        });
        Ok(open)
    }
}

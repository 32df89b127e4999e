//! Who listens to which scope, and what they hear.

use crate::identity::{Scope, SubjectId};
use crate::profiles::VisitorView;
use axum::response::sse::Event;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use tokio::sync::broadcast;

/// Something that the live page shows.
#[derive(Debug)]
pub enum Happening {
    Visitor(Box<VisitorView>),
    /// Erased, or no longer to be profiled.
    Gone(SubjectId),
}

/// One channel a scope: nobody hears of another workspace.
#[derive(Default)]
pub struct Feed {
    channels: RwLock<HashMap<Scope, broadcast::Sender<Event>>>,
}

/// A listener who falls further behind than this is told so, and starts anew.
const BACKLOG: usize = 256;

impl Feed {
    /// Listens to a scope from now on.
    pub fn subscribe(&self, scope: Scope) -> broadcast::Receiver<Event> {
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|_, channel| channel.receiver_count() > 0);
        channels.entry(scope).or_insert_with(|| broadcast::channel(BACKLOG).0).subscribe()
    }

    /// Whether anybody listens to a scope.
    pub fn has_listeners(&self, scope: Scope) -> bool {
        self.channel(scope).is_some_and(|channel| channel.receiver_count() > 0)
    }

    /// Tells the listeners of a scope. Written down once, however many they are, and never waits:
    /// who does not keep up misses the oldest news.
    pub fn tell(&self, scope: Scope, happening: Happening) {
        if let Some(channel) = self.channel(scope)
            && let Some(event) = event(&happening)
        {
            // Fails only where the last listener just left.
            let _ = channel.send(event);
        }
    }

    fn channel(&self, scope: Scope) -> Option<broadcast::Sender<Event>> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner).get(&scope).cloned()
    }
}

fn event(happening: &Happening) -> Option<Event> {
    match happening {
        Happening::Visitor(visitor) => Event::default().event("visitor").json_data(visitor).ok(),
        Happening::Gone(subject) => Some(Event::default().event("gone").data(subject.to_string())),
    }
}

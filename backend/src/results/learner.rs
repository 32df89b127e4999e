//! Learns on a schedule.

use super::learning::learn;
use crate::app::{App, Shared};
use crate::clock::{self, Millis};
use crate::error::{Problem, blocking};
use crate::experiments::{Bandit, Definition, Kind, SHIPPED, Status};
use crate::identity::{Actor, Permit, Scope};
use std::collections::BTreeMap;
use std::time::Duration;

/// When each experiment was taught last.
type Lessons = BTreeMap<(Scope, Kind, String), Millis>;

/// Teaches what is due, and looks every so often whether anything is, until the server stops.
pub async fn keep_learning(app: Shared, every: Duration) {
    let mut stopping = app.stopping.subscribe();
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut lessons = Lessons::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let work = app.clone();
        let taught = blocking(move || teach(&work, &mut lessons).map(|()| lessons)).await;
        lessons = taught.unwrap_or_else(|error: Problem| {
            tracing::error!(%error, "experiments learn nothing for now");
            Lessons::new()
        });
    }
}

fn teach(app: &App, lessons: &mut Lessons) -> Result<(), Problem> {
    for scope in app.records.defined_scopes()? {
        for one in app.records.definitions(scope)? {
            if *app.stopping.borrow() {
                return Ok(());
            }
            let Some(minutes) = due_every(&one) else { continue };
            let of = (scope, one.kind, one.key.clone());
            let (now, rest) = (clock::now(), (minutes * 60_000.0) as Millis);
            if lessons.get(&of).is_some_and(|last| now < last + rest) {
                continue;
            }
            lessons.insert(of, now);
            let permit = Permit::of(Actor("bandit".to_owned()), scope);
            if let Err(error) = learn(app, &permit, &one) {
                tracing::warn!(%error, %scope, experiment = one.key, "it learns nothing this time");
            }
        }
    }
    Ok(())
}

/// How often something learns; `None` where it does not.
fn due_every(one: &Definition) -> Option<f64> {
    let at_work = one.status == Status::Running && !one.content.contains_key(SHIPPED);
    let bandit = Bandit::of(one).filter(|_| at_work)?;
    bandit.ok().map(|bandit| bandit.every_minutes)
}

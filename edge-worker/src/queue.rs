//! Events that were acknowledged and wait to be forwarded, in a Durable Object's storage.

use crate::edge;
use crate::host::{Platform, setting};
use rapport_edge::{Fate, Waiting, patience};
use std::time::Duration;
use worker::js_sys::{Array, Map};
use worker::wasm_bindgen::JsCast;
use worker::{
    DurableObject, Env, ListOptions, Method, Request, RequestInit, Response, Result, State,
    durable_object,
};

/// The binding.
pub const QUEUES: &str = "RAPPORT_EVENTS";
/// So many objects share the work; what one address sends stays in order.
const SHARDS: u32 = 4;
/// So many batches are looked at in one go.
const TOGETHER: usize = 32;
const FAILURES: &str = "failures";
/// Names of batches begin so, and go on with when they came.
const BATCH: &str = "batch-";

/// One of the queues.
#[durable_object(alarm)]
pub struct EventQueue {
    state: State,
    env: Env,
}

impl DurableObject for EventQueue {
    fn new(state: State, env: Env) -> Self {
        Self { state, env }
    }

    /// Keeps a batch. The platform holds the answer back until it is on disk.
    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let batch = request.text().await?;
        let storage = self.state.storage();
        let now = worker::Date::now().as_millis();
        let name = format!("{BATCH}{now:014}-{}", random());
        storage.put_raw(&name, batch).await?;
        if storage.get_alarm().await?.is_none() {
            storage.set_alarm(Duration::ZERO).await?;
        }
        Response::empty()
    }

    /// Forwards what waits.
    async fn alarm(&self) -> Result<Response> {
        let storage = self.state.storage();
        let listed = ListOptions::new().prefix(BATCH).limit(TOGETHER);
        let waiting: Map = storage.list_with_options(listed).await?;
        let platform = Platform::new(&self.env);
        let edge = edge(&self.env, None)?;
        for entry in waiting.entries() {
            let entry: Array = entry?.unchecked_into();
            let (name, text) = (entry.get(0).as_string(), entry.get(1).as_string());
            let (Some(name), Some(text)) = (name, text) else { continue };
            let fate = match serde_json::from_str::<Waiting>(&text) {
                Ok(batch) => edge.deliver(&platform, &batch).await,
                Err(error) => Fate::Refused(error.to_string()),
            };
            match fate {
                Fate::Delivered => _ = storage.delete(&name).await?,
                Fate::Refused(why) => {
                    worker::console_error!("the backend refused a batch for good: {why}");
                    storage.delete(&name).await?;
                }
                Fate::Later(why) => {
                    worker::console_warn!("events wait: {why}");
                    let failures: u32 = storage.get(FAILURES).await?.unwrap_or(0);
                    storage.put(FAILURES, failures.saturating_add(1)).await?;
                    let hurry = setting(&self.env, "RAPPORT_HURRY");
                    let hurry = hurry.and_then(|text| text.parse().ok()).unwrap_or(1);
                    let wait = patience(failures, random() as u8).unsigned_abs();
                    storage.set_alarm(Duration::from_millis(wait) / u32::max(hurry, 1)).await?;
                    return Response::empty();
                }
            }
        }
        storage.delete(FAILURES).await?;
        // Something may have come while this ran, or more waits than was looked at.
        let more = storage.list_with_options(ListOptions::new().prefix(BATCH).limit(1)).await?;
        if more.size() > 0 {
            storage.set_alarm(Duration::ZERO).await?;
        }
        Response::empty()
    }
}

fn random() -> u32 {
    (worker::js_sys::Math::random() * f64::from(u32::MAX)) as u32
}

/// Brings a batch to its queue; done once it is on disk there.
pub async fn keep(env: &Env, batch: &Waiting) -> Result<()> {
    let from = batch.headers.iter().find(|(name, _)| name == "x-forwarded-for");
    let address = from.map(|(_, address)| address.as_bytes()).unwrap_or_default();
    let shard =
        address.iter().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)))
            % SHARDS;
    let text = serde_json::to_string(batch)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(text.into()));
    let request = Request::new_with_init("https://queue/", &init)?;
    let stub = env.durable_object(QUEUES)?.get_by_name(&format!("events-{shard}"))?;
    let answer = stub.fetch_with_request(request).await?;
    match answer.status_code() {
        200..=299 => Ok(()),
        status => Err(worker::Error::from(format!("the queue answers {status}"))),
    }
}

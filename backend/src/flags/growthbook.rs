//! What GrowthBook's own clients ask: the payload, its changes, and answers for who may not see it.
//! Their client key is a workspace's write key.

use super::encrypted::PayloadKey;
use super::open::OpenFlags;
use super::visitor::{context, json};
use crate::app::Shared;
use crate::collect::{Parcel, may_send};
use crate::error::{Problem, ProblemView, StoreError, blocking};
use crate::identity::{Action, Caller, Resource, Scope, authorize};
use crate::request::{InPath, same, tag};
use crate::secret::Sha256Digest;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use rapport_core::experiment::Asker;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

/// So many may listen to one scope at once.
const MOST_STREAMS: usize = 256;
/// Whoever finds no room comes back after this many seconds.
const COME_BACK: u32 = 30;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Everything that runs, as GrowthBook's clients read it. `ETag` and `If-None-Match` save the body.
#[utoipa::path(get, path = "/api/features/{key}", tag = "flags", security(()), params(("key" = String, Path, description = "write key")),
    responses((status = 200, body = serde_json::Value), (status = 304, description = "as before"), (status = 401, body = ProblemView)))]
pub async fn features(
    State(app): State<Shared>,
    InPath(key): InPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reader = Reader::of(&app, &key).await?;
    let (open, text) = blocking(move || -> Result<_, StoreError> {
        let open = app.flags.get(&app, reader.scope)?;
        let text = reader.text(&open)?;
        Ok((open, text))
    })
    .await?;
    let fixed = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (HeaderName::from_static("x-sse-support"), HeaderValue::from_static("enabled")),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::ETAG, tag(&open.tag)),
    ];
    Ok(if same(&headers, &open.tag) {
        (StatusCode::NOT_MODIFIED, fixed).into_response()
    } else {
        (fixed, text).into_response()
    })
}

/// The same whenever it changes: a stream of server-sent events named `features`, beginning with what
/// there is; and `bundle` with the hash of each manifest that is published. Within two seconds of the
/// key's end it ends too.
#[utoipa::path(get, path = "/sub/{key}", tag = "flags", security(()), params(("key" = String, Path, description = "write key")),
    responses((status = 200, content_type = "text/event-stream"), (status = 401, body = ProblemView), (status = 429, body = ProblemView)))]
pub async fn changes(
    State(app): State<Shared>,
    InPath(key): InPath<String>,
) -> Result<Response, Problem> {
    let reader = Reader::of(&app, &key).await?;
    let (caller, scope) = (reader.caller.clone(), reader.scope);
    let bundles = app.bundles.listen(scope);
    stream(app, caller, scope, Some(bundles), move |open| match reader.text(open) {
        Ok(text) => Event::default().event("features").data(text),
        Err(error) => {
            tracing::error!(%error, %scope, "a listener misses a change");
            Event::default().comment("")
        }
    })
    .await
}

type Bundles = watch::Receiver<Option<Sha256Digest>>;

/// A stream of what changes, in the words of `told`; with news of `bundles` it begins with what there is.
pub(super) async fn stream(
    app: Shared,
    caller: Caller,
    scope: Scope,
    bundles: Option<Bundles>,
    told: impl Fn(&OpenFlags) -> Event + Send + Sync + 'static,
) -> Result<Response, Problem> {
    let mut news = {
        let app = app.clone();
        blocking(move || app.flags.listen(&app, scope)).await?
    };
    if app.flags.listeners(scope) > MOST_STREAMS {
        return Err(Problem::TooFast { whose: "key", retry_after: COME_BACK });
    }
    if bundles.is_some() {
        news.mark_changed();
    }
    let (out, stream) = mpsc::channel(1);
    tokio::spawn(tell(app, caller, scope, news, bundles, told, out));
    let sse =
        Sse::new(ReceiverStream::new(stream)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // Proxies that buffer would hold news back.
    let headers: [(HeaderName, &str); 2] =
        [(header::CACHE_CONTROL, "no-store"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, sse).into_response())
}

/// Runs until the listener leaves, may listen no longer, or the server stops. Who is slow misses
/// what came between, and gets the newest.
async fn tell(
    app: Shared,
    caller: Caller,
    scope: Scope,
    mut news: watch::Receiver<Arc<OpenFlags>>,
    mut bundles: Option<Bundles>,
    told: impl Fn(&OpenFlags) -> Event,
    out: mpsc::Sender<Result<Event, Infallible>>,
) {
    let mut stopping = app.stopping.subscribe();
    let pass_on = async {
        loop {
            let event = tokio::select! {
                changed = news.changed() => changed.map(|()| told(&news.borrow_and_update())),
                published = next(&mut bundles) => published,
            };
            let Ok(event) = event else { return };
            if out.send(Ok(event)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = pass_on => {}
        () = caller.revoked(&app, scope.workspace) => {}
        () = out.closed() => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

/// News of the next manifest; of none where nobody asked for them.
async fn next(bundles: &mut Option<Bundles>) -> Result<Event, watch::error::RecvError> {
    let Some(bundles) = bundles else { return std::future::pending().await };
    bundles.changed().await?;
    let hash = bundles.borrow_and_update().map(|hash| hash.to_string());
    Ok(Event::default().event("bundle").data(hash.unwrap_or_default()))
}

/// Who asks, as GrowthBook's clients say it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AskingWire {
    #[schema(value_type = serde_json::Value)]
    attributes: Map<String, Value>,
    /// Numbers of variations by keys of experiments.
    #[schema(value_type = serde_json::Value)]
    forced_variations: Map<String, Value>,
    /// Values by keys of features, as pairs.
    forced_features: Vec<(String, Value)>,
    url: String,
}

/// Answers for one visitor, and nothing of how they came about: features with their values,
/// experiments with the visitor's variation, exposures to report.
#[utoipa::path(post, path = "/api/eval/{key}", tag = "flags", security(()), params(("key" = String, Path, description = "write key")), request_body = AskingWire,
    responses((status = 200, body = serde_json::Value), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView)))]
pub async fn evaluate(
    State(app): State<Shared>,
    InPath(key): InPath<String>,
    parcel: Parcel,
) -> Result<Json<Value>, Problem> {
    let caller = Caller::of_write_key(&app, &key).await?;
    let scope = authorize(&caller.principal, Action::Decide, Resource::Own)?.scope();
    may_send(&app, &caller.principal, &parcel.source, 1)?;
    let asking: AskingWire = serde_json::from_slice(&parcel.body)
        .map_err(|error| Problem::Malformed(format!("the body is not what this takes: {error}")))?;
    let answered = blocking(move || -> Result<_, Problem> {
        let open = app.flags.get(&app, scope)?;
        Ok(answers(&open, asking))
    });
    answered.await.map(Json)
}

fn answers(open: &OpenFlags, asking: AskingWire) -> Value {
    let AskingWire { attributes, forced_variations, forced_features, url } = asking;
    let context = context(attributes, &url, forced_variations);
    let asker = Asker::new(&context);
    let feature = |key: &str| {
        if let Some((_, value)) = forced_features.iter().find(|(forced, _)| forced == key) {
            return json!({ "defaultValue": value });
        }
        let mut answer = json(&asker.feature(&open.flags, key));
        let (value, exposures) = (answer["value"].take(), answer["exposures"].take());
        if exposures.as_array().is_none_or(Vec::is_empty) {
            return json!({ "defaultValue": value });
        }
        let rule = json!({ "force": value, "tracks": exposures });
        json!({ "defaultValue": value, "rules": [rule] })
    };
    let features = open.flags.features.iter().map(|one| (one.key.to_string(), feature(&one.key)));
    let features: Map<String, Value> = features.collect();
    let run = open.flags.experiments.iter().enumerate();
    let experiments = run.filter_map(|(number, experiment)| {
        let answer = json(&asker.experiment(&open.flags, number));
        let result = &answer["experimentResult"];
        let chosen = usize::try_from(result["variationId"].as_u64()?).ok()?;
        (result["inExperiment"] == true).then(|| scrubbed(json(&experiment.authored.0), chosen))
    });
    json!({ "status": 200, "features": features, "experiments": experiments.collect::<Vec<_>>(), "dateUpdated": crate::clock::iso(open.changed_at) })
}

/// An experiment of which only the variation is left that the visitor gets.
fn scrubbed(mut shown: Value, chosen: usize) -> Value {
    let Some(members) = shown.as_object_mut() else { return shown };
    for decides in [
        "condition",
        "contextualBanditRef",
        "parentConditions",
        "filters",
        "namespace",
        "namespaces",
        "ranges",
    ] {
        members.remove(decides);
    }
    let variations = members.get_mut("variations").and_then(Value::as_array_mut);
    let Some(variations) = variations else { return shown };
    for (number, variation) in variations.iter_mut().enumerate() {
        if number != chosen {
            *variation = json!({});
        }
    }
    let weights: Vec<_> = (0..variations.len()).map(|number| u8::from(number == chosen)).collect();
    members.insert("weights".to_owned(), json!(weights));
    members.insert("coverage".to_owned(), json!(1));
    shown
}

/// Who reads the payload.
pub(super) struct Reader {
    pub caller: Caller,
    pub scope: Scope,
    /// Where nobody else may.
    encrypts: Option<PayloadKey>,
}

impl Reader {
    /// By a write key.
    ///
    /// # Errors
    /// Where the key opens nothing, or a store cannot be read.
    pub async fn of(app: &Shared, key: &str) -> Result<Self, Problem> {
        let caller = Caller::of_write_key(app, key).await?;
        let scope = authorize(&caller.principal, Action::ReadBundle, Resource::Own)?.scope();
        let encrypts = if caller.principal.terms.encrypt_payload {
            let (app, key) = (app.clone(), key.to_owned());
            Some(blocking(move || PayloadKey::of(&*app.keys, scope, &key)).await?)
        } else {
            None
        };
        Ok(Self { caller, scope, encrypts })
    }

    fn text(&self, open: &OpenFlags) -> Result<String, StoreError> {
        self.encrypts.map_or_else(|| Ok(open.text.clone()), |key| key.payload(open))
    }
}

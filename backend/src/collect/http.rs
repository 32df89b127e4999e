//! `POST /v1/events`.

use super::door::{Arrival, Batch, MAX_BODY};
use super::hints::Asking;
use super::view::{CollectedView, ItemView};
use crate::app::Shared;
use crate::clock;
use crate::error::{Problem, ProblemView, blocking};
use crate::identity::{Action, Resource, Sender, authorize};
use crate::request::bounded;
use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use std::net::SocketAddr;

/// Takes events in the Segment shape: `{"sentAt", "batch": […]}` or one event. `text/plain` is read
/// as JSON, so that pages need not ask first; their write key may stand in the body as `key`.
/// Answers when everything accepted is on disk.
#[utoipa::path(post, path = "/v1/events", tag = "collect",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, body = CollectedView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 413, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn events(
    State(app): State<Shared>,
    sender: Sender,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CollectedView>, Problem> {
    let received_at = clock::now();
    let body = bounded(body, MAX_BODY).await?;
    let batch = Batch::read(&body)?;
    let principal = sender.or_key(&app, batch.key.as_deref()).await?;
    let scope = authorize(&principal, Action::CollectEvents, Resource::Own)?.scope();
    let workspace_key = {
        let app = app.clone();
        blocking(move || app.keys.workspace_key(scope.workspace)).await?
    };
    let user_agent =
        headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let arrival = Arrival { scope, received_at, ip: Some(peer.ip().to_string()), user_agent };

    let (mut items, mut refusals, mut asking) = (Vec::new(), Vec::new(), Asking::default());
    for raw in &batch.events {
        match arrival.admit(&workspace_key, batch.sent_at.as_ref(), raw) {
            Ok(item) => {
                asking.add(item.draft.subject, item.contents.event.anonymous_id.as_deref());
                items.push(item);
                refusals.push(None);
            }
            Err(refusal) => refusals.push(Some(refusal)),
        }
    }
    let written =
        if items.is_empty() { Vec::new() } else { app.writer.submit(items, body.len()).await? };
    let hints = if batch.hints { asking.answer(&app, scope, &written).await? } else { Vec::new() };
    let mut written = written.into_iter();
    let results: Vec<_> = refusals
        .into_iter()
        .filter_map(|refusal| match refusal {
            Some(refusal) => Some(ItemView::Rejected { error: refusal.to_string() }),
            None => written.next().map(ItemView::from),
        })
        .collect();
    let accepted = results.iter().filter(|result| matches!(result, ItemView::Accepted)).count();
    Ok(Json(CollectedView { accepted, results, hints }))
}

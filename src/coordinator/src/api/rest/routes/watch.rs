//! What changes, as it changes: server-sent events.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use utoipa::IntoParams;

use crate::api::rest::applied_index::index_header;
use crate::api::rest::dto::{ChangeKindWord, ErrorBody, EventForm, Id, WatchData, WatchError, WatchEvent};
use crate::api::rest::failure::Failure;
use crate::api::rest::request::{ClientDeadline, QueryPairs};
use crate::api::rest::state::RestState;
use crate::service::{ServiceError, Watch, WatchQuery, Watched};

/// The header by which a browser goes on where its last connection ended.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Asks a proxy in between to pass every event on at once.
const PASS_ON: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// Which changes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `WatchQuery` reads")]
pub(in crate::api::rest) struct WatchParams {
    /// Only what changes after this index, such as an `X-Applied-Index`; one that is yet to come is waited for. Left out: from
    /// now on.
    #[param(value_type = u64, required = false, minimum = 0, maximum = 9_223_372_036_854_775_807_u64)]
    after: Option<u64>,
    /// Only these kinds.
    #[param(explode = false, min_items = 1, value_type = Option<Vec<ChangeKindWord>>)]
    kinds: Option<Vec<String>>,
    /// Only changes of the nodes, files, chunks and tasks with these ids, and the tasks of these nodes and chunks; may be
    /// given more than once.
    #[param(explode = true, value_type = Option<Vec<Id>>)]
    id: Option<Vec<String>>,
}

/// Where to go on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes what `WatchQuery` reads")]
pub(in crate::api::rest) struct ResumeParams {
    /// The `id` of the last event that came, which is where to go on; browsers send it by themselves. Instead of `after`.
    #[param(
        rename = "Last-Event-ID",
        value_type = u64,
        required = false,
        minimum = 0,
        maximum = 18_446_744_073_709_551_615_u64
    )]
    last_event_id: Option<u64>,
}

/// What a watcher asks for.
pub(in crate::api::rest) struct Wanted(WatchQuery);

impl FromRequestParts<RestState> for Wanted {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &RestState) -> Result<Self, Failure> {
        let pairs = QueryPairs::new(parts.uri.query().unwrap_or_default());
        let after = pairs
            .number("after", 0..=i64::MAX)?
            .and_then(|after| u64::try_from(after).ok());
        let lists = pairs.all("kinds")?;
        let kinds = lists.iter().flat_map(|list| list.split(',')).map(str::to_owned);
        let last = parts.headers.get(LAST_EVENT_ID).map(|last| {
            let number = last.to_str().ok().and_then(|last| last.parse().ok());
            number.ok_or_else(|| Failure::invalid("Last-Event-ID: must be the id of an event"))
        });
        Ok(Self(WatchQuery {
            after: last.transpose()?.or(after),
            kinds: kinds.collect(),
            ids: pairs.all("id")?,
        }))
    }
}

/// What changes, from an index on, as server-sent events
///
/// An event is called after its kind, and its data is JSON. Its `id` is where to go on if it is the last that came: all that
/// changes at one index has been given when the id reaches it. Between events the id is told alone now and then. If the
/// coordinator ends the stream, the last event is called `error` and says how to go on.
#[utoipa::path(
    get, path = "/api/v1/watch", operation_id = "watch", tag = "changes", params(WatchParams, ResumeParams),
    responses(
        (status = 200, description = "Events, until either end has enough", body = EventForm, content_type = "text/event-stream"),
        (status = 410, description = "What changed after that index is forgotten: the details name the least index to go on from", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn watch(
    State(state): State<RestState>,
    Wanted(query): Wanted,
    ClientDeadline(deadline): ClientDeadline,
) -> Result<Response, Failure> {
    let watch = state.service.watch(query, deadline).await;
    let watch = watch.map_err(|error| Failure::renaming(error, "ids", "id"))?;
    let index = index_header(Some(watch.after));
    let events = unfold(watch, |mut watch: Watch| async {
        Some((Ok::<_, Infallible>(event(watch.next().await?)), watch))
    });
    Ok(([PASS_ON], index, Sse::new(events)).into_response())
}

fn event(item: Result<Watched, ServiceError>) -> Event {
    let (event, data) = match item {
        Ok(Watched {
            resume_after,
            details,
        }) => {
            let event = Event::default().id(resume_after.to_string());
            let Some(details) = details else {
                return event.comment("so far");
            };
            let data = WatchEvent::from(*details);
            (event.event(data.kind), WatchData::Change(Box::new(data)))
        }
        Err(error) => {
            let data = WatchData::Error(WatchError::from(&error));
            (Event::default().event("error"), data)
        }
    };
    match serde_json::to_string(&data) {
        Ok(data) => event.data(data),
        // Numbers and texts always have a JSON form.
        Err(error) => event.comment(error.to_string()),
    }
}

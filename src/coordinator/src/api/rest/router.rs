//! All routes and layers, put together and served.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body_limits::BodyLimits;
use super::cors::{self, OriginError};
use super::fallback::{refuse_long_targets, unknown_method, unknown_route};
use super::leader::tell_leader;
use super::openapi;
use super::options::RestOptions;
use super::request::set_deadline;
use super::routes::{
    admin, chunks, cluster, files, network, node_states, nodes, repair, tasks, watch, welcome, why,
};
use super::slow::warn_if_slow;
use super::state::RestState;
use crate::health::HealthChecks;
use crate::http_server::{self, ServerOptions};
use crate::metrics::{Metrics, count_rest_request};
use crate::service::Service;

/// The REST API cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// A setting is wrong.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The description has no JSON form: a defect that every start would show.
    #[error("cannot write the description of the REST API: {0}")]
    Description(#[from] serde_json::Error),
}

/// The REST API, put together.
pub struct Rest {
    router: Router,
    server: ServerOptions,
}

impl Rest {
    /// Puts the API together over the service, with what `/health` answers and where requests are counted.
    ///
    /// # Errors
    /// [`RestError`].
    pub fn new(
        service: Arc<Service>,
        health: HealthChecks,
        metrics: Metrics,
        options: RestOptions,
    ) -> Result<Self, RestError> {
        let RestOptions {
            server,
            max_body_size,
            request_timeout,
            cors_origins,
        } = options;
        let cors = cors::layer(&cors_origins)?;
        let (router, mut description) = described_routes();
        openapi::complete(&mut description, service.limits());
        let state = RestState {
            service,
            health,
            bodies: BodyLimits::new(max_body_size),
            request_timeout,
        };
        // The last layer sees a request first: counting covers everything, and what a page may read covers
        // every failure.
        let router = router
            .with_state(state.clone())
            .merge(openapi::routes(&description)?)
            .method_not_allowed_fallback(unknown_method)
            .fallback(unknown_route)
            .layer(from_fn_with_state(state.clone(), set_deadline))
            .layer(from_fn(refuse_long_targets))
            .layer(from_fn_with_state(state, tell_leader))
            .layer(cors)
            .layer(from_fn(warn_if_slow))
            .layer(from_fn_with_state(metrics, count_rest_request));
        Ok(Self { router, server })
    }

    /// Serves the API until `shutdown` is cancelled and requests have finished.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        http_server::serve(listener, self.router, self.server, shutdown).await;
    }
}

/// Every route with its description.
fn described_routes() -> (Router<RestState>, OpenApi) {
    OpenApiRouter::with_openapi(openapi::begin())
        .routes(routes!(welcome::welcome))
        .routes(routes!(welcome::health))
        .routes(routes!(nodes::register))
        .routes(routes!(nodes::active))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::one))
        .routes(routes!(nodes::heartbeat))
        .routes(routes!(nodes::unregister))
        .routes(routes!(node_states::drain, node_states::drain_status))
        .routes(routes!(node_states::decommission))
        .routes(routes!(node_states::cancel_drain))
        .routes(routes!(node_states::activate))
        .routes(routes!(node_states::maintenance))
        .routes(routes!(files::register))
        .routes(routes!(files::list))
        .routes(routes!(files::one, files::delete))
        .routes(routes!(chunks::one))
        .routes(routes!(chunks::locations, chunks::update_locations))
        .routes(routes!(chunks::explain))
        .routes(routes!(tasks::list))
        .routes(routes!(watch::watch))
        .routes(routes!(repair::status))
        .routes(routes!(repair::release))
        .routes(routes!(why::chunk))
        .routes(routes!(why::node))
        .routes(routes!(why::task))
        .routes(routes!(network::status))
        .routes(routes!(network::stats))
        .routes(routes!(cluster::status))
        .routes(routes!(cluster::transfer_leader))
        .routes(routes!(cluster::remove_member))
        .routes(routes!(cluster::resize))
        .routes(routes!(admin::stats))
        .routes(routes!(admin::backup))
        .routes(routes!(admin::cleanup))
        .split_for_parts()
}

//! What stands between the transport and the RPCs: passes every request through the middleware and on to its service.
//!
//! It is one service with one future: as layers of a router each middleware would box and clone all that lie below it for
//! every request, which costs more than what they do.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{Request, Response};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, ready};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::Service;
use zephyrfs_proto::coordinator::coordinator_service_server::CoordinatorServiceServer;

use super::handlers::Handlers;
use super::middleware::{
    BodyMemory, CheckedBody, Deadline, Place, Places, RequestFields, Stopwatch, TimeLimit, blame_the_client,
    tell_leader,
};
use super::status::status;
use crate::api::leader::leader_header;
use crate::service::{self, ServiceError};

/// An answer on its way.
type Answer = BoxFuture<'static, Result<Response<Body>, Infallible>>;

/// All services, behind what every request passes.
#[derive(Clone)]
pub struct Front {
    service: Arc<service::Service>,
    coordinator: CoordinatorServiceServer<Handlers>,
    others: Routes,
    places: Places,
    fields: RequestFields,
    body_memory: BodyMemory,
    default_deadline: Duration,
    message_time: Duration,
}

/// What requests are held to.
pub(super) struct Bounds {
    /// The fields that requests may have.
    pub(super) fields: RequestFields,
    /// How many requests may be in progress at a time.
    pub(super) max_requests: usize,
    /// Bytes that all their bodies may take together.
    pub(super) max_body_memory: usize,
    /// How long a request may take whose client names no deadline.
    pub(super) default_deadline: Duration,
    /// How long a message may take from its first byte to its last.
    pub(super) message_time: Duration,
}

impl Front {
    /// Before the coordinator's RPCs, which are those of `service`, and others.
    pub(super) fn new(
        service: Arc<service::Service>,
        coordinator: CoordinatorServiceServer<Handlers>,
        others: Routes,
        bounds: Bounds,
    ) -> Self {
        let Bounds {
            fields,
            max_requests,
            max_body_memory,
            default_deadline,
            message_time,
        } = bounds;
        Self {
            service,
            coordinator,
            others: others.prepare(),
            places: Places::new(max_requests),
            fields,
            body_memory: BodyMemory::new(max_body_memory),
            default_deadline,
            message_time,
        }
    }

    fn refuse(&self, status: Status) -> Answer {
        let response = tell_leader(status.into_http(), leader_header(&self.service));
        ready(Ok(response)).boxed()
    }

    fn pass_on(
        &mut self,
        request: Request<CheckedBody>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + use<> {
        if is_for_the_coordinator(request.uri().path()) {
            Either::Left(self.coordinator.call(request))
        } else {
            Either::Right(self.others.call(request))
        }
    }
}

fn is_for_the_coordinator(path: &str) -> bool {
    path.strip_prefix('/')
        .and_then(|path| path.strip_prefix(CoordinatorServiceServer::<Handlers>::NAME))
        .is_some_and(|rest| rest.starts_with('/'))
}

impl Service<Request<Body>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Answer {
        let place = match self.places.take() {
            Ok(place) => place,
            Err(refused) => return self.refuse(refused),
        };
        if self.fields.is_stream(request.uri().path()) {
            return self.open_stream(request, place);
        }
        let stopwatch = Stopwatch::start(request.uri());
        let limit = match TimeLimit::of(request.headers(), self.default_deadline) {
            Ok(limit) => limit,
            Err(field) => return self.refuse(status(ServiceError::Invalid(field))),
        };
        request.extensions_mut().insert(limit.deadline);
        request.extensions_mut().insert(limit.of_client);
        let share = self.body_memory.share();
        let (counted, fields, uri) = (share.clone(), self.fields.clone(), request.uri().clone());
        let (service, time) = (Arc::clone(&self.service), self.message_time);
        let answer = self.pass_on(request.map(|body| fields.check(uri, counted.count(body), time, None)));
        async move {
            let answer = answer.map(|Ok(response)| blame_the_client(response));
            let response = limit.cut_off(answer).await;
            drop(share);
            stopwatch.stop();
            // Asked only now: the request may have waited for a new leader.
            let response = tell_leader(response, leader_header(&service));
            Ok(response.map(|body| place.hold_for(body)))
        }
        .boxed()
    }
}

impl Front {
    /// A stream of messages has no time but its client's, takes memory for the messages only that are being worked on, and
    /// is never slow: its handler sees to its end.
    fn open_stream(&mut self, mut request: Request<Body>, place: Place) -> Answer {
        match Deadline::of_stream(request.headers()) {
            Ok(Some(deadline)) => {
                request.extensions_mut().insert(deadline);
            }
            Ok(None) => {}
            Err(field) => return self.refuse(status(ServiceError::Invalid(field))),
        }
        let share = self.body_memory.share();
        let messages = share.messages();
        request.extensions_mut().insert(messages.clone());
        let (fields, uri) = (self.fields.clone(), request.uri().clone());
        let (service, time) = (Arc::clone(&self.service), self.message_time);
        let check = |body| fields.check(uri, share.count(body), time, Some(messages));
        let answer = self.pass_on(request.map(check));
        async move {
            let Ok(response) = answer.await;
            let response = tell_leader(response, leader_header(&service));
            Ok(response.map(|body| place.hold_for(body)))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::is_for_the_coordinator;

    #[test]
    fn only_paths_of_the_very_service_are_the_coordinator_s() {
        assert!(is_for_the_coordinator(
            "/zephyrfs.coordinator.CoordinatorService/GetNode"
        ));
        for path in [
            "",
            "/",
            "/zephyrfs.coordinator.CoordinatorService",
            "/zephyrfs.coordinator.CoordinatorServices/GetNode",
            "zephyrfs.coordinator.CoordinatorService/GetNode",
            "/grpc.health.v1.Health/Check",
        ] {
            assert!(!is_for_the_coordinator(path), "{path}");
        }
    }
}

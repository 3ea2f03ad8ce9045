//! The warning about slow answers that operators look for in the log.

use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;

/// An answer that takes longer is slow.
const SLOW: Duration = Duration::from_secs(1);

/// Warns about a slow answer, for `axum::middleware::from_fn`.
pub(super) async fn warn_if_slow(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let start = Instant::now();
    let response = next.run(request).await;
    let duration = start.elapsed();
    if duration >= SLOW {
        tracing::warn!(
            api = "rest",
            %method,
            route = route.as_ref().map_or("unmatched", MatchedPath::as_str),
            status = response.status().as_u16(),
            duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            "Slow API response"
        );
    }
    response
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt as _;
    use tracing::field::{Field, Visit};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt as _};

    use super::warn_if_slow;

    /// What is logged, one line an event.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<String>>);

    impl<S: tracing::Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().unwrap().push_str(&(line.0 + "\n"));
        }
    }

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_slow_answers_are_warned_about() {
        let lines = Lines::default();
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
        let handler = async |axum::extract::Path(millis): axum::extract::Path<u64>| {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        };
        let router = Router::new()
            .route("/wait/{millis}", get(handler))
            .layer(from_fn(warn_if_slow));
        for path in ["/wait/900", "/wait/1250", "/nowhere"] {
            let request = Request::get(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap();
        }
        let lines = lines.0.lock().unwrap();
        let warnings: Vec<&str> = lines.lines().filter(|line| line.starts_with("WARN")).collect();
        assert_eq!(warnings.len(), 1, "{lines}");
        for part in [
            "message=Slow API response",
            "method=GET",
            "route=\"/wait/{millis}\"",
            "duration_ms=125",
        ] {
            assert!(warnings[0].contains(part), "{}", warnings[0]);
        }
    }
}

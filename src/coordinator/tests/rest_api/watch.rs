//! Watching over REST: server-sent events.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{PATIENCE, Server};

/// An event as a browser sees it.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: Option<u64>,
    name: String,
    data: Value,
}

/// A stream of events.
struct Events {
    response: reqwest::Response,
    text: String,
    id: Option<u64>,
}

impl Events {
    async fn of(server: &Server, query: &str, last_event_id: Option<u64>) -> Self {
        let mut request = server.request(Method::GET, &format!("/api/v1/watch{query}"));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            text: String::new(),
            id: None,
        }
    }

    /// The next event with data; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let Some((block, rest)) = self.text.split_once("\n\n") else {
                let part = tokio::time::timeout(PATIENCE, self.response.chunk())
                    .await
                    .unwrap();
                let part = part.unwrap()?;
                self.text.push_str(std::str::from_utf8(&part).unwrap());
                continue;
            };
            let (block, rest) = (block.to_owned(), rest.to_owned());
            self.text = rest;
            let field = |name: &str| {
                let mut lines = block.lines();
                lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            self.id = field("id").map(|id| id.parse().unwrap()).or(self.id);
            if let Some(data) = field("data") {
                return Some(Event {
                    id: self.id,
                    name: field("event").unwrap().to_owned(),
                    data: serde_json::from_str(data).unwrap(),
                });
            }
        }
    }

    async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.push(self.next().await.expect("it goes on"));
        }
        events
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_they_happen_and_a_browser_goes_on_where_it_left_off() {
    let server = Server::start().await;
    let begun = server.register_node("n0").await.index.unwrap();
    let mut live = Events::of(&server, "", None).await;
    assert_eq!(
        live.response.headers()["x-applied-index"],
        begun.to_string().as_str()
    );
    server.register_node("n1").await;
    server.register_file("f", &["a", "b"]).await;
    let all = live.take(4).await;
    let names: Vec<&str> = all.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["node", "file", "chunk", "chunk"]);
    let ids: Vec<_> = all.iter().map(|event| event.id.unwrap() - begun).collect();
    assert_eq!(ids, [1, 1, 1, 2], "an index is given as a whole");
    let mut node = all[0].data.clone();
    assert!(node["at"].take().as_str().unwrap().ends_with('Z'));
    let registered = json!({
        "index": begun + 1, "at": null, "kind": "node", "change": "registered", "node_id": "n1", "status": "active",
    });
    assert_eq!(node, registered);
    assert_eq!(all[1].data["chunk_count"], 2);
    assert_eq!(all[2].data["replicas"].as_array().unwrap().len(), 2);
    assert_eq!(all[2].data["replicas"][0]["state"], "assigned");

    // A browser asks for the same address again, and says in a header how far it came.
    let from_start = format!("?after={begun}");
    for (last, from) in [(None, 0), (Some(begun), 0), (Some(begun + 1), 1)] {
        let mut again = Events::of(&server, &from_start, last).await;
        assert_eq!(again.take(4 - from).await, all[from..], "{last:?}");
    }
    let mut chunks = Events::of(
        &server,
        &format!("{from_start}&kinds=file,chunk&id=b&id=n1"),
        None,
    )
    .await;
    let only = chunks.take(1).await;
    assert_eq!(
        (&only[0].data["chunk_id"], only[0].id),
        (&json!("b"), Some(begun + 2))
    );
    drop((live, chunks));
    server.service.end_watches();
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_refused_by_name() {
    let server = Server::start().await;
    for (query, details) in [
        ("?after=-1", "after: "),
        ("?after=x", "after: "),
        ("?after=1&after=2", "after: "),
        ("?kinds=node,disk", "kinds[1]: "),
        ("?id=", "id[0]: "),
    ] {
        let reply = server.get(&format!("/api/v1/watch{query}")).await;
        reply.assert_error(400, details);
    }
    let request = server
        .request(Method::GET, "/api/v1/watch")
        .header("Last-Event-ID", "x");
    crate::server::send(request)
        .await
        .assert_error(400, "Last-Event-ID: ");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_watch_as_may_and_metrics_tell_of_them() {
    let server = Server::start_with(|settings| settings.limits.max_watchers = 1).await;
    let mut first = Events::of(&server, "", None).await;
    server.register_node("n1").await;
    first.take(1).await;
    let refused = server.get("/api/v1/watch").await;
    refused.assert_error(503, "1 watchers are here already");
    let metrics = server.metrics().await;
    for line in [
        "# TYPE coordinator_watchers gauge\n",
        "coordinator_watchers 1\n",
        "coordinator_watch_events_total 1\n",
        "coordinator_watchers_cut_off_total{reason=\"stopping\"} 0\n",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // The end of the server waits for nobody who watches.
    server.service.end_watches();
    let last = first.next().await.unwrap();
    assert_eq!(
        (last.name.as_str(), &last.data["error"]),
        ("error", &json!("watch interrupted"))
    );
    assert!(first.next().await.is_none());
    let metrics = server.metrics().await;
    assert!(metrics.contains("coordinator_watchers_cut_off_total{reason=\"stopping\"} 1\n"));
    server.end().await;
}

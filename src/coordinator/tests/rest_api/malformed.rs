//! What is no request, or none that anybody knows, is refused in one form.

use reqwest::{Method, header};

use crate::server::{Server, exchange, send};

const REGISTER: &str = "/api/v1/nodes/register";

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_json_object_are_refused() {
    let server = Server::start().await;
    let post = |content_type: Option<&'static str>, body: Vec<u8>| {
        let mut request = server.request(Method::POST, REGISTER).body(body);
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        send(request)
    };
    const JSON: Option<&str> = Some("application/json");
    let good = br#"{"addresses": ["a:1"], "storage_capacity": 1}"#.to_vec();
    for (content_type, body, status, details) in [
        (JSON, &b"{"[..], 400, "body: EOF while parsing"),
        (JSON, b"{} {}", 400, "body: "),
        (JSON, b"\xff", 400, "body: invalid utf-8"),
        (
            JSON,
            b"[]",
            400,
            "body: invalid type: sequence, expected an object",
        ),
        (JSON, b"7", 400, "body: invalid type: integer"),
        (JSON, b"", 400, "body: is missing; send a JSON object"),
        (None, b"", 400, "body: is missing; send a JSON object"),
        (None, &good, 415, "the header Content-Type is missing"),
        (
            Some("text/plain"),
            &good,
            415,
            "the body is \"text/plain\"; send application/json",
        ),
        (
            Some("application/x-www-form-urlencoded"),
            &good,
            415,
            "the body is",
        ),
    ] {
        let reply = post(content_type, body.to_vec()).await;
        reply.assert_error(status, details);
    }
    for content_type in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.api+json",
    ] {
        assert_eq!(
            post(Some(content_type), good.clone()).await.status,
            200,
            "{content_type}"
        );
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_once_it_is_sent() {
    let server = Server::start_with(|settings| settings.rest.max_body_size = 100_000).await;
    for size in [100_001, 3_000_000] {
        let body = format!("{{\"addresses\": [\"{}\"]}}", "a".repeat(size));
        let request = server
            .request(Method::POST, REGISTER)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body);
        send(request)
            .await
            .assert_error(413, "body: must be at most 100000 bytes long");
    }
    // A client that asks first need not send it at all.
    let head = "POST /api/v1/nodes/register HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
                content-type: application/json\r\ncontent-length: 100001\r\nconnection: close\r\n\r\n";
    let answer = exchange(server.connect().await, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_of_something_is_over_a_limit_too() {
    let server = Server::start_with(|settings| settings.limits.max_addresses_per_node = 2).await;
    let body = serde_json::json!({"addresses": ["a", "b", "c"], "storage_capacity": 1});
    server
        .post(REGISTER, body)
        .await
        .assert_error(413, "addresses: must have at most 2 addresses, got 3");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_told_in_json() {
    let server = Server::start().await;
    for path in [
        "/nowhere",
        "/api/v1",
        "/api/v1/nodes/",
        "/api/v1/nodes/a/b/c",
        "/api/v2/nodes",
        "/docs/nothing.js",
    ] {
        server.get(path).await.assert_error(404, "nothing is served at /");
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/api/v1/nodes/active", "GET,HEAD"),
        (Method::GET, REGISTER, "POST"),
        (Method::POST, "/api/v1/files/f1", "GET,HEAD,DELETE"),
        (Method::PATCH, "/api/v1/chunks/c1/locations", "GET,HEAD,PUT"),
        (Method::TRACE, "/", "GET,HEAD"),
    ] {
        let response = server.request(method.clone(), path).send().await.unwrap();
        assert_eq!(response.status(), 405, "{method} {path}");
        assert_eq!(response.headers()["allow"], allowed, "{method} {path}");
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["error"], "method not allowed");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_that_cannot_be_meant_are_refused() {
    let server = Server::start().await;
    server
        .get("/api/v1/nodes/%FF")
        .await
        .assert_error(400, "the id in the path is not UTF-8");
    server
        .get("/api/v1/nodes/%00")
        .await
        .assert_error(400, "node_id: must not contain control characters");
    let long = "x".repeat(257);
    server
        .get(&format!("/api/v1/files/{long}"))
        .await
        .assert_error(400, "file_id: must be at most 256 bytes");
    let endless = "x".repeat(33_000);
    server
        .get(&format!("/api/v1/files/{endless}"))
        .await
        .assert_error(414, "path and query must be at most");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_wherever_get_is() {
    let server = Server::start().await;
    server.register_node("n1").await;
    for path in [
        "/",
        "/health",
        "/api/v1/nodes/n1",
        "/api/v1/nodes/nobody",
        "/docs/",
        "/api/openapi.json",
    ] {
        let get = server.request(Method::GET, path).send().await.unwrap();
        let head = server.request(Method::HEAD, path).send().await.unwrap();
        assert_eq!(head.status(), get.status(), "{path}");
        assert_eq!(
            head.headers()["content-type"],
            get.headers()["content-type"],
            "{path}"
        );
        assert!(head.bytes().await.unwrap().is_empty());
    }
    server.end().await;
}

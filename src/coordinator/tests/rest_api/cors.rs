//! Web pages call the API, where they may.

use reqwest::{Method, Response};

use crate::server::Server;

async fn preflight(server: &Server, origin: &str) -> Response {
    let request = server
        .request(Method::OPTIONS, "/api/v1/chunks/c1/locations")
        .header("origin", origin)
        .header("access-control-request-method", "PUT")
        .header(
            "access-control-request-headers",
            "content-type,idempotency-key,authorization,x-of-a-proxy",
        );
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn any_page_may_call_by_default() {
    let server = Server::start().await;
    let response = preflight(&server, "https://any.example").await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert!(
        header(&response, "access-control-allow-methods")
            .unwrap()
            .contains("PUT")
    );
    let allowed = header(&response, "access-control-allow-headers").unwrap();
    for name in ["content-type", "idempotency-key", "authorization", "x-of-a-proxy"] {
        assert!(allowed.contains(name), "no {name} in {allowed}");
    }

    for path in ["/api/v1/nodes/active", "/nowhere", "/api/v1/nodes/nobody"] {
        let request = server
            .request(Method::GET, path)
            .header("origin", "https://any.example");
        let response = request.send().await.unwrap();
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            Some("*"),
            "{path}"
        );
        assert!(
            header(&response, "access-control-expose-headers")
                .unwrap()
                .contains("x-applied-index")
        );
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pages_of_the_configured_origins_may_call() {
    let server = Server::start_with(|settings| {
        settings.rest.cors_origins = vec![
            "https://files.example".to_owned(),
            "http://localhost:3000".to_owned(),
        ];
    })
    .await;
    for (origin, allowed) in [
        ("https://files.example", Some("https://files.example")),
        ("http://localhost:3000", Some("http://localhost:3000")),
        ("https://evil.example", None),
        ("null", None),
    ] {
        let response = preflight(&server, origin).await;
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            allowed,
            "{origin}"
        );
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_origins_no_page_may_call() {
    let server = Server::start_with(|settings| settings.rest.cors_origins.clear()).await;
    let response = preflight(&server, "https://any.example").await;
    assert_eq!(header(&response, "access-control-allow-origin"), None);
    assert_eq!(
        server.get("/api/v1/nodes/active").await.status,
        200,
        "other clients may"
    );
    server.end().await;
}

//! The API describes itself.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, send};

async fn description(server: &Server) -> Value {
    server.get("/api/openapi.json").await.body
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_the_contract_is_described() {
    let server = Server::start().await;
    let description = description(&server).await;
    let mut found = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            found.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let expected = [
        "GET /",
        "GET /health",
        "POST /api/v1/nodes/register",
        "POST /api/v1/nodes/{id}/heartbeat",
        "POST /api/v1/nodes/{id}/unregister",
        "POST /api/v1/nodes/{id}/drain",
        "GET /api/v1/nodes/{id}/drain",
        "POST /api/v1/nodes/{id}/decommission",
        "POST /api/v1/nodes/{id}/cancel-drain",
        "GET /api/v1/repair",
        "POST /api/v1/repair/release",
        "GET /api/v1/why/chunk/{id}",
        "GET /api/v1/why/node/{id}",
        "GET /api/v1/why/task/{id}",
        "POST /api/v1/nodes/{id}/activate",
        "POST /api/v1/nodes/{id}/maintenance",
        "GET /api/v1/nodes/active",
        "GET /api/v1/nodes/{id}",
        "GET /api/v1/nodes",
        "POST /api/v1/files/register",
        "GET /api/v1/files/{id}",
        "DELETE /api/v1/files/{id}",
        "GET /api/v1/files",
        "GET /api/v1/chunks/{id}",
        "GET /api/v1/chunks/{id}/locations",
        "PUT /api/v1/chunks/{id}/locations",
        "GET /api/v1/chunks/{id}/explain",
        "GET /api/v1/network/status",
        "GET /api/v1/network/stats",
        "GET /api/v1/admin/database/stats",
        "POST /api/v1/admin/database/backup",
        "POST /api/v1/admin/database/cleanup",
        "GET /api/v1/tasks",
        "GET /api/v1/watch",
        "GET /api/v1/cluster",
        "POST /api/v1/cluster/transfer-leader",
        "DELETE /api/v1/cluster/members/{name}",
        "POST /api/v1/cluster/resize",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
    assert_eq!(server.get("/api/v1/openapi.json").await.body, description);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_have_names_of_their_own_and_links_lead_to_them() {
    let server = Server::start().await;
    let description = description(&server).await;
    let operations: Vec<&Value> = description["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .collect();
    let mut names = BTreeSet::new();
    for operation in &operations {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "twice: {name}");
    }
    let mut links = 0;
    for operation in &operations {
        for response in operation["responses"].as_object().unwrap().values() {
            for link in response["links"]
                .as_object()
                .into_iter()
                .flat_map(|links| links.values())
            {
                assert!(names.contains(link["operationId"].as_str().unwrap()), "{link}");
                links += 1;
            }
        }
    }
    assert_eq!(links, 18);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_are_those_in_force() {
    let server = Server::start_with(|settings| {
        settings.limits.max_id_length = 77;
        settings.limits.max_chunks_per_file = 5;
    })
    .await;
    let description = description(&server).await;
    let schemas = description["components"]["schemas"].as_object().unwrap();
    assert_eq!(schemas["Id"]["maxLength"], 77);
    assert_eq!(schemas["ChunkList"]["maxItems"], 5);
    for (name, schema) in schemas {
        assert_ne!(
            schema["$ref"],
            json!(format!("#/components/schemas/{name}")),
            "not filled in"
        );
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_body_has_an_example_that_can_be_sent() {
    let server = Server::start().await;
    let description = description(&server).await;
    let example = |path: &str, method: &str| {
        let schema =
            &description["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"];
        let reference = schema.get("$ref").unwrap_or(&schema["oneOf"][0]["$ref"]);
        let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
        let examples = &description.pointer(pointer).unwrap()["examples"];
        assert!(examples[0].is_object(), "{method} {path} has no example");
        examples[0].clone()
    };
    // In an order in which each finds what it needs.
    let bodies = [
        ("/api/v1/nodes/register", "post", "", 200),
        ("/api/v1/files/register", "post", "", 201),
        ("/api/v1/chunks/{id}/locations", "put", "report-0", 200),
        ("/api/v1/nodes/{id}/heartbeat", "post", "node-1", 200),
        ("/api/v1/nodes/{id}/maintenance", "post", "node-1", 200),
        // There is no other node that could take over what lies on this one.
        ("/api/v1/nodes/{id}/drain", "post", "node-1", 409),
        ("/api/v1/nodes/{id}/decommission", "post", "node-1", 409),
        ("/api/v1/nodes/{id}/unregister", "post", "node-1", 200),
        ("/api/v1/cluster/resize", "post", "", 409),
        ("/api/v1/cluster/transfer-leader", "post", "", 409),
    ];
    let paths = description["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|item| item.as_object().unwrap().values());
    let described = operations.filter(|operation| operation.get("requestBody").is_some());
    assert_eq!(described.count(), bodies.len());
    for (path, method, id, status) in bodies {
        let request = server.request(
            Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
            &path.replace("{id}", id),
        );
        let reply = send(request.json(&example(path, method))).await;
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_requests_and_answers_may_carry_is_described() {
    let server = Server::start().await;
    let description = description(&server).await;
    let mut reads = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        if !path.starts_with("/api/v1/") {
            continue;
        }
        for (method, operation) in item.as_object().unwrap() {
            let names: Vec<&str> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            assert!(names.contains(&"Request-Timeout"), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let headers = &response["headers"];
                for header in ["X-Applied-Index", "X-Leader"] {
                    let is_there = headers.get(header).is_some();
                    // The head was too large to see a request in it.
                    assert_eq!(is_there, status != "431", "{header}: {method} {path} {status}");
                }
            }
            let is_local = ["cluster", "admin", "watch"]
                .iter()
                .any(|name| path["/api/v1/".len()..].starts_with(name));
            if method == "get" && !is_local {
                for name in ["consistency", "at_least", "max_staleness"] {
                    assert!(names.contains(&name), "{name}: {path}");
                }
                reads += 1;
            }
        }
    }
    assert_eq!(reads, 16);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_leads_somewhere() {
    let server = Server::start().await;
    let description = description(&server).await;
    let mut references = BTreeSet::new();
    collect_references(&description, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
    server.end().await;
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                found.insert(reference.clone());
            }
            object.values().for_each(|value| collect_references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_needs_nothing_from_outside() {
    let server = Server::start().await;
    let text = async |path: &str| {
        let response = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    };
    let page = text("/docs").await;
    assert!(page.contains("swagger-ui"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
    let start = text("/docs/swagger-initializer.js").await;
    assert!(start.contains("/api/openapi.json"), "{start}");
    assert!(start.contains("\"validatorUrl\": \"none\""), "{start}");
    for asset in [
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "swagger-ui.css",
        "index.css",
    ] {
        assert!(!text(&format!("/docs/{asset}")).await.is_empty());
    }
    server.end().await;
}

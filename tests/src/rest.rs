//! A small client of the REST API, for tests that look at the wire.

use std::time::Duration;

use serde_json::Value;

/// An answer as it came over the wire.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header `X-Applied-Index`, if there is one.
    pub applied_index: Option<u64>,
    /// The body, if it is JSON; `null` otherwise.
    pub body: Value,
}

/// The REST API of one coordinator.
#[derive(Debug, Clone)]
pub struct Rest {
    client: reqwest::Client,
    base: String,
}

impl Rest {
    /// The API at a base URL without a path, for a client that waits for answers as long as it takes.
    pub fn at(base: String) -> Self {
        Self {
            client: reqwest::Client::new(),
            base,
        }
    }

    /// The same for a client that waits for an answer no longer than its patience lasts.
    ///
    /// # Panics
    /// If the system has no TLS settings to read, which nobody needs here.
    #[allow(clippy::panic, reason = "without a client there is no test")]
    pub fn new(base: String, patience: Duration) -> Self {
        let client = reqwest::Client::builder().timeout(patience).build();
        let client = client.unwrap_or_else(|error| panic!("no HTTP client: {error}"));
        Self { client, base }
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request; an error says that no answer came.
    ///
    /// # Errors
    /// The transport's.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        self.send_with(method, path, body, None).await
    }

    /// Sends a request that may carry an idempotency key; an error says that no answer came.
    ///
    /// # Errors
    /// The transport's.
    pub async fn send_with(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Answer, reqwest::Error> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap_or(reqwest::Method::GET);
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let response = request.send().await?;
        let index = response.headers().get("x-applied-index");
        let applied_index = index.and_then(|value| value.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or(Value::Null);
        Ok(Answer {
            status,
            applied_index,
            body,
        })
    }

    /// GET, which must be answered.
    ///
    /// # Panics
    /// If no answer comes.
    pub async fn get(&self, path: &str) -> Answer {
        self.answered("GET", path, None).await
    }

    /// What is said in plain text at a path.
    ///
    /// # Panics
    /// If nothing is.
    #[allow(clippy::panic, reason = "an answer that does not come is a failed test")]
    pub async fn text(&self, path: &str) -> String {
        let said = async {
            let response = self.client.get(format!("{}{path}", self.base)).send().await?;
            response.error_for_status()?.text().await
        };
        said.await
            .unwrap_or_else(|error| panic!("GET {path} got no text: {error}"))
    }

    /// POST, which must be answered.
    ///
    /// # Panics
    /// If no answer comes.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.answered("POST", path, Some(body)).await
    }

    /// Any method, which must be answered.
    ///
    /// # Panics
    /// If no answer comes.
    #[allow(clippy::panic, reason = "an answer that does not come is a failed test")]
    pub async fn answered(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let answer = self.send(method, path, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {path} got no answer: {error}"))
    }
}

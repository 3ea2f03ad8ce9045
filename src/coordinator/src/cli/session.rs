//! What a command works with: a client of the coordinator, and the streams for results and messages.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments::ClientArgs;
use super::client::{Answer, Client, Repetition, Request, Stream};
use super::exit::CliError;
use super::output::{Output, Streams};

/// One command's client and streams.
pub(crate) struct Session<'w> {
    client: Client,
    /// Where results and messages go.
    pub(crate) output: Output<'w>,
}

impl<'w> Session<'w> {
    /// A session as the options say.
    ///
    /// # Errors
    /// `Local` when the system lacks what a client needs.
    pub(crate) fn new(args: ClientArgs, streams: Streams<'w>) -> Result<Self, CliError> {
        let ClientArgs {
            endpoint,
            output,
            timeout,
        } = args;
        Ok(Self {
            client: Client::new(endpoint, timeout)?,
            output: Output::new(streams, output),
        })
    }

    /// The answer to `request`.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(crate) async fn send(&mut self, request: &Request<'_>) -> Result<Answer, CliError> {
        let Self { client, output } = self;
        client.send(request, |text| output.note(text)).await
    }

    /// The answer to `request`, without a word to the person at the terminal when it takes long.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(crate) async fn ask(&mut self, request: &Request<'_>) -> Result<Answer, CliError> {
        self.client.send(request, |_| {}).await
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub(crate) async fn open(&mut self, request: &Request<'_>) -> Result<Stream, CliError> {
        self.client.open(request).await
    }

    /// The next request goes to another endpoint first.
    pub(crate) fn turn_to_the_next(&mut self) {
        self.client.turn_to_the_next();
    }

    /// Gets a resource and prints it.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Output::answer`].
    pub(crate) async fn show<T: DeserializeOwned>(
        &mut self,
        path: &[&str],
        render: impl FnOnce(T) -> String,
    ) -> Result<(), CliError> {
        let answer = self.send(&Request::get(path)).await?;
        self.output.answer(&answer, render)
    }

    /// Posts `body` and prints the answer.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Output::answer`].
    pub(crate) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &[&str],
        body: &impl Serialize,
        repetition: Repetition,
        render: impl FnOnce(T) -> String,
    ) -> Result<(), CliError> {
        let request = Request::post(path, body, repetition)
            .map_err(|error| CliError::Local(format!("the request cannot be written: {error}")))?;
        let answer = self.send(&request).await?;
        self.output.answer(&answer, render)
    }

    /// Deletes a resource and prints the answer.
    ///
    /// # Errors
    /// As [`Client::send`] and [`Output::answer`].
    pub(crate) async fn delete<T: DeserializeOwned>(
        &mut self,
        path: &[&str],
        repetition: Repetition,
        render: impl FnOnce(T) -> String,
    ) -> Result<(), CliError> {
        let answer = self.send(&Request::delete(path, repetition)).await?;
        self.output.answer(&answer, render)
    }
}

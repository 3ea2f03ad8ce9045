//! A real HTTP listener for tests: it reacts to each request as it was told to, and remembers what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What the server does with a request once it has read it.
#[derive(Debug, Clone)]
pub(crate) enum Reaction {
    /// Answers with this status and body.
    Reply(u16, String),
    /// Never answers.
    Hang,
    /// Closes the connection.
    Close,
}

/// A request as it arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// Method and target: `GET /api/v1/files`.
    pub(crate) line: String,
    /// The header Idempotency-Key.
    pub(crate) key: Option<String>,
    /// The header Request-Timeout.
    pub(crate) timeout: Option<String>,
    /// The body.
    pub(crate) body: String,
}

/// A server on a free port of this host, until it is dropped.
pub(crate) struct FakeServer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Reaction {
    /// A reply with this status and body.
    pub(crate) fn reply(status: u16, body: impl Into<String>) -> Self {
        Self::Reply(status, body.into())
    }
}

impl FakeServer {
    /// A server that reacts in this order, and as the last time from then on.
    pub(crate) fn start(reactions: impl IntoIterator<Item = Reaction>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let is_stopping = Arc::new(AtomicBool::new(false));
        let reactions: Vec<_> = reactions.into_iter().collect();
        let thread = std::thread::spawn({
            let (received, is_stopping) = (Arc::clone(&received), Arc::clone(&is_stopping));
            move || serve(&listener, &reactions, &received, &is_stopping)
        });
        Self {
            address,
            received,
            is_stopping,
            thread: Some(thread),
        }
    }

    /// The URL of a server that is no more: nobody listens there.
    pub(crate) fn gone() -> String {
        Self::start([]).url()
    }

    /// The URL without path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The first lines of the requests so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.received().into_iter().map(|request| request.line).collect()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        // Wakes the thread, which waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking());
        }
    }
}

fn serve(
    listener: &TcpListener,
    reactions: &[Reaction],
    received: &Mutex<Vec<Received>>,
    is_stopping: &AtomicBool,
) {
    let mut hanging = Vec::new();
    for (position, stream) in listener.incoming().enumerate() {
        if is_stopping.load(Ordering::SeqCst) {
            return;
        }
        let mut stream = stream.unwrap();
        received.lock().unwrap().push(read_request(&stream));
        match &reactions[position.min(reactions.len() - 1)] {
            Reaction::Reply(status, body) => {
                let head = format!(
                    "HTTP/1.1 {status} Some Reason\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + body).as_bytes()).unwrap();
            }
            Reaction::Hang => hanging.push(stream),
            Reaction::Close => drop(stream),
        }
    }
}

fn read_request(stream: &TcpStream) -> Received {
    let mut reader = BufReader::new(stream);
    let mut request = Received::default();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            None => request.line = line.trim_end_matches(" HTTP/1.1").to_owned(),
            Some(("idempotency-key", value)) => request.key = Some(value.to_owned()),
            Some(("request-timeout", value)) => request.timeout = Some(value.to_owned()),
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request.body = String::from_utf8(body).unwrap();
    request
}

//! Refuses messages of very many fields before they are decoded: two bytes on the wire can be a chunk's
//! description of dozens of bytes in memory, or a text with its own allocation, before any limit on chunks or
//! texts is looked at. Messages that begin and do not end are broken off, too: what has arrived of them takes memory that is
//! for all requests.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::Uri;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use prost::{DecodeError, Message as _};
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tokio::time::{Sleep, sleep};
use tonic::Status;

use super::field_count::{FieldCount, TooManyFields};
use super::memory::{CountedBody, Messages};

/// What there is to know of every RPC's requests before they are decoded, by the RPC's path.
#[derive(Debug, Clone)]
pub(in crate::api::grpc) struct RequestFields(Arc<HashMap<String, Rpc>>);

/// An RPC's requests.
#[derive(Debug)]
struct Rpc {
    /// The names of their fields, by number.
    fields: HashMap<u64, String>,
    /// Whether a client sends any number of them.
    is_stream: bool,
}

impl RequestFields {
    /// Those of the public API.
    ///
    /// # Errors
    /// If the compiled-in description cannot be read: a defect of the build.
    pub(in crate::api::grpc) fn of_the_public_api() -> Result<Self, DecodeError> {
        let FileDescriptorSet { file } = FileDescriptorSet::decode(zephyrfs_proto::FILE_DESCRIPTOR_SET)?;
        Ok(Self(Arc::new(file.iter().flat_map(rpcs_by_path).collect())))
    }

    /// Whether the client sends any number of messages to this path, for as long as it likes.
    pub(in crate::api::grpc) fn is_stream(&self, path: &str) -> bool {
        self.0.get(path).is_some_and(|rpc| rpc.is_stream)
    }

    fn name(&self, path: &str, number: u64) -> String {
        let name = self.0.get(path).and_then(|rpc| rpc.fields.get(&number));
        name.cloned().unwrap_or_else(|| format!("field {number}"))
    }
}

fn rpcs_by_path(file: &FileDescriptorProto) -> Vec<(String, Rpc)> {
    let fields_of = |type_name: &str| -> HashMap<u64, String> {
        let message = file
            .message_type
            .iter()
            .find(|message| type_name == format!(".{}.{}", file.package(), message.name()));
        let fields = message
            .map(|message| message.field.as_slice())
            .unwrap_or_default();
        fields
            .iter()
            .filter_map(|field| Some((u64::try_from(field.number()).ok()?, field.name().to_owned())))
            .collect()
    };
    let rpcs = file
        .service
        .iter()
        .flat_map(|service| service.method.iter().map(move |method| (service, method)));
    rpcs.map(|(service, method)| {
        let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
        let rpc = Rpc {
            fields: fields_of(method.input_type()),
            is_stream: method.client_streaming(),
        };
        (path, rpc)
    })
    .collect()
}

pin_project! {
    /// A body whose fields are counted as they arrive: it breaks off once its message turns out to have too many, or does not
    /// end.
    pub(in crate::api::grpc) struct CheckedBody {
        #[pin]
        body: CountedBody,
        count: FieldCount,
        fields: RequestFields,
        uri: Uri,
        time: Duration,
        // When the time for the message is over of which a part has arrived.
        end: Option<Pin<Box<Sleep>>>,
        messages: Option<Messages>,
    }
}

impl RequestFields {
    /// Counts the fields of the body of a request to this address. Each message may take so much time from its first byte to
    /// its last. Where the body is a stream, `messages` are told of.
    pub(in crate::api::grpc) fn check(
        self,
        uri: Uri,
        body: CountedBody,
        time: Duration,
        messages: Option<Messages>,
    ) -> CheckedBody {
        CheckedBody {
            body,
            count: FieldCount::default(),
            fields: self,
            uri,
            time,
            end: None,
            messages,
        }
    }
}

impl http_body::Body for CheckedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.project();
        let Poll::Ready(frame) = this.body.poll_frame(context) else {
            if !this.count.is_amid() {
                return Poll::Pending;
            }
            // The time runs only while somebody waits for the rest: what is not read cannot arrive.
            let time = *this.time;
            let end = this.end.get_or_insert_with(|| Box::pin(sleep(time)));
            return end.as_mut().poll(context).map(|()| Some(Err(unfinished(time))));
        };
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(TooManyFields { field, allowed }) = this.count.take(data, |bytes| {
                *this.end = None;
                if let Some(messages) = this.messages {
                    // No longer than what has arrived, so it fits.
                    messages.arrived(bytes as usize);
                }
            })
        {
            let name = this.fields.name(this.uri.path(), field);
            return Poll::Ready(Some(Err(Status::resource_exhausted(format!(
                "{name}: there are too many; a message of this length may have {allowed} fields in all"
            )))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn unfinished(time: Duration) -> Status {
    Status::unavailable(format!(
        "a message had not arrived as a whole after {} s; nothing was changed by it: send it again",
        time.as_secs()
    ))
}

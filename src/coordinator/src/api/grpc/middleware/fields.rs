//! Refuses messages of very many fields before they are decoded: two bytes on the wire can be a chunk's
//! description of dozens of bytes in memory, or a text with its own allocation, before any limit on chunks or
//! texts is looked at.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt as _;
use prost::{DecodeError, Message as _};
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tonic::Status;

use super::field_count::{FieldCount, TooManyFields};

/// The names of the fields of every RPC's request, by the RPC's path and the field's number.
#[derive(Debug, Clone)]
pub(in crate::api::grpc) struct RequestFields(Arc<HashMap<String, HashMap<u64, String>>>);

impl RequestFields {
    /// Those of the public API.
    ///
    /// # Errors
    /// If the compiled-in description cannot be read: a defect of the build.
    pub(in crate::api::grpc) fn of_the_public_api() -> Result<Self, DecodeError> {
        let FileDescriptorSet { file } = FileDescriptorSet::decode(zephyrfs_proto::FILE_DESCRIPTOR_SET)?;
        Ok(Self(Arc::new(file.iter().flat_map(fields_by_path).collect())))
    }

    fn name(&self, path: &str, number: u64) -> String {
        let name = self.0.get(path).and_then(|fields| fields.get(&number));
        name.cloned().unwrap_or_else(|| format!("field {number}"))
    }
}

fn fields_by_path(file: &FileDescriptorProto) -> Vec<(String, HashMap<u64, String>)> {
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
        (path, fields_of(method.input_type()))
    })
    .collect()
}

/// Passes a request on, and refuses it once its message turns out to have too many fields.
pub(in crate::api::grpc) async fn bound_fields(
    State(names): State<RequestFields>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    next.run(request.map(|body| counted(body, names, path))).await
}

fn counted(body: Body, names: RequestFields, path: String) -> Body {
    let mut count = FieldCount::default();
    Body::from_stream(body.into_data_stream().map(move |data| {
        let data: Bytes = data.map_err(|error| Status::from_error(Box::new(error)))?;
        count.take(&data).map_err(|TooManyFields { field, allowed }| {
            let name = names.name(&path, field);
            Status::resource_exhausted(format!(
                "{name}: there are too many; a message of this length may have {allowed} fields in all"
            ))
        })?;
        Ok::<_, Status>(data)
    }))
}

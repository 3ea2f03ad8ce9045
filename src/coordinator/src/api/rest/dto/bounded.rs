//! The values of requests that have bounds, as components of the API's description.
//!
//! The bounds are settings of the service, which enforces them, so the components are filled in from its
//! limits when the description is put together; the types here only name them.

use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{Components, ObjectBuilder, Ref, RefOr, Schema, Type};
use utoipa::{Number, PartialSchema, ToSchema};
use zephyrfs_core::event::ChangeKind;
use zephyrfs_core::row::NodeStatus;

use crate::api::rest::span::SPAN_PATTERN;
use crate::service::{Limits, MAX_NAMED_CHUNKS};

/// No control characters.
const PLAIN: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// Anything but NUL.
const FREE: &str = "^[^\\u0000]*$";

/// What a header can hold without losing anything on the way: printable ASCII, no blanks at the ends.
const HEADER_TEXT: &str = "^[!-~]([ -~]*[!-~])?$";

/// Declares the components: a type for each, which stands for a reference to it.
macro_rules! components {
    ($($(#[$doc:meta])* $name:ident: $schema:expr;)*) => {
        $(
            $(#[$doc])*
            pub(in crate::api::rest) struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    reference(stringify!($name))
                }
            }

            impl ToSchema for $name {
                fn name() -> std::borrow::Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )*

        /// Puts the components into a description, with the bounds in force.
        pub(in crate::api::rest) fn fill_in(components: &mut Components, limits: &Limits) {
            $({
                let build: fn(&Limits) -> Schema = $schema;
                components
                    .schemas
                    .insert(stringify!($name).to_owned(), RefOr::T(build(limits)));
            })*
        }
    };
}

components! {
    /// The id of a node, file or chunk.
    Id: |limits| described(
        text(PLAIN).min_length(Some(1)).max_length(Some(limits.max_id_length)),
        "Bytes of UTF-8 count towards the length; no control characters.",
    );
    /// An id, or an empty text for none.
    OptionalId: |limits| described(
        text(PLAIN).max_length(Some(limits.max_id_length)),
        "As `Id`; may be empty.",
    );
    /// A hash as the client computed and spells it.
    Hash: |limits| described(
        text(PLAIN).max_length(Some(limits.max_id_length)),
        "Any algorithm and any spelling: the coordinator only compares.",
    );
    /// The name of a file.
    FileName: |limits| described(
        text(FREE).max_length(Some(limits.max_name_length)),
        "Any text without NUL; bytes of UTF-8 count towards the length.",
    );
    /// Why something is done.
    Reason: |limits| described(
        text(FREE).max_length(Some(limits.max_name_length)),
        "Any text without NUL; bytes of UTF-8 count towards the length.",
    );
    /// The addresses of a node.
    Addresses: |limits| array(
        Schema::from(text(PLAIN).min_length(Some(1)).max_length(Some(limits.max_address_length))),
        0,
        limits.max_addresses_per_node,
    );
    /// The capabilities of a node.
    Capabilities: |limits| {
        let name = text(PLAIN).min_length(Some(1)).max_length(Some(limits.max_capability_length));
        let value = text(FREE).max_length(Some(limits.max_capability_length));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .property_names(Some(name))
            .additional_properties(Some(AdditionalProperties::from(RefOr::T(value.into()))))
            .max_properties(Some(limits.max_capabilities_per_node))
            .into()
    };
    /// Node ids.
    NodeIds: |limits| array(reference("Id"), 1, limits.max_node_ids_per_request);
    /// The chunks of a file.
    ChunkList: |limits| array(reference("ChunkMetadata"), 0, limits.max_chunks_per_file);
    /// A number of bytes.
    ByteCount: |_| whole(0, i64::MAX.unsigned_abs());
    /// The length of a file in bytes.
    FileSize: |limits| whole(0, limits.max_file_size.min(i64::MAX.unsigned_abs()));
    /// The length of a chunk in bytes.
    ChunkSize: |limits| whole(0, limits.max_chunk_size.min(i64::MAX.unsigned_abs()));
    /// Where a chunk stands in a file.
    ChunkIndex: |_| whole(0, i32::MAX.unsigned_abs().into());
    /// A number of something.
    Count: |_| whole(0, i64::MAX.unsigned_abs());
    /// Percent.
    Percent: |_| described(
        ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0)),
        "0 to 100; more, as several processors together reach, counts as 100.",
    );
    /// A span of time.
    Span: |_| text(SPAN_PATTERN).into();
    /// Where a page of a list begins.
    PageToken: |limits| described(
        text(&page_token_pattern()).max_length(Some(limits.max_id_length.saturating_mul(2))),
        "The `next_page_token` of the page before; empty for the first page.",
    );
    /// Where a page of the list of tasks begins.
    TaskPageToken: |limits| described(
        text(&pair_token_pattern()).max_length(Some(limits.max_id_length.saturating_mul(4).saturating_add(1))),
        "The `next_page_token` of the page before; empty for the first page.",
    );
    /// How many items a page has.
    PageLimit: |limits| whole(1, limits.max_page_size as u64);
    /// How many chunks that are left on a draining node are named.
    NamedChunkCount: |_| whole(0, MAX_NAMED_CHUNKS.into());
    /// The key of a request that may be repeated.
    IdempotencyKey: |limits| text(HEADER_TEXT)
        .min_length(Some(1))
        .max_length(Some(limits.max_id_length))
        .into();
    /// What nodes say of a chunk.
    Operation: |_| words(&["add", "remove"]);
    /// The state of a node.
    NodeStatusWord: |_| words(&NodeStatus::ALL.map(NodeStatus::as_str));
    /// The state of a task.
    TaskStateWord: |_| words(&["pending", "issued"]);
    /// What a change is about.
    ChangeKindWord: |_| words(&ChangeKind::ALL.map(ChangeKind::as_str));
}

fn reference(name: &str) -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(name))
}

fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
}

fn described(schema: ObjectBuilder, description: &str) -> Schema {
    schema.description(Some(description)).into()
}

fn words(words: &[&str]) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words.iter().copied()))
        .into()
}

fn whole(minimum: u64, maximum: u64) -> Schema {
    let number = |number| Number::UInt(usize::try_from(number).unwrap_or(usize::MAX));
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(number(minimum)))
        .maximum(Some(number(maximum)))
        .into()
}

fn array(items: impl Into<RefOr<Schema>>, min_items: usize, max_items: usize) -> Schema {
    let mut array = utoipa::openapi::Array::new(items);
    array.min_items = Some(min_items).filter(|min| *min > 0);
    array.max_items = Some(max_items);
    Schema::Array(array)
}

/// The form of a page token, which is the hex of an id.
fn page_token_pattern() -> String {
    format!("^({})*$", hex_of_characters())
}

/// The form of a page token of two ids.
fn pair_token_pattern() -> String {
    let characters = hex_of_characters();
    format!("^(({characters})+\\.({characters})+)?$")
}

/// The hex of valid UTF-8 without control characters, byte by byte, as alternatives.
fn hex_of_characters() -> String {
    let tail = "[89ab][0-9a-f]";
    let characters = [
        "[2-6][0-9a-f]".to_owned(),
        "7[0-9a-e]".to_owned(),
        "c2[ab][0-9a-f]".to_owned(),
        format!("(c[3-9a-f]|d[0-9a-f]){tail}"),
        format!("e0[ab][0-9a-f]{tail}"),
        format!("e[1-9a-cef]({tail}){{2}}"),
        format!("ed[89][0-9a-f]{tail}"),
        format!("f0[9ab][0-9a-f]({tail}){{2}}"),
        format!("f[1-3]({tail}){{3}}"),
        format!("f48[0-9a-f]({tail}){{2}}"),
    ];
    characters.join("|")
}

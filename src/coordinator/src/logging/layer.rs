//! The `tracing` layer that writes a line for each event: with the fields of the spans around it, where the
//! event's own come first and win, then those of the inner span, then those of the outer ones.

use std::borrow::Cow;
use std::io::Write;
use std::time::SystemTime;

use serde_json::Value as Json;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::filter::is_own;
use super::line::Line;
use super::{json, text};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object a line.
    Json,
    /// Text for people.
    Text {
        /// Whether it is coloured.
        coloured: bool,
    },
}

/// Writes each event as a line to a writer of `W`.
pub(crate) struct LineLayer<W> {
    format: Format,
    writers: W,
    now: fn() -> SystemTime,
}

impl<W> LineLayer<W> {
    /// A layer that takes the time from `now`.
    pub(crate) fn new(format: Format, writers: W, now: fn() -> SystemTime) -> Self {
        Self { format, writers, now }
    }

    fn render(&self, line: &Line) -> String {
        match self.format {
            Format::Json => json::render(line),
            Format::Text { coloured } => text::render(line, coloured),
        }
    }
}

/// The fields of a span, kept with it.
struct SpanFields(Fields);

impl<S, W> Layer<S> for LineLayer<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        // Gathered before the span is locked: showing a value may itself log.
        let mut newer = Fields::default();
        values.record(&mut newer);
        if let Some(span) = context.span(id)
            && let Some(SpanFields(fields)) = span.extensions_mut().get_mut()
        {
            fields.update(newer);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(outer)) = span.extensions().get() {
                fields.inherit(outer);
            }
        }
        let metadata = event.metadata();
        if !is_own(metadata.target()) {
            // A dependency's messages rarely tell whose they are.
            fields.set(Cow::Borrowed("target"), Json::from(metadata.target()));
        }
        let line = self.render(&Line {
            time: (self.now)(),
            level: *metadata.level(),
            fields,
        });
        // In one piece, so that lines of several threads do not mix. There is nobody to tell of a failure
        // here: the log itself is broken, and serving goes on without it.
        let _ = self.writers.make_writer_for(metadata).write_all(line.as_bytes());
    }
}

//! Server-sent events, taken out of the bytes that carry them.

/// No event of a coordinator is longer.
const LONGEST: usize = 1 << 20;

/// An event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Where to go on, if it says so.
    pub(super) id: Option<String>,
    /// What it is called; empty if it is not.
    pub(super) name: String,
    /// Its data; `None` if there is none.
    pub(super) data: Option<String>,
}

/// Bytes that are no event yet.
#[derive(Debug, Default)]
pub(super) struct Events(Vec<u8>);

impl Events {
    /// Takes bytes, and gives the events that are whole by now.
    ///
    /// # Errors
    /// Why these are no events, in words.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, String> {
        self.0.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.0.windows(2).position(|pair| pair == b"\n\n") {
            let rest = self.0.split_off(end + 2);
            let block = std::mem::replace(&mut self.0, rest);
            let block = String::from_utf8(block).map_err(|_| "an event is not UTF-8".to_owned())?;
            events.push(parse(&block));
        }
        if self.0.len() > LONGEST {
            return Err("an event does not end".to_owned());
        }
        Ok(events)
    }
}

fn parse(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut event.name),
            "data" => match &mut event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                data => *data = Some(value.to_owned()),
            },
            // Comments, and whatever comes to be.
            _ => {}
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::{Event, Events, LONGEST};

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let text = ": so far\nid: 4\n\nevent: node\nid: 5\ndata: {\"name\":\"ü\"}\n\nevent: error\ndata: a\ndata: b\n\nid: 6";
        let expected = [
            Event {
                id: Some("4".to_owned()),
                ..Event::default()
            },
            Event {
                id: Some("5".to_owned()),
                name: "node".to_owned(),
                data: Some("{\"name\":\"ü\"}".to_owned()),
            },
            Event {
                id: None,
                name: "error".to_owned(),
                data: Some("a\nb".to_owned()),
            },
        ];
        for size in 1..text.len() {
            let mut events = Events::default();
            let found: Vec<Event> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|part| events.take(part).unwrap())
                .collect();
            assert_eq!(found, expected, "in parts of {size}");
        }
    }

    #[test]
    fn what_is_no_stream_of_events_is_given_up() {
        assert!(Events::default().take(&vec![b'x'; LONGEST + 1]).is_err());
        assert!(Events::default().take(b"data: \xff\n\n").is_err());
    }
}

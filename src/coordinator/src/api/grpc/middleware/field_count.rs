//! Counts the fields of gRPC messages from their bytes as these arrive, without decoding or keeping anything.
//!
//! Pure: knows how messages are framed and how protobuf writes fields, and nothing of ours. What is no
//! protobuf is let pass, since the decoder says it better.

/// Fields that any message may have.
const FREE_FIELDS: u64 = 1 << 16;

/// A longer message may have one field for so many of its bytes: about what each takes once it is decoded.
const BYTES_PER_FIELD: u64 = 32;

/// Bytes before a message: whether it is compressed, and its length in four bytes.
const PREFIX_LENGTH: u8 = 5;

/// A message has more fields than its length explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyFields {
    /// The number of the field that was one too many.
    pub(super) field: u64,
    /// How many there may be.
    pub(super) allowed: u64,
}

/// Counts the fields of one message after the other.
#[derive(Debug)]
pub(super) struct FieldCount {
    next: Next,
    /// Bytes of the message, with its prefix.
    length: u64,
    /// Bytes of the message that are still to come.
    left: u64,
    /// Fields that it may still have, and could have at its start.
    fields_left: u64,
    allowed: u64,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy)]
enum Next {
    Prefix {
        read: u8,
        length: u64,
    },
    Key(Varint),
    Value(Varint),
    Length(Varint),
    Skipped(u64),
    /// Something that no message has.
    Unknown,
}

impl Default for FieldCount {
    fn default() -> Self {
        Self {
            next: Next::START,
            length: 0,
            left: 0,
            fields_left: 0,
            allowed: 0,
        }
    }
}

impl FieldCount {
    /// Takes the next bytes. `ended` is told how many bytes each message has that ends with them.
    ///
    /// # Errors
    /// [`TooManyFields`].
    pub(super) fn take(&mut self, mut bytes: &[u8], mut ended: impl FnMut(u64)) -> Result<(), TooManyFields> {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.next {
                Next::Unknown => return Ok(()),
                Next::Prefix { read, length } => {
                    // The first byte says whether the message is compressed, which none is that is decoded.
                    let length = if read == 0 {
                        0
                    } else {
                        length << 8 | u64::from(byte)
                    };
                    self.prefix(read + 1, length, &mut ended);
                    bytes = rest;
                }
                Next::Skipped(count) => {
                    let here = count.min(bytes.len() as u64).min(self.left);
                    bytes = bytes.get(here as usize..).unwrap_or_default();
                    self.next = Next::skipped(count - here);
                    self.passed(here, &mut ended);
                }
                Next::Key(varint) => {
                    self.next = match varint.push(byte) {
                        Pushed::More(varint) => Next::Key(varint),
                        Pushed::Done(key) => self.field(key)?,
                        Pushed::TooLong => Next::Unknown,
                    };
                    self.passed(1, &mut ended);
                    bytes = rest;
                }
                Next::Value(varint) => {
                    self.next = match varint.push(byte) {
                        Pushed::More(varint) => Next::Value(varint),
                        Pushed::Done(_) => Next::FIELD,
                        Pushed::TooLong => Next::Unknown,
                    };
                    self.passed(1, &mut ended);
                    bytes = rest;
                }
                Next::Length(varint) => {
                    self.next = match varint.push(byte) {
                        Pushed::More(varint) => Next::Length(varint),
                        Pushed::Done(length) => Next::skipped(length),
                        Pushed::TooLong => Next::Unknown,
                    };
                    self.passed(1, &mut ended);
                    bytes = rest;
                }
            }
        }
        Ok(())
    }

    /// Whether a message has begun and not ended, as far as can be told.
    pub(super) const fn is_amid(&self) -> bool {
        !matches!(self.next, Next::Prefix { read: 0, .. })
    }

    fn prefix(&mut self, read: u8, length: u64, ended: &mut impl FnMut(u64)) {
        if read < PREFIX_LENGTH {
            self.next = Next::Prefix { read, length };
            return;
        }
        self.left = length;
        self.allowed = FREE_FIELDS.max(length / BYTES_PER_FIELD);
        self.fields_left = self.allowed;
        self.length = length + u64::from(PREFIX_LENGTH);
        self.next = Next::FIELD;
        self.passed(0, ended);
    }

    /// A field begins.
    fn field(&mut self, key: u64) -> Result<Next, TooManyFields> {
        let Some(fields_left) = self.fields_left.checked_sub(1) else {
            return Err(TooManyFields {
                field: key >> 3,
                allowed: self.allowed,
            });
        };
        self.fields_left = fields_left;
        Ok(match key & 7 {
            0 => Next::Value(Varint::default()),
            1 => Next::Skipped(8),
            2 => Next::Length(Varint::default()),
            // The ends of a group, with fields between them.
            3 | 4 => Next::FIELD,
            5 => Next::Skipped(4),
            _ => Next::Unknown,
        })
    }

    /// So many bytes of the message were taken; behind its last one another message may begin.
    fn passed(&mut self, bytes: u64, ended: &mut impl FnMut(u64)) {
        self.left = self.left.saturating_sub(bytes);
        if self.left == 0 {
            self.next = Next::START;
            ended(self.length);
        }
    }
}

impl Next {
    const START: Self = Self::Prefix { read: 0, length: 0 };
    const FIELD: Self = Self::Key(Varint { value: 0, shift: 0 });

    const fn skipped(bytes: u64) -> Self {
        match bytes {
            0 => Self::FIELD,
            bytes => Self::Skipped(bytes),
        }
    }
}

/// A number of which some bytes have come.
#[derive(Debug, Clone, Copy, Default)]
struct Varint {
    value: u64,
    shift: u32,
}

enum Pushed {
    More(Varint),
    Done(u64),
    TooLong,
}

impl Varint {
    const fn push(self, byte: u8) -> Pushed {
        let Self { value, shift } = self;
        let value = value | (byte as u64 & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Pushed::Done(value);
        }
        // Ten bytes hold 64 bits.
        if shift >= 63 {
            return Pushed::TooLong;
        }
        Pushed::More(Self {
            value,
            shift: shift + 7,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_PER_FIELD, FREE_FIELDS, FieldCount, TooManyFields};

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap();
        [&[0][..], &length.to_be_bytes(), message].concat()
    }

    /// All kinds of fields, so many times.
    fn fields(times: u64) -> Vec<u8> {
        let all = [
            &b"\x08\x96\x01"[..],
            b"\x11\x08\x08\x08\x08\x08\x08\x08\x08",
            b"\x1a\x03\x08\x08\x08",
            b"\x1a\x00",
            b"\x25\x08\x08\x08\x08",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\xfa\xff\xff\xff\x0f\x00",
            b"\x2b\x30\x01\x2c",
        ]
        .concat();
        all.repeat(times.try_into().unwrap())
    }

    const FIELDS_IN_ALL: u64 = 10;

    /// The fields of the last message.
    fn count_of(chunks: &[&[u8]]) -> Result<u64, TooManyFields> {
        let mut count = FieldCount::default();
        for chunk in chunks {
            count.take(chunk, |_| {})?;
        }
        Ok(count.allowed - count.fields_left)
    }

    #[test]
    fn every_kind_of_field_is_counted_wherever_the_bytes_are_split() {
        let bytes = framed(&fields(2));
        assert_eq!(count_of(&[&bytes]), Ok(2 * FIELDS_IN_ALL));
        for at in 0..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(count_of(&[head, tail]), Ok(2 * FIELDS_IN_ALL), "split at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(count_of(&single), Ok(2 * FIELDS_IN_ALL));
    }

    #[test]
    fn each_message_is_counted_anew() {
        let bytes = [framed(b""), framed(&fields(5)), framed(b""), framed(&fields(1))];
        assert_eq!(count_of(&[&bytes.concat()]), Ok(FIELDS_IN_ALL));
    }

    #[test]
    fn the_end_of_each_message_is_told_wherever_the_bytes_are_split() {
        let messages = [framed(b""), framed(&fields(5)), framed(&fields(1)), framed(b"")];
        let expected: Vec<_> = messages.iter().map(|message| message.len() as u64).collect();
        let bytes = messages.concat();
        for at in 0..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            let (mut count, mut ended) = (FieldCount::default(), Vec::new());
            count.take(head, |length| ended.push(length)).unwrap();
            let whole = messages.iter().scan(0, |end, message| {
                *end += message.len();
                Some(*end)
            });
            assert_eq!(
                ended.len(),
                whole.filter(|end| *end <= at).count(),
                "split at {at}"
            );
            count.take(tail, |length| ended.push(length)).unwrap();
            assert_eq!(ended, expected, "split at {at}");
        }
    }

    #[test]
    fn a_message_is_under_way_from_its_first_byte_to_its_last() {
        let bytes = [framed(b""), framed(&fields(2))].concat();
        let ends = [0, framed(b"").len(), bytes.len()];
        for at in 0..=bytes.len() {
            let mut count = FieldCount::default();
            count.take(&bytes[..at], |_| {}).unwrap();
            assert_eq!(count.is_amid(), !ends.contains(&at), "after {at} bytes");
        }
        let mut unknown = FieldCount::default();
        unknown.take(&framed(b"\x0fx"), |_| {}).unwrap();
        assert!(unknown.is_amid(), "nobody can tell where it ends");
    }

    #[test]
    fn one_field_too_many_is_refused_by_number() {
        let empty_text = b"\x2a\x00";
        let most = usize::try_from(FREE_FIELDS).unwrap();
        assert!(count_of(&[&framed(&empty_text.repeat(most))]).is_ok());
        let refused = count_of(&[&framed(&empty_text.repeat(most + 1))]);
        let expected = TooManyFields {
            field: 5,
            allowed: FREE_FIELDS,
        };
        assert_eq!(refused, Err(expected));
    }

    #[test]
    fn a_long_message_may_have_more() {
        let field = [&b"\x2a\x1e"[..], &[8; 30]].concat();
        assert_eq!(field.len() as u64, BYTES_PER_FIELD);
        let count = 2 * FREE_FIELDS;
        let bytes = framed(&field.repeat(count.try_into().unwrap()));
        assert_eq!(count_of(&[&bytes]), Ok(count));
    }

    #[test]
    fn what_is_no_protobuf_is_let_pass() {
        for message in [
            &b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"[..],
            b"\x0f",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x",
            b"\x0a\x7f",
        ] {
            assert!(count_of(&[&framed(message), &framed(&fields(1))]).is_ok());
        }
    }
}

//! Limits in configuration, by serde.

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Unexpected, Visitor};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

use super::Limits;
use crate::notation::{Count, Time, read_table};

/// A limit as a field of [`Limits`].
enum Field<'a> {
    Size(&'a mut usize),
    Long(&'a mut u64),
    Time(&'a mut std::time::Duration),
}

const NAMES: &[&str] = &[
    "head_bytes",
    "head_fields",
    "line_bytes",
    "status_line_bytes",
    "interim_responses",
    "interim_bytes",
    "trailer_bytes",
    "trailer_fields",
    "chunk_line_bytes",
    "chunk_framing_bytes",
    "max_body",
    "max_wire_body",
    "early_response",
    "drain_bytes",
    "drain_time",
];

/// Returns the fields in the order of their names.
fn fields(limits: &mut Limits) -> [Field<'_>; NAMES.len()] {
    use Field::{Long, Size, Time};
    [
        Size(&mut limits.head_bytes),
        Size(&mut limits.head_fields),
        Size(&mut limits.line_bytes),
        Size(&mut limits.status_line_bytes),
        Size(&mut limits.interim_responses),
        Size(&mut limits.interim_bytes),
        Size(&mut limits.trailer_bytes),
        Size(&mut limits.trailer_fields),
        Size(&mut limits.chunk_line_bytes),
        Long(&mut limits.chunk_framing_bytes),
        Long(&mut limits.max_body),
        Long(&mut limits.max_wire_body),
        Size(&mut limits.early_response),
        Long(&mut limits.drain_bytes),
        Time(&mut limits.drain_time),
    ]
}

/// Writes all limits, each under the name of its setter.
impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut limits = *self;
        let mut table = serializer.serialize_struct("Limits", NAMES.len())?;
        for (name, field) in NAMES.iter().copied().zip(fields(&mut limits)) {
            match field {
                // No limit is written as a word, and `usize` may be smaller.
                Field::Size(&mut usize::MAX) => table.serialize_field(name, &Count(u64::MAX))?,
                Field::Size(size) => table.serialize_field(name, &Count(*size as u64))?,
                Field::Long(count) => table.serialize_field(name, &Count(*count))?,
                Field::Time(time) => table.serialize_field(name, &Time(*time))?,
            }
        }
        table.end()
    }
}

/// Reads a table of limits, each under the name of its setter. The others keep their defaults.
///
/// Sizes are numbers of bytes, or `"unlimited"`. `drain_time` is a duration: a number of seconds, or a text with a unit,
/// such as `"100ms"`. An unknown name is an error.
///
/// ```
/// use hostpool::Limits;
/// use std::time::Duration;
///
/// let limits: Limits = toml::from_str(
///     r#"
///     max_body = 10_000_000
///     drain_time = "1s"
///     "#,
/// )?;
/// assert_eq!(limits, Limits::new().max_body(10_000_000).drain_time(Duration::from_secs(1)));
/// # Ok::<(), toml::de::Error>(())
/// ```
impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
        deserializer.deserialize_map(ReadLimits)
    }
}

struct ReadLimits;

impl<'de> Visitor<'de> for ReadLimits {
    type Value = Limits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of limits")
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Limits, A::Error> {
        let mut limits = Limits::new();
        read_table(table, NAMES, |name, table| {
            let mut all = NAMES.iter().zip(fields(&mut limits));
            match all.find(|(other, _)| **other == name) {
                Some((_, Field::Size(size))) => *size = as_size(table.next_value()?)?,
                Some((_, Field::Long(count))) => *count = table.next_value::<Count>()?.0,
                Some((_, Field::Time(time))) => *time = table.next_value::<Time>()?.0,
                None => return Err(de::Error::unknown_field(name, NAMES)),
            }
            Ok(())
        })?;
        Ok(limits)
    }
}

fn as_size<E: de::Error>(count: Count) -> Result<usize, E> {
    match count {
        Count(u64::MAX) => Ok(usize::MAX),
        Count(count) => usize::try_from(count).map_err(|_| {
            E::invalid_value(Unexpected::Unsigned(count), &"a number that fits into memory, or \"unlimited\"")
        }),
    }
}

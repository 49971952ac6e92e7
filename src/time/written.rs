//! Timeouts in configuration, by serde.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

use super::{Rate, Timeout};
use crate::notation::{Count, ReadTime, Time, read_table};

const BOUNDS: &[&str] = &["total", "pool", "connect", "resolve", "tls", "write", "head", "read", "expect", "min_rate"];

const RATE: &[&str] = &["bytes", "per"];

/// Writes the bounds that are set, each under the name of its setter, as texts with a unit.
impl Serialize for Timeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Timeout { total, pool, connect, resolve, tls, write, head, read, expect, rate } = self;
        let bounds = [total, pool, connect, resolve, tls, write, head, read, expect];
        let set = bounds.iter().filter(|bound| bound.is_some()).count() + usize::from(rate.is_some());
        let mut table = serializer.serialize_struct("Timeout", set)?;
        for (name, bound) in BOUNDS.iter().copied().zip(bounds) {
            match bound {
                Some(bound) => table.serialize_field(name, &Time(*bound))?,
                None => table.skip_field(name)?,
            }
        }
        match rate {
            Some(rate) => table.serialize_field("min_rate", rate)?,
            None => table.skip_field("min_rate")?,
        }
        table.end()
    }
}

/// Reads a table of bounds, each under the name of its setter, or one duration for [`total`](Timeout::total).
///
/// A duration is a number of seconds, a text with units (`d`, `h`, `m`, `s`, `ms`, `us`, `ns`, as in `"30s"`, `"1.5s"`
/// or `"1m30s"`), or `"unlimited"`. `min_rate` is a table of `bytes` and `per`. An unknown name is an error.
///
/// ```
/// use hostpool::Timeout;
/// use std::time::Duration;
///
/// let timeout: Timeout = toml::from_str(
///     r#"
///     connect = "2.5s"
///     total = 30 # seconds
///     min_rate = { bytes = 1000, per = "1m" }
///     "#,
/// )?;
/// let [connect, total] = [2.5, 30.0].map(Duration::from_secs_f64);
/// assert_eq!(timeout, Timeout::new().connect(connect).total(total).min_rate(1000, Duration::from_secs(60)));
/// assert_eq!(serde_json::from_str::<Timeout>(r#""30s""#)?, Timeout::from(total));
/// assert!(toml::from_str::<Timeout>(r#"conect = "3s""#).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timeout, D::Error> {
        deserializer.deserialize_any(ReadTimeout)
    }
}

struct ReadTimeout;

impl<'de> Visitor<'de> for ReadTimeout {
    type Value = Timeout;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of timeouts, or one duration for the whole request")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Timeout, E> {
        ReadTime.visit_u64(seconds).map(|Time(total)| Timeout::from(total))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Timeout, E> {
        ReadTime.visit_i64(seconds).map(|Time(total)| Timeout::from(total))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Timeout, E> {
        ReadTime.visit_f64(seconds).map(|Time(total)| Timeout::from(total))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timeout, E> {
        ReadTime.visit_str(text).map(|Time(total)| Timeout::from(total))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Timeout, A::Error> {
        let mut timeout = Timeout::new();
        read_table(table, BOUNDS, |name, table| {
            let bound = match name {
                "total" => &mut timeout.total,
                "pool" => &mut timeout.pool,
                "connect" => &mut timeout.connect,
                "resolve" => &mut timeout.resolve,
                "tls" => &mut timeout.tls,
                "write" => &mut timeout.write,
                "head" => &mut timeout.head,
                "read" => &mut timeout.read,
                "expect" => &mut timeout.expect,
                _ => {
                    timeout.rate = Some(table.next_value()?);
                    return Ok(());
                }
            };
            let Time(limit) = table.next_value()?;
            *bound = Some(limit);
            Ok(())
        })?;
        Ok(timeout)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_struct("Rate", RATE.len())?;
        table.serialize_field("bytes", &Count(self.bytes))?;
        table.serialize_field("per", &Time(self.per))?;
        table.end()
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        deserializer.deserialize_any(ReadRate)
    }
}

struct ReadRate;

impl<'de> Visitor<'de> for ReadRate {
    type Value = Rate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a table of bytes and the duration in which they have to move, such as { bytes = 1000, per = \"30s\" }",
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Rate, A::Error> {
        let (mut bytes, mut per): (Option<u64>, Option<Duration>) = (None, None);
        read_table(table, RATE, |name, table| {
            match name {
                "bytes" => bytes = Some(table.next_value::<Count>()?.0),
                _ => per = Some(table.next_value::<Time>()?.0),
            }
            Ok(())
        })?;
        let bytes = bytes.ok_or_else(|| de::Error::missing_field("bytes"))?;
        let per = per.ok_or_else(|| de::Error::missing_field("per"))?;
        Ok(Rate { bytes, per })
    }
}

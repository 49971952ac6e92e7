//! Retries in configuration, by serde.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

use super::backoff::Backoff;
use super::{Jitter, Methods, Retry, RetryCount};
use crate::notation::{Time, UNLIMITED, read_table};

const OFF: &str = "off";

const ANY: &str = "any";

/// Writes the number of tries, `"unlimited"` or `"off"`.
impl Serialize for RetryCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            RetryCount::AtMost(count) => serializer.serialize_u32(*count),
            RetryCount::Unlimited => serializer.serialize_str(UNLIMITED),
            RetryCount::Off => serializer.serialize_str(OFF),
        }
    }
}

/// Reads the number of tries, `"unlimited"`, or `"off"`, for which `false` stands, too.
impl<'de> Deserialize<'de> for RetryCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RetryCount, D::Error> {
        deserializer.deserialize_any(ReadCount)
    }
}

struct ReadCount;

impl Visitor<'_> for ReadCount {
    type Value = RetryCount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of tries, \"unlimited\" or \"off\"")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<RetryCount, E> {
        let count = u32::try_from(count).map_err(|_| E::invalid_value(Unexpected::Unsigned(count), &self))?;
        Ok(RetryCount::AtMost(count))
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<RetryCount, E> {
        let count = u32::try_from(count).map_err(|_| E::invalid_value(Unexpected::Signed(count), &self))?;
        Ok(RetryCount::AtMost(count))
    }

    fn visit_bool<E: de::Error>(self, retry: bool) -> Result<RetryCount, E> {
        match retry {
            false => Ok(RetryCount::Off),
            true => Err(E::invalid_value(Unexpected::Bool(true), &self)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RetryCount, E> {
        match text {
            UNLIMITED => Ok(RetryCount::Unlimited),
            OFF => Ok(RetryCount::Off),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// Writes the name of the kind in small letters, or `{ added = "100ms" }`.
impl Serialize for Jitter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self {
            Jitter::None => "none",
            Jitter::Full => "full",
            Jitter::Equal => "equal",
            Jitter::Decorrelated => "decorrelated",
            Jitter::Added(most) => {
                let mut table = serializer.serialize_struct("Jitter", 1)?;
                table.serialize_field("added", &Time(*most))?;
                return table.end();
            }
        };
        serializer.serialize_str(name)
    }
}

/// Reads `"none"`, `"full"`, `"equal"`, `"decorrelated"`, or a table such as `{ added = "100ms" }`.
impl<'de> Deserialize<'de> for Jitter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Jitter, D::Error> {
        deserializer.deserialize_any(ReadJitter)
    }
}

struct ReadJitter;

impl<'de> Visitor<'de> for ReadJitter {
    type Value = Jitter;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"none\", \"full\", \"equal\", \"decorrelated\", or a table such as { added = \"100ms\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Jitter, E> {
        match text {
            "none" => Ok(Jitter::None),
            "full" => Ok(Jitter::Full),
            "equal" => Ok(Jitter::Equal),
            "decorrelated" => Ok(Jitter::Decorrelated),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Jitter, A::Error> {
        let mut added = None;
        read_table(table, &["added"], |_, table| {
            added = Some(table.next_value::<Time>()?.0);
            Ok(())
        })?;
        added.map(Jitter::Added).ok_or_else(|| de::Error::missing_field("added"))
    }
}

impl<'de> Deserialize<'de> for Methods {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Methods, D::Error> {
        deserializer.deserialize_any(ReadMethods)
    }
}

struct ReadMethods;

impl<'de> Visitor<'de> for ReadMethods {
    type Value = Methods;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of methods such as [\"GET\", \"POST\"], or \"any\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Methods, E> {
        match text {
            ANY => Ok(Methods::Any),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Methods, A::Error> {
        let mut methods = Vec::new();
        while let Some(name) = list.next_element::<String>()? {
            let method = Method::from_bytes(name.as_bytes());
            methods
                .push(method.map_err(|_| de::Error::invalid_value(Unexpected::Str(&name), &"the name of a method"))?);
        }
        Ok(Methods::Only(methods.into()))
    }
}

const SETTINGS: &[&str] = &[
    "total",
    "connect",
    "read",
    "redirect",
    "status",
    "other",
    "allowed_methods",
    "status_forcelist",
    "backoff_factor",
    "backoff_max",
    "jitter",
    "respect_retry_after_header",
    "retry_after_max",
    "raise_on_redirect",
    "raise_on_status",
    "remove_headers_on_redirect",
];

/// Writes the settings, each under the name of its setter. The [history](Retry::history) of a call and a
/// [budget](Retry::budget) are left out, because they belong to a running program.
impl Serialize for Retry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serializer.serialize_struct("Retry", SETTINGS.len())?;
        let Backoff { factor, max, jitter } = self.backoff;
        table.serialize_field("total", &self.total)?;
        table.serialize_field("connect", &self.connect)?;
        table.serialize_field("read", &self.read)?;
        table.serialize_field("redirect", &self.redirect)?;
        table.serialize_field("status", &self.status)?;
        table.serialize_field("other", &self.other)?;
        match &self.methods {
            // The default has no name of its own.
            Methods::Idempotent => table.skip_field("allowed_methods")?,
            Methods::Any => table.serialize_field("allowed_methods", ANY)?,
            Methods::Only(methods) => {
                let names: Vec<_> = methods.iter().map(Method::as_str).collect();
                table.serialize_field("allowed_methods", &names)?;
            }
        }
        table.serialize_field("status_forcelist", &*self.statuses)?;
        table.serialize_field("backoff_factor", &Time(factor))?;
        table.serialize_field("backoff_max", &Time(max))?;
        table.serialize_field("jitter", &jitter)?;
        table.serialize_field("respect_retry_after_header", &self.respect_retry_after)?;
        table.serialize_field("retry_after_max", &Time(self.retry_after_max))?;
        table.serialize_field("raise_on_redirect", &self.raise_on_redirect)?;
        table.serialize_field("raise_on_status", &self.raise_on_status)?;
        table.serialize_field("remove_headers_on_redirect", &*self.sensitive)?;
        table.end()
    }
}

/// Reads a table of settings, each under the name of its setter, or the total alone. The other settings are those of
/// [`Retry::default`].
///
/// A count is a number, `"unlimited"` or `"off"`. A duration is a number of seconds, or a text with a unit, such as
/// `"200ms"`. `allowed_methods` is a list, or `"any"`. `jitter` is `"none"`, `"full"`, `"equal"`, `"decorrelated"` or
/// `{ added = "100ms" }`. An unknown name is an error. A [budget](Retry::budget) is shared by clients, so the program
/// adds it.
///
/// ```
/// use hostpool::{Jitter, Retry, RetryCount};
/// use std::time::Duration;
///
/// let retry: Retry = toml::from_str(
///     r#"
///     total = 5
///     redirect = "off"
///     status_forcelist = [502, 503, 504]
///     backoff_factor = "200ms"
///     jitter = "full"
///     "#,
/// )?;
/// let same = Retry::new(5).redirect(RetryCount::Off).status_forcelist([502, 503, 504]);
/// assert_eq!(retry, same.backoff_factor(Duration::from_millis(200)).jitter(Jitter::Full));
/// assert_eq!(serde_json::from_str::<Retry>("5")?, Retry::new(5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<'de> Deserialize<'de> for Retry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Retry, D::Error> {
        deserializer.deserialize_any(ReadRetry)
    }
}

struct ReadRetry;

impl<'de> Visitor<'de> for ReadRetry {
    type Value = Retry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of retries, a number of tries, \"unlimited\" or \"off\"")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Retry, E> {
        ReadCount.visit_u64(count).map(Retry::new)
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Retry, E> {
        ReadCount.visit_i64(count).map(Retry::new)
    }

    fn visit_bool<E: de::Error>(self, retry: bool) -> Result<Retry, E> {
        ReadCount.visit_bool(retry).map(Retry::new)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Retry, E> {
        ReadCount.visit_str(text).map(Retry::new)
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Retry, A::Error> {
        let mut retry = Retry::default();
        read_table(table, SETTINGS, |name, table| read_setting(&mut retry, name, table))?;
        Ok(retry)
    }
}

fn read_setting<'de, A: MapAccess<'de>>(retry: &mut Retry, name: &str, table: &mut A) -> Result<(), A::Error> {
    let time = |table: &mut A| Ok::<Duration, A::Error>(table.next_value::<Time>()?.0);
    match name {
        "total" => retry.total = table.next_value()?,
        "connect" => retry.connect = table.next_value()?,
        "read" => retry.read = table.next_value()?,
        "redirect" => retry.redirect = table.next_value()?,
        "status" => retry.status = table.next_value()?,
        "other" => retry.other = table.next_value()?,
        "allowed_methods" => retry.methods = table.next_value()?,
        "status_forcelist" => retry.statuses = statuses(table.next_value()?)?,
        "backoff_factor" => retry.backoff.factor = time(table)?,
        "backoff_max" => retry.backoff.max = time(table)?,
        "jitter" => retry.backoff.jitter = table.next_value()?,
        "respect_retry_after_header" => retry.respect_retry_after = table.next_value()?,
        "retry_after_max" => retry.retry_after_max = time(table)?,
        "raise_on_redirect" => retry.raise_on_redirect = table.next_value()?,
        "raise_on_status" => retry.raise_on_status = table.next_value()?,
        "remove_headers_on_redirect" => retry.sensitive = table.next_value::<Vec<Box<str>>>()?.into(),
        _ => return Err(de::Error::unknown_field(name, SETTINGS)),
    }
    Ok(())
}

/// Returns the statuses if all are statuses of HTTP. Another number would never match one.
fn statuses<E: de::Error>(statuses: Vec<u16>) -> Result<Arc<[u16]>, E> {
    match statuses.iter().find(|status| StatusCode::from_u16(**status).is_err()) {
        Some(status) => Err(E::invalid_value(Unexpected::Unsigned(u64::from(*status)), &"a status from 100 to 999")),
        None => Ok(statuses.into()),
    }
}

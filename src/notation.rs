//! Durations, counts and tables as people write them in configuration, for serde.
//!
//! `Duration` of serde is a table of `secs` and `nanos`, which nobody writes by hand.

use std::fmt;
use std::time::Duration;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Unexpected, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// The word for a value without a bound: [`Duration::MAX`], or the largest number.
pub(crate) const UNLIMITED: &str = "unlimited";

/// The units of a duration, and their nanoseconds. The largest stands first.
const UNITS: [(&str, u128); 9] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    // The micro sign and the Greek letter. `Duration` is shown with the first.
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ns", 1),
];

/// The units that are written: those that cannot be misread, each once.
const WRITTEN: [&str; 6] = ["h", "m", "s", "ms", "us", "ns"];

fn nanos_of(unit: &str) -> Option<u128> {
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, nanos)| *nanos)
}

/// A duration as it is written: a number of seconds, or a text with units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

impl Time {
    /// Reads a text such as `30s`, `1.5 s`, `250ms` or `1h30m`. Returns `None` for other texts, and for a part of a
    /// nanosecond.
    fn parse(text: &str) -> Option<Time> {
        let mut rest = text.trim();
        if rest == UNLIMITED {
            return Some(Time(Duration::MAX));
        }
        let (mut total, mut last) = (0u128, u128::MAX);
        while !rest.is_empty() || last == u128::MAX {
            let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let (number, after) = rest.split_at(unit_at);
            let after = after.trim_start();
            let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
            let scale = nanos_of(&after[..end]).filter(|scale| *scale < last)?;
            total = total.checked_add(scaled(number, scale)?)?;
            (last, rest) = (scale, after[end..].trim_start());
        }
        let second = nanos_of("s")?;
        // The rest is below the nanoseconds of a second.
        Some(Time(Duration::new(u64::try_from(total / second).ok()?, (total % second) as u32)))
    }
}

/// Returns a decimal number of units in nanoseconds, if it is a whole number of them.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    // The longest duration has 29 digits in nanoseconds, and 10^20 of the largest unit are below 2^128.
    if !digits(whole, 30) || !digits(part, 20) {
        return None;
    }
    let whole = whole.parse::<u128>().ok()?.checked_mul(scale)?;
    let (part, of) = (part.parse::<u128>().ok()?.checked_mul(scale)?, 10u128.pow(part.len() as u32));
    if part % of == 0 { whole.checked_add(part / of) } else { None }
}

impl fmt::Display for Time {
    /// Shows the duration in the largest unit that it is a whole number of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = match self.0 {
            Duration::MAX => return f.write_str(UNLIMITED),
            Duration::ZERO => return f.write_str("0s"),
            time => time.as_nanos(),
        };
        let units = WRITTEN.iter().filter_map(|unit| nanos_of(unit).map(|scale| (unit, scale)));
        match units.into_iter().find(|(_, scale)| nanos % scale == 0) {
            Some((unit, scale)) => write!(f, "{}{unit}", nanos / scale),
            None => write!(f, "{nanos}ns"),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        deserializer.deserialize_any(ReadTime)
    }
}

/// Reads a [`Time`].
pub(crate) struct ReadTime;

impl Visitor<'_> for ReadTime {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a duration: a number of seconds, a text with a unit such as \"30s\" or \"250ms\", or \"unlimited\"",
        )
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Time, E> {
        Ok(Time(Duration::from_secs(seconds)))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Time, E> {
        match u64::try_from(seconds) {
            Ok(seconds) => self.visit_u64(seconds),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(seconds), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Time, E> {
        let time = Duration::try_from_secs_f64(seconds);
        time.map(Time).map_err(|_| E::invalid_value(Unexpected::Float(seconds), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
        Time::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// A number that may be without a bound: `u64::MAX` is written as a word, because TOML has no number as large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            u64::MAX => serializer.serialize_str(UNLIMITED),
            count => serializer.serialize_u64(count),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        deserializer.deserialize_any(ReadCount)
    }
}

struct ReadCount;

impl Visitor<'_> for ReadCount {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number that is not negative, or \"unlimited\"")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Count, E> {
        Ok(Count(count))
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Count, E> {
        u64::try_from(count).map(Count).map_err(|_| E::invalid_value(Unexpected::Signed(count), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
        match text {
            UNLIMITED => Ok(Count(u64::MAX)),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// Reads a table. `read` reads the value of each key. A key that is not one of `names`, and one that comes twice, are
/// errors: a misspelled timeout would be none.
pub(crate) fn read_table<'de, A: MapAccess<'de>>(
    mut table: A,
    names: &'static [&'static str],
    mut read: impl FnMut(&'static str, &mut A) -> Result<(), A::Error>,
) -> Result<(), A::Error> {
    let mut seen = Vec::with_capacity(names.len());
    while let Some(name) = table.next_key_seed(Key(names))? {
        if seen.contains(&name) {
            return Err(de::Error::duplicate_field(name));
        }
        seen.push(name);
        read(name, &mut table)?;
    }
    Ok(())
}

/// Reads a key that is one of these names.
struct Key(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a setting")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<&'static str, E> {
        let Key(names) = self;
        names.iter().find(|name| **name == text).copied().ok_or_else(|| E::unknown_field(text, names))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a text means, and how its value is written.
    #[test]
    fn texts() {
        let nanos = |nanos| Some(Duration::from_nanos(nanos));
        let table = [
            ("30s", nanos(30_000_000_000), "30s"),
            (" 30 s ", nanos(30_000_000_000), "30s"),
            ("1.5s", nanos(1_500_000_000), "1500ms"),
            ("1.500ms", nanos(1_500_000), "1500us"),
            ("250ms", nanos(250_000_000), "250ms"),
            ("7\u{b5}s", nanos(7_000), "7us"),
            ("7\u{3bc}s", nanos(7_000), "7us"),
            ("7ns", nanos(7), "7ns"),
            ("90s", nanos(90_000_000_000), "90s"),
            ("120s", nanos(120_000_000_000), "2m"),
            ("1h30m", nanos(5_400_000_000_000), "90m"),
            ("1h 30m 0.5s", nanos(5_400_500_000_000), "5400500ms"),
            ("2d", nanos(172_800_000_000_000), "48h"),
            ("0s", nanos(0), "0s"),
            ("0h", nanos(0), "0s"),
            ("unlimited", Some(Duration::MAX), "unlimited"),
            ("18446744073709551615s", Some(Duration::from_secs(u64::MAX)), "18446744073709551615s"),
        ];
        for (text, expected, written) in table {
            let read = Time::parse(text).map(|Time(time)| time);
            assert_eq!(read, expected, "{text}");
            assert_eq!(read.map(|time| Time(time).to_string()).as_deref(), Some(written), "{text}");
        }
        let wrong = [
            "",
            " ",
            "30",
            "s",
            "30x",
            "-1s",
            "+1s",
            "1,5s",
            ".5s",
            "5.s",
            "1.2.3s",
            "1s2",
            "30m1h",
            "1s1s",
            "0.5ns",
            "1e3s",
            "30S",
            "30sec",
            "1 0s",
            "18446744073709551616s",
            "99999999999999999999d",
            "100000000000000000000s",
            "Unlimited",
            "s30",
            "1h-1m",
            "١s",
        ];
        for text in wrong {
            assert_eq!(Time::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read(seconds: u64, nanos in 0..1_000_000_000u32, step in 0..4u32) {
            // Many of them are whole numbers of a larger unit.
            let nanos = nanos - nanos % 1000u32.pow(step);
            let time = Duration::new(if step == 3 { seconds - seconds % 3600 } else { seconds }, nanos);
            prop_assert_eq!(Time::parse(&Time(time).to_string()), Some(Time(time)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9dhmsnu\u{b5} .]{0,12}|\\PC{0,8}") {
            if let Some(time) = Time::parse(&text) {
                prop_assert_eq!(Time::parse(&time.to_string()), Some(time));
            }
        }
    }
}

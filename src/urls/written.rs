//! URLs in configuration, by serde.

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::{Url, hint};

/// Writes the text of the URL as it was written, including a user name and a password. `Display` and `Debug` leave those
/// out.
impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Reads the text of a URL, as [`Url::parse`] does. The error does not repeat the text, which may hold a password.
///
/// ```
/// use hostpool::Url;
///
/// let url: Url = serde_json::from_str(r#""https://api.example/v1/""#)?;
/// assert_eq!(url.path(), "/v1/");
/// assert_eq!(serde_json::to_string(&url)?, r#""https://api.example/v1/""#);
/// let error = serde_json::from_str::<Url>(r#""api.example:8080""#).unwrap_err();
/// assert!(error.to_string().contains("write http://api.example:8080"));
/// # Ok::<(), serde_json::Error>(())
/// ```
impl<'de> Deserialize<'de> for Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        deserializer.deserialize_str(ReadUrl)
    }
}

struct ReadUrl;

impl Visitor<'_> for ReadUrl {
    type Value = Url;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of an http, https, http+unix or https+unix URL")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Url, E> {
        Url::parse(text).map_err(|why| {
            let why = hint(text, why).unwrap_or_else(|| why.to_string());
            E::custom(format_args!("invalid URL: {why}"))
        })
    }
}

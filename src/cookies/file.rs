//! The cookies of a jar as JSON, and in a file of JSON.

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};

use super::cookie::{Cookie, SameSite};
use super::disk;
use super::jar::{CookieJar, now};
use crate::error::{Error, ErrorKind, Phase, Result};

impl CookieJar {
    /// Returns all cookies that have not expired as JSON, with their values in clear text. Session cookies, which would
    /// end with the jar, are included as in aiohttp, and so are shared cookies.
    ///
    /// ```
    /// use hostpool::{CookieJar, Url};
    ///
    /// let jar = CookieJar::new();
    /// let url = Url::parse("https://example.com/")?;
    /// jar.set(&url, "id=a3fWa; Secure")?;
    ///
    /// let again = CookieJar::from_json(&jar.to_json())?;
    /// assert_eq!(again.to_vec(), jar.to_vec());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        let cookies: Vec<Value> = self.to_vec().iter().map(to_value).collect();
        format!("{:#}\n", json!({ "cookies": cookies }))
    }

    /// Returns a jar with the default limits and the cookies that [`to_json`](Self::to_json) wrote. Fails as
    /// [`add_json`](Self::add_json) does.
    pub fn from_json(text: &str) -> Result<CookieJar> {
        let jar = CookieJar::new();
        jar.add_json(text)?;
        Ok(jar)
    }

    /// Adds the cookies that [`to_json`](Self::to_json) wrote to this jar.
    ///
    /// Cookies that have expired are left out, and so are cookies that no server could have set. A cookie whose domain
    /// is a public suffix becomes host-only.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if the text is not JSON of this form; then nothing is added.
    #[doc(alias = "load_json")]
    pub fn add_json(&self, text: &str) -> Result<()> {
        // The parser's messages name lines, columns and what was expected, but no values.
        let value: Value = serde_json::from_str(text).map_err(|error| wrong().with_source(error))?;
        let cookies = value.get("cookies").and_then(Value::as_array).ok_or_else(wrong)?;
        let cookies: Vec<Cookie> = cookies.iter().map(from_value).collect::<Option<_>>().ok_or_else(wrong)?;
        let now = now();
        self.change(|store, caps| {
            for cookie in cookies {
                let _ = store.restore(cookie, now, caps);
            }
        });
        Ok(())
    }

    /// Writes [`to_json`](Self::to_json) to a file, which on Unix only its owner may read (mode 0600).
    ///
    /// The text goes to a new file in the same folder first, which then replaces the old file: a reader finds the old
    /// cookies or the new ones, and a failure leaves the old ones. If `path` is a symbolic link, the file that it leads
    /// to is replaced.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Output`], with the path, if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        disk::write(path.as_ref(), self.to_json().as_bytes())
    }

    /// Returns a jar with the default limits and the cookies that [`save`](Self::save) wrote to a file.
    ///
    /// # Errors
    ///
    /// The same as [`add_file`](Self::add_file).
    ///
    /// ```
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("cookies.json");
    /// use hostpool::{CookieJar, Session, Url};
    ///
    /// let jar = CookieJar::new();
    /// jar.set(&Url::parse("https://example.com/")?, "id=a3fWa; Secure")?;
    /// jar.save(&path)?;
    ///
    /// let session = Session::builder().cookie_jar(CookieJar::load(&path)?).build()?;
    /// assert_eq!(session.cookies().unwrap().to_vec(), jar.to_vec());
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn load(path: impl AsRef<Path>) -> Result<CookieJar> {
        let jar = CookieJar::new();
        jar.add_file(path)?;
        Ok(jar)
    }

    /// Adds the cookies that [`save`](Self::save) wrote to a file to this jar.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`], with the path, if the file cannot be read, and the errors of
    /// [`add_json`](Self::add_json).
    #[doc(alias = "load")]
    pub fn add_file(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = disk::read(path)?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|error| wrong().with_source(error.utf8_error()));
        text.and_then(|text| self.add_json(&text)).map_err(|error| error.with_file(path))
    }
}

/// Returns the error for a text that is not JSON of this form.
fn wrong() -> Error {
    Error::new(ErrorKind::Decode.because("these are not the cookies of a jar"), Phase::Prepare)
}

fn to_value(cookie: &Cookie) -> Value {
    let mut fields = Map::new();
    put_bytes(&mut fields, "name", &cookie.name);
    put_bytes(&mut fields, "value", &cookie.value);
    fields.insert("domain".into(), cookie.domain().into());
    fields.insert("host_only".into(), cookie.host_only.into());
    fields.insert("path".into(), cookie.path().into());
    fields.insert("expires".into(), cookie.expires.into());
    fields.insert("secure".into(), cookie.secure.into());
    fields.insert("http_only".into(), cookie.http_only.into());
    fields.insert("same_site".into(), cookie.same_site.map(SameSite::as_str).into());
    fields.into()
}

/// Stores bytes as text, or in base64 if they are not UTF-8.
fn put_bytes(fields: &mut Map<String, Value>, key: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => fields.insert(key.into(), text.into()),
        Err(_) => fields.insert(format!("{key}_base64"), BASE64_STANDARD.encode(bytes).into()),
    };
}

/// Reads a cookie, or returns `None` if the form is wrong. The store checks the cookie itself.
fn from_value(value: &Value) -> Option<Cookie> {
    let fields = value.as_object()?;
    let flag = |key: &str| fields.get(key)?.as_bool();
    let mut cookie = Cookie::new(&bytes_of(fields, "name")?, &bytes_of(fields, "value")?);
    cookie.domain = option(fields, "domain", |value| value.as_str().map(Into::into))?;
    cookie.host_only = flag("host_only")?;
    cookie.path = option(fields, "path", |value| value.as_str().map(Into::into))?;
    cookie.expires = option(fields, "expires", Value::as_i64)?;
    cookie.secure = flag("secure")?;
    cookie.http_only = flag("http_only")?;
    cookie.same_site = option(fields, "same_site", |value| SameSite::parse(value.as_str()?.as_bytes()))?;
    Some(cookie)
}

fn bytes_of(fields: &Map<String, Value>, key: &str) -> Option<Vec<u8>> {
    match fields.get(key) {
        Some(text) => text.as_str().map(|text| text.as_bytes().to_vec()),
        None => BASE64_STANDARD.decode(fields.get(&format!("{key}_base64"))?.as_str()?).ok(),
    }
}

/// Returns `Some(None)` for `null`, and `None` for a value of the wrong form.
fn option<T>(fields: &Map<String, Value>, key: &str, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    match fields.get(key)? {
        Value::Null => Some(None),
        value => read(value).map(Some),
    }
}

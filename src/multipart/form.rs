//! A form: its parts, and the boundary between them.

use std::fmt;
use std::path::Path;

use super::part::Part;
use super::stream::Stream;
use crate::body::Body;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::random;

/// Most characters of a boundary (RFC 2046, section 5.1.1).
const BOUNDARY_MAX: usize = 70;

/// The media type of a form, without its boundary.
pub(crate) const FORM_TYPE: &str = "multipart/form-data";

/// A form with files, sent by [`RequestBuilder::multipart`](crate::RequestBuilder::multipart).
///
/// The `Content-Length` is known if that of every part is; otherwise the form is sent in chunks. It can be sent again,
/// after a redirect or on a new connection, if each of its parts can be: see [`Body`]. A reader that fails ends the
/// request with [`ErrorKind::BodyRead`] and closes the connection, so that no server takes a part for the whole.
///
/// An invalid form or part, such as one with a line end in its name, fails the request before anything is sent.
///
/// ```no_run
/// use hostpool::Session;
/// use hostpool::multipart::{Form, Part};
///
/// let form = Form::new()
///     .text("title", "Holiday")
///     .file("photo", "IMG_0001.jpg")?
///     .part("notes", Part::text("Straße").encoding("latin1"))
///     .part("log", Part::reader(std::io::stdin()).file_name("log.txt"));
/// let response = Session::new().post("http://example.com/upload").multipart(form).send()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "FormData")]
#[derive(Default)]
#[must_use = "a form is sent with a request"]
pub struct Form {
    parts: Vec<(String, Part)>,
    boundary: Option<String>,
}

impl Form {
    /// Makes a form without parts.
    pub fn new() -> Form {
        Form::default()
    }

    /// Adds a text field.
    #[doc(alias = "add_field")]
    pub fn text(self, name: impl Into<String>, text: impl Into<String>) -> Form {
        self.part(name, Part::text(text))
    }

    /// Adds the file at that path. Many files need no more open descriptors than one. See [`Part::file`], also for its
    /// errors.
    pub fn file(self, name: impl Into<String>, path: impl AsRef<Path>) -> Result<Form> {
        Ok(self.part(name, Part::file(path)?))
    }

    /// Adds a part. Several may have the same name.
    ///
    /// Names are sent as browsers send them: in UTF-8, with a `"` as `%22`. Control characters in them are refused; see
    /// [`Part::file`] for the names of files in the file system.
    #[doc(alias = "add_field")]
    pub fn part(mut self, name: impl Into<String>, part: Part) -> Form {
        self.parts.push((name.into(), part));
        self
    }

    /// Sets the boundary between the parts: 1 to 70 letters, digits, spaces and `'()+_,-./:=?`, with no space at the
    /// end (RFC 2046, section 5.1.1). The default is 32 random digits, which no content contains by accident or on
    /// purpose.
    ///
    /// The request fails if a text or bytes contain the boundary. Files and readers are not checked.
    #[doc(alias = "multipart_boundary")]
    pub fn boundary(mut self, boundary: impl Into<String>) -> Form {
        self.boundary = Some(boundary.into());
        self
    }

    /// Returns the same form once more; `None` if a part cannot be copied: see [`Part::try_clone`].
    pub fn try_clone(&self) -> Option<Form> {
        let parts = self.parts.iter().map(|(name, part)| Some((name.clone(), part.try_clone()?)));
        Some(Form { parts: parts.collect::<Option<_>>()?, boundary: self.boundary.clone() })
    }

    /// Returns the `Content-Type`, with the boundary, and the body, for a [`Request`](crate::Request) that is made by
    /// hand.
    ///
    /// ```
    /// use hostpool::multipart::Form;
    /// use hostpool::{Method, Request, Url};
    ///
    /// let (content_type, body) = Form::new().text("a", "1").boundary("line").into_body()?;
    /// assert_eq!(content_type, "multipart/form-data; boundary=line");
    /// let mut request = Request::new(Method::POST, Url::parse("http://example.com/")?);
    /// request.headers_mut().append("Content-Type", &content_type)?;
    /// *request.body_mut() = body;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "encode_multipart_formdata")]
    pub fn into_body(self) -> Result<(String, Body)> {
        let own = self.boundary.is_some();
        let boundary = match self.boundary {
            Some(boundary) if is_boundary(&boundary) => boundary,
            Some(_) => return Err(Error::request("a boundary is 1 to 70 of the characters of RFC 2046")),
            None => random_boundary()?,
        };
        let line = format!("--{boundary}");
        let mut stream = Stream::new(&line);
        for (name, part) in self.parts {
            let (head, body) = part.into_parts(&name)?;
            let found = |bytes| own && memchr::memmem::find(bytes, line.as_bytes()).is_some();
            if body.as_bytes().is_some_and(found) {
                return Err(Error::request("a part has the form's boundary in it"));
            }
            stream.push(head, body)?;
        }
        // A token has no spaces and similar characters (RFC 9110, section 5.6.2).
        let is_token = boundary.bytes().all(crate::headers::is_token_byte);
        let quote = if is_token { "" } else { "\"" };
        Ok((format!("{FORM_TYPE}; boundary={quote}{boundary}{quote}"), Body::composite(stream)))
    }
}

fn is_boundary(boundary: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=BOUNDARY_MAX).contains(&boundary.len()) && boundary.bytes().all(fits) && !boundary.ends_with(' ')
}

fn random_boundary() -> Result<String> {
    let mut bytes = [0; 16];
    random::fill(&mut bytes).map_err(|error| Error::new(ErrorKind::Io, Phase::Prepare).with_source(error))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

impl fmt::Debug for Form {
    /// Shows names, and only the lengths of texts, bytes and readers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.parts.iter().map(|(name, part)| (name, part))).finish()
    }
}

//! One part of a form: what is in it, and what is said about it.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::media;
use crate::body::{Body, Content, encode_text};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::headers::Headers;

/// A part of a [`Form`](super::Form), without its name.
///
/// | made by | `Content-Type` unless set | file name unless set |
/// |---|---|---|
/// | [`text`](Self::text) | none: UTF-8, as in a browser's form | none |
/// | [`bytes`](Self::bytes), [`reader`](Self::reader), [`sized`](Self::sized) | by the file name | none |
/// | [`file`](Self::file) | by the file name | the file's own |
///
/// By the file name means by its extension, as in `text/csv` for `csv`, and `application/octet-stream` where it is not
/// known.
///
/// What is wrong with a part is the error of the request that it is sent with.
///
/// ```
/// use hostpool::multipart::{Form, Part};
///
/// let csv = Part::bytes("a,b\n1,2\n").file_name("table.csv"); // sent as text/csv
/// let form = Form::new().part("table", csv);
/// ```
#[doc(alias = "RequestField")]
#[must_use = "a part is sent with a form"]
pub struct Part {
    body: Body,
    file_name: Option<String>,
    content_type: Option<String>,
    headers: Headers,
    encoding: Option<String>,
    wrong: Option<Error>,
}

impl Part {
    /// A text, sent as UTF-8 unless [`encoding`](Self::encoding) says otherwise.
    pub fn text(text: impl Into<String>) -> Part {
        Part::body(text.into())
    }

    /// Bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Part {
        Part::body(bytes.into())
    }

    /// The file at that path, with its name. It is opened at once, and read when it is sent: see [`Body`] for what is
    /// sent of it.
    ///
    /// Errors with [`ErrorKind::BodyRead`] if it cannot be opened.
    ///
    /// ```no_run
    /// use hostpool::multipart::Part;
    ///
    /// let part = Part::file("/tmp/upload.bin")?.file_name("holiday.jpg"); // sent as image/jpeg
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn file(path: impl AsRef<Path>) -> Result<Part> {
        let path = path.as_ref();
        let file =
            File::open(path).map_err(|error| Error::new(ErrorKind::BodyRead, Phase::Prepare).with_source(error))?;
        let part = Part::body(file);
        Ok(match path.file_name() {
            Some(name) => part.file_name(name.to_string_lossy()),
            None => part,
        })
    }

    /// What `reader` gives until its end. With such a part in it the form's length is not known, and it is sent in
    /// chunks.
    pub fn reader(reader: impl Read + Send + 'static) -> Part {
        Part::body(Body::reader(reader))
    }

    /// What `reader` gives, which must be `length` bytes: see [`Body::sized`].
    pub fn sized(reader: impl Read + Send + 'static, length: u64) -> Part {
        Part::body(Body::sized(reader, length))
    }

    /// What could be the body of a request of its own, such as another form's, a [`Body::seekable`] or a
    /// [`Body::factory`]. A text counts as a text.
    pub fn body(body: impl Into<Body>) -> Part {
        let (headers, body) = (Headers::new(), body.into());
        Part { body, file_name: None, content_type: None, headers, encoding: None, wrong: None }
    }

    /// The name of the file that the part is said to be. A `"` in it is sent as `%22`, as browsers do it; control
    /// characters are refused.
    #[doc(alias = "filename")]
    pub fn file_name(mut self, name: impl Into<String>) -> Part {
        self.file_name = Some(name.into());
        self
    }

    /// The media type, such as `text/plain; charset=utf-8`.
    #[doc(alias = "mime_type")]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Part {
        self.content_type = Some(content_type.into());
        self
    }

    /// A header of the part, such as `Content-Location`; they stand behind its `Content-Disposition` and
    /// `Content-Type`, in the order and the spelling they are given in. `Content-Disposition` and `Content-Length` are
    /// refused: the form says them. See [`Headers::append`] for what else is.
    #[doc(alias = "make_multipart")]
    pub fn header(mut self, name: &str, value: &str) -> Part {
        let refused = ["content-disposition", "content-length"].iter().any(|own| name.eq_ignore_ascii_case(own));
        if name.eq_ignore_ascii_case("content-type") {
            return self.content_type(value);
        } else if refused {
            let why = "Content-Disposition and Content-Length of a part are said by the form";
            self.wrong.get_or_insert_with(|| Error::request(why));
        } else if let Err(error) = self.headers.append(name, value) {
            self.wrong.get_or_insert(error.into());
        }
        self
    }

    /// The charset that a text is sent in, by a name of the WHATWG Encoding Standard, such as `koi8-r` or `shift_jis`;
    /// it is named in the `Content-Type`, unless that is set. With the feature `charset`; UTF-8 needs none.
    ///
    /// The request fails if the text has a character that the charset lacks, or if the part is no text.
    #[doc(alias = "charset")]
    pub fn encoding(mut self, label: impl Into<String>) -> Part {
        self.encoding = Some(label.into());
        self
    }

    /// The same part once more; `None` if its body cannot be (see [`Body::try_clone`]), or if what it was given was
    /// wrong.
    pub fn try_clone(&self) -> Option<Part> {
        if self.wrong.is_some() {
            return None;
        }
        Some(Part {
            body: self.body.try_clone()?,
            file_name: self.file_name.clone(),
            content_type: self.content_type.clone(),
            headers: self.headers.clone(),
            encoding: self.encoding.clone(),
            wrong: None,
        })
    }

    /// Its head under this name, with the blank line behind it, and what it holds.
    pub(super) fn into_parts(self, name: &str) -> Result<(String, Body)> {
        let Part { mut body, file_name, mut content_type, headers, encoding, wrong } = self;
        if let Some(error) = wrong {
            return Err(error);
        }
        let is_text = body.content() == Content::Text;
        if let Some(label) = encoding {
            let text = body.as_bytes().filter(|_| is_text).and_then(|bytes| str::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| Error::request("only a text has a charset"))?;
            let (bytes, charset) = encode_text(text, &label)?;
            content_type.get_or_insert_with(|| format!("text/plain; charset={charset}"));
            body = Body::from(bytes);
        }
        if content_type.is_none() && !is_text {
            content_type = Some(media::of_file(file_name.as_deref().unwrap_or_default()).to_owned());
        }
        let mut head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name)?);
        if let Some(file_name) = &file_name {
            head += &format!("; filename=\"{}\"", quoted(file_name)?);
        }
        head += "\r\n";
        let mut fields = Headers::new();
        if let Some(content_type) = &content_type {
            fields.append("Content-Type", content_type)?;
        }
        fields.extend(&headers)?;
        for field in fields.iter() {
            head += &format!("{}: {}\r\n", field.name(), field.value());
        }
        Ok((head + "\r\n", body))
    }
}

/// A name as HTML writes it (section 4.10.21.8). What ends a line there becomes `%0D` and `%0A`; here no control
/// character is let through, for some readers take others for line ends, too.
fn quoted(name: &str) -> Result<Cow<'_, str>> {
    match name {
        _ if name.bytes().any(|byte| byte.is_ascii_control()) => {
            Err(Error::request("the name of a part or of its file has a control character, such as a line end"))
        }
        _ if name.contains('"') => Ok(Cow::Owned(name.replace('"', "%22"))),
        _ => Ok(Cow::Borrowed(name)),
    }
}

impl fmt::Debug for Part {
    /// Without what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("body", &self.body)
            .field("file_name", &self.file_name)
            .field("content_type", &self.content_type)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

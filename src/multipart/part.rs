//! One part of a form: its content and its header fields.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::Path;

use super::media;
use crate::body::{Body, Content, encode_text};
use crate::error::{Error, Result};
use crate::headers::Headers;

/// A part of a [`Form`](super::Form), without its name.
///
/// | made by | `Content-Type` unless set | file name unless set |
/// |---|---|---|
/// | [`text`](Self::text) | by the file name; without one none: UTF-8, as in a browser's form | none |
/// | [`bytes`](Self::bytes), [`reader`](Self::reader), [`sized`](Self::sized) | by the file name | none |
/// | [`file`](Self::file) | by the file name | the file's own |
///
/// "By the file name" means by its extension, such as `text/csv` for `csv`, and `application/octet-stream` for an
/// unknown one. [`without_content_type`](Self::without_content_type) sends none.
///
/// An invalid part fails the request that it is sent with.
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
    file_name: Option<FileName>,
    content_type: Type,
    headers: Headers,
    encoding: Option<String>,
    wrong: Option<Error>,
}

#[derive(Clone, Debug)]
enum FileName {
    /// Set by the caller.
    Given(String),
    /// Found in the file system, where a name may have every byte but `/` and NUL.
    Found(OsString),
}

#[derive(Clone, Debug)]
enum Type {
    ByFileName,
    Is(String),
    Without,
}

impl Part {
    /// Makes a part of text, sent as UTF-8 unless [`encoding`](Self::encoding) sets another charset.
    pub fn text(text: impl Into<String>) -> Part {
        Part::body(text.into())
    }

    /// Makes a part of bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Part {
        Part::body(bytes.into())
    }

    /// Returns a part of the file at that path, with its name.
    ///
    /// The file is opened and closed again; its path, length and time of change are noted. It is opened once more when
    /// it is sent, so that a form of a thousand files needs one descriptor, and again when it is sent again. A file
    /// that has changed in the meantime is an error, because the length of the form is sent first. For a file that
    /// grows, such as a log, open it and pass it to [`body`](Self::body): its content at the time of sending is sent. A
    /// file that is not regular, such as a FIFO, stays open and is read until its end.
    ///
    /// The name is sent as the file system has it: a `"` as `%22`, line ends as `%0A` and `%0D` (HTML, section
    /// 4.10.21.8), all other bytes unchanged, including bytes that are not UTF-8. [`file_name`](Self::file_name)
    /// replaces it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BodyRead`](crate::ErrorKind::BodyRead), with the path in its source: here if the file cannot be
    /// opened or is a folder, and when the request is sent if the file has changed.
    ///
    /// ```no_run
    /// use hostpool::multipart::Part;
    ///
    /// let part = Part::file("/tmp/upload.bin")?.file_name("holiday.jpg"); // sent as image/jpeg
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn file(path: impl AsRef<Path>) -> Result<Part> {
        let path = path.as_ref();
        let file_name = path.file_name().map(|name| FileName::Found(name.to_owned()));
        Ok(Part { file_name, ..Part::body(Body::file(path)?) })
    }

    /// Makes a part of all that `reader` gives. A form with such a part has no known length and is sent in chunks.
    pub fn reader(reader: impl Read + Send + 'static) -> Part {
        Part::body(Body::reader(reader))
    }

    /// Makes a part of what `reader` gives, which must be `length` bytes: see [`Body::sized`].
    pub fn sized(reader: impl Read + Send + 'static, length: u64) -> Part {
        Part::body(Body::sized(reader, length))
    }

    /// Makes a part of anything that could be the body of a request, such as another form's body, a [`Body::seekable`]
    /// or a [`Body::factory`]. A text counts as a text.
    pub fn body(body: impl Into<Body>) -> Part {
        let (headers, body) = (Headers::new(), body.into());
        Part { body, file_name: None, content_type: Type::ByFileName, headers, encoding: None, wrong: None }
    }

    /// Sets the file name of the part. A `"` in it is sent as `%22`, as in browsers; control characters are refused.
    #[doc(alias = "filename")]
    pub fn file_name(mut self, name: impl Into<String>) -> Part {
        self.file_name = Some(FileName::Given(name.into()));
        self
    }

    /// Sets the media type, such as `text/plain; charset=utf-8`.
    #[doc(alias = "mime_str")]
    #[doc(alias = "mime_type")]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Part {
        self.content_type = Type::Is(content_type.into());
        self
    }

    /// Does the same as [`content_type`](Self::content_type).
    ///
    /// ```
    /// use hostpool::multipart::{Form, Part};
    ///
    /// let form = Form::new().part("table", Part::bytes("a;b\n").mime("text/csv; header=absent"));
    /// ```
    #[doc(alias = "mime_str")]
    pub fn mime(self, mime: impl Into<String>) -> Part {
        self.content_type(mime)
    }

    /// Sends the part without a `Content-Type`, as browsers send the fields of a form. A server then takes it for a
    /// text (RFC 7578, section 4.4).
    ///
    /// ```
    /// use hostpool::multipart::{Form, Part};
    ///
    /// let field = Part::bytes(b"caf\xe9".as_slice()).without_content_type();
    /// let form = Form::new().part("name", field);
    /// ```
    pub fn without_content_type(mut self) -> Part {
        self.content_type = Type::Without;
        self
    }

    /// Adds a header of the part, such as `Content-Location`. Headers follow `Content-Disposition` and `Content-Type`,
    /// in the order and the spelling in which they are given. `Content-Disposition` and `Content-Length` are refused,
    /// because the form sets them. See [`Headers::append`] for other refusals.
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

    /// Sets the charset that a text is sent in, by a name of the WHATWG Encoding Standard, such as `koi8-r` or
    /// `shift_jis`. The `Content-Type` names it, unless that is set. Charsets other than UTF-8 need the feature
    /// `charset`.
    ///
    /// The request fails if the charset lacks a character of the text, or if the part is not a text.
    #[doc(alias = "charset")]
    pub fn encoding(mut self, label: impl Into<String>) -> Part {
        self.encoding = Some(label.into());
        self
    }

    /// Returns the same part once more; `None` if its body cannot be copied (see [`Body::try_clone`]), or if an
    /// argument was not valid.
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

    /// Returns its head under this name, with the blank line after it, and its body.
    pub(super) fn into_parts(self, name: &str) -> Result<(Vec<u8>, Body)> {
        let Part { mut body, file_name, content_type, headers, encoding, wrong } = self;
        if let Some(error) = wrong {
            return Err(error);
        }
        let is_text = body.content() == Content::Text;
        let mut charset = None;
        if let Some(label) = encoding {
            let text = body.as_bytes().filter(|_| is_text).and_then(|bytes| str::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| Error::request("only a text has a charset"))?;
            let (bytes, name) = encode_text(text, &label)?;
            (body, charset) = (Body::from(bytes), Some(name));
        }
        let content_type = match content_type {
            Type::Is(content_type) => Some(content_type),
            Type::Without => None,
            Type::ByFileName => media_type(file_name.as_ref().map(FileName::media), charset.as_deref(), is_text),
        };
        let mut head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(name)?).into_bytes();
        if let Some(file_name) = &file_name {
            head.extend_from_slice(b"; filename=\"");
            head.extend_from_slice(&file_name.quoted()?);
            head.push(b'"');
        }
        head.extend_from_slice(b"\r\n");
        let mut fields = Headers::new();
        if let Some(content_type) = &content_type {
            fields.append("Content-Type", content_type)?;
        }
        fields.append_all(headers)?;
        for field in fields.iter() {
            for bytes in [field.name().as_bytes(), b": ", field.bytes(), b"\r\n"] {
                head.extend_from_slice(bytes);
            }
        }
        head.extend_from_slice(b"\r\n");
        Ok((head, body))
    }
}

impl FileName {
    fn media(&self) -> &'static str {
        match self {
            FileName::Given(name) => media::of_file(name),
            FileName::Found(name) => media::of_file(&name.to_string_lossy()),
        }
    }

    /// Returns the name as it is written between quotes: see [`quoted`] and [`Part::file`].
    fn quoted(&self) -> Result<Cow<'_, [u8]>> {
        let name = match self {
            FileName::Given(name) => return quoted(name).map(|name| Cow::Owned(name.into_owned().into_bytes())),
            FileName::Found(name) => name.as_encoded_bytes(),
        };
        let escaped = name.iter().flat_map(|byte| match byte {
            b'"' => b"%22".as_slice(),
            b'\r' => b"%0D",
            b'\n' => b"%0A",
            byte => std::slice::from_ref(byte),
        });
        Ok(Cow::Owned(escaped.copied().collect()))
    }
}

/// Returns the default media type of a part.
fn media_type(of_file: Option<&str>, charset: Option<&str>, is_text: bool) -> Option<String> {
    match (of_file, charset) {
        (media, Some(charset)) => {
            let media = media.filter(|media| media.starts_with("text/")).unwrap_or("text/plain");
            Some(format!("{media}; charset={charset}"))
        }
        (Some(media), None) => Some(media.to_owned()),
        (None, None) => (!is_text).then(|| media::UNKNOWN.to_owned()),
    }
}

/// Returns a name of the caller's as HTML writes it (section 4.10.21.8). HTML turns line ends into `%0D` and `%0A`.
/// Here control characters are refused: some readers take other control characters for line ends as well, and the
/// caller can choose another name.
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
    /// Hides the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("body", &self.body)
            .field("file_name", &self.file_name)
            .field("content_type", &self.content_type)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

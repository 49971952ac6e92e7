//! Setters of a [`RequestBuilder`] for the body, and for how it is sent.

use std::path::Path;

use super::RequestBuilder;
use crate::body::urlencoded::{self, IntoPairs};
use crate::body::{Body, Chunking, Compress, PIECE, Progress};
use crate::error::Error;
use crate::multipart::Form;

/// # Body
impl RequestBuilder {
    /// Sets the body to bytes, a text, a file, or the content of a reader: see [`Body`].
    ///
    /// A [`Session`](crate::Session) and the free functions send a text as `text/plain; charset=utf-8` and all else as
    /// `application/octet-stream`. They add no type if there is a `Content-Type` header, or if
    /// [`skip_auto_headers`](Self::skip_auto_headers) names it. Pools never add one.
    ///
    /// ```no_run
    /// use hostpool::{Body, Session};
    /// use std::fs::File;
    ///
    /// let session = Session::new();
    /// session.put("http://example.com/text").data("text").send()?;
    /// session.put("http://example.com/file").data(File::open("large.bin")?).send()?;
    /// session.post("http://example.com/stream").data(Body::reader(std::io::stdin())).send()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn data(self, body: impl Into<Body>) -> Self {
        self.change(|request| {
            request.body = body.into();
            request.content_type = None;
            Ok(())
        })
    }

    /// Does the same as [`data`](Self::data).
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// let request = Session::new().put("http://example.com/").body("text").build()?;
    /// assert_eq!(request.body().as_bytes(), Some(&b"text"[..]));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn body(self, body: impl Into<Body>) -> Self {
        self.data(body)
    }

    /// Sets the body to pairs, encoded as `application/x-www-form-urlencoded`. [`IntoPairs`] says what has pairs: an
    /// array, a slice, a map, or a value that serde can serialize. A `Content-Type` header of the request is kept. A
    /// default `Content-Type` of the client is replaced if it is another media type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the value has no pairs, or if anything is
    /// nested deeper.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Login<'a> {
    ///     user: &'a str,
    ///     remember: bool,
    /// }
    ///
    /// let (session, login) = (Session::new(), Login { user: "me", remember: true });
    /// let request = session.post("http://example.com/login").form(&login).build()?;
    /// assert_eq!(request.body().as_bytes(), Some(&b"user=me&remember=true"[..]));
    /// let request = session.post("http://example.com/login").form([("user", "me")]).build()?;
    /// assert_eq!(request.body().as_bytes(), Some(&b"user=me"[..]));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "send_form")]
    #[doc(alias = "post_form")]
    #[doc(alias = "urlencoded")]
    pub fn form(self, pairs: impl IntoPairs) -> Self {
        self.change(|request| {
            request.body = Body::form(urlencoded::encode(pairs.pairs()?));
            request.content_type = Some("application/x-www-form-urlencoded".into());
            Ok(())
        })
    }

    /// Sets the body to a form with files, encoded as `multipart/form-data`. A default `Content-Type` of the client is
    /// replaced.
    ///
    /// A `Content-Type` header of this request is kept. If it is `multipart/form-data` or another `multipart` type
    /// without a boundary, the boundary of the form is appended.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the `Content-Type` header of the request has
    /// another boundary than the [form](Form::boundary), and all errors of [`Form::into_body`].
    ///
    /// ```no_run
    /// use hostpool::Session;
    /// use hostpool::multipart::Form;
    ///
    /// let form = Form::new().text("title", "Holiday").file("photo", "IMG_0001.jpg")?;
    /// Session::new().post("http://example.com/upload").multipart(form).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "FormData")]
    pub fn multipart(self, form: Form) -> Self {
        self.change(|request| {
            let (content_type, body) = form.into_body()?;
            request.body = body;
            request.content_type = Some(content_type.into());
            Ok(())
        })
    }

    /// Sets the body to a form of the files at these paths, each under its name. This is [`multipart`](Self::multipart)
    /// for the common case. [`Part::file`](crate::multipart::Part::file) says what is sent of each file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BodyRead`](crate::ErrorKind::BodyRead) if a file cannot be opened, or if it has changed when it is
    /// sent: see [`Part::file`](crate::multipart::Part::file).
    ///
    /// ```no_run
    /// let files = [("report", "report.pdf"), ("data", "data.csv")];
    /// hostpool::post("http://example.com/upload").files(files).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn files<N: Into<String>, P: AsRef<Path>>(self, files: impl IntoIterator<Item = (N, P)>) -> Self {
        match files.into_iter().try_fold(Form::new(), |form, (name, path)| form.file(name, path)) {
            Ok(form) => self.multipart(form),
            Err(error) => self.change(|_| Err(error)),
        }
    }

    /// Sets the body to a value as JSON, sent as `application/json`. A `Content-Type` header of the request is kept. A
    /// default `Content-Type` of the client is kept if it is a type of JSON, such as `application/vnd.api+json`, and
    /// replaced otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if the value has no JSON form, such as a map
    /// whose keys are not strings.
    ///
    /// ```
    /// use hostpool::Session;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Book {
    ///     title: &'static str,
    ///     year: u32,
    /// }
    ///
    /// let request = Session::new().post("http://example.com/").json(&Book { title: "Dune", year: 1965 }).build()?;
    /// assert_eq!(request.body().as_bytes(), Some(&br#"{"title":"Dune","year":1965}"#[..]));
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "send_json")]
    #[cfg(feature = "json")]
    pub fn json(self, value: &(impl serde::Serialize + ?Sized)) -> Self {
        self.change(|request| {
            let json = serde_json::to_vec(value)
                .map_err(|error| Error::request("the value has no JSON form").with_source(error))?;
            request.body = Body::from(json);
            request.content_type = Some("application/json".into());
            Ok(())
        })
    }

    /// Sets the charset of a text given to [`data`](Self::data), and of a [`form`](Self::form), by its name in the
    /// WHATWG Encoding Standard. Default: UTF-8; all others need the feature `charset`. The `Content-Type` names the
    /// charset as that standard does, so `latin1` becomes `windows-1252`. Bodies that are not text are sent unchanged.
    ///
    /// # Errors
    ///
    /// When the request is sent:
    ///
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if there is no such charset, or if it lacks a
    ///   character of the text.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the charset is only for reading, such as UTF-16,
    ///   or without the feature `charset`.
    ///
    /// ```no_run
    /// # use hostpool::Session;
    /// Session::new().post("http://example.com/").form([("name", "Straße")]).encoding("latin1").send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "charset")]
    pub fn encoding(self, label: &str) -> Self {
        self.set(|options| options.encoding = Some(label.into()))
    }

    /// Sets how the body is compressed. Default: not at all. Bytes are compressed at once, and have a `Content-Length`.
    /// Files and readers are compressed while they are sent, in chunks. An empty body is not compressed.
    ///
    /// A `Content-Encoding` header alone compresses nothing. It says what the caller has done to the body, which is
    /// sent as given.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) without the feature `gzip`.
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if a `Content-Encoding` header of the request
    ///   or of its client names another coding.
    ///
    /// ```no_run
    /// use hostpool::{Compress, Session};
    ///
    /// let session = Session::new();
    /// session.post("http://example.com/").data("text ".repeat(1000)).compress(Compress::Gzip).send()?;
    ///
    /// // Compressed already: sent as given.
    /// let file = std::fs::File::open("log.gz")?;
    /// session.post("http://example.com/").header("Content-Encoding", "gzip").data(file).send()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compress(self, compress: Compress) -> Self {
        self.set(|options| options.compress = compress)
    }

    /// Sets whether the body is sent in chunks (RFC 9112, section 7.1) although its length is known. Default: no. A
    /// body of unknown length is always sent in chunks. The header `Transfer-Encoding: chunked` does the same as
    /// `true`.
    ///
    /// # Errors
    ///
    /// When the request is sent:
    ///
    /// - [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for HTTP/1.0, which has no chunks.
    /// - [`ErrorKind::InvalidHeader`](crate::ErrorKind::InvalidHeader) if the request has a `Content-Length` header,
    ///   which contradicts chunks.
    pub fn chunked(self, chunked: bool) -> Self {
        self.set(|options| options.chunking = if chunked { Chunking::Always } else { Chunking::AsNeeded })
    }

    /// Sets the size of the chunks in bytes, from 1 to 131,072 (128 KiB), and sends the body in chunks. The last chunk
    /// may be smaller. A chunk leaves when it is full, or at the end of the body. Default: one `read` of a reader makes
    /// one chunk.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for any other size, and the errors of
    /// [`chunked`](Self::chunked).
    ///
    /// ```no_run
    /// # use hostpool::{Body, Session};
    /// Session::new().post("http://example.com/").data(Body::reader(std::io::stdin())).chunk_size(1024).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[doc(alias = "chunked")]
    #[doc(alias = "blocksize")]
    pub fn chunk_size(self, bytes: usize) -> Self {
        self.try_set(|options| {
            if !(1..=PIECE).contains(&bytes) {
                return Err(Error::request("a chunk has between 1 and 131,072 bytes"));
            }
            options.chunking = Chunking::Exactly(bytes);
            Ok(())
        })
    }

    /// Sets a function that is told how many bytes of the body the transport has accepted, and the total if a
    /// `Content-Length` says it. It is called with 0 at the start, and after each piece. The framing of chunks is not
    /// counted. If the body is compressed, its compressed bytes are counted. If the request is sent again, after a
    /// redirect or on a fresh connection, the count starts again from 0.
    ///
    /// A clone of the request calls the same function. A call is left out while another call of the function is
    /// running.
    ///
    /// ```no_run
    /// # use hostpool::Session;
    /// let request = Session::new().put("http://example.com/large").data(std::fs::File::open("large.bin")?);
    /// let response = request
    ///     .on_upload_progress(|sent, total| eprintln!("{sent} of {total:?} bytes"))
    ///     .send()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_upload_progress(self, told: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.set(|options| options.progress = Some(Progress::new(told)))
    }

    /// Does the same as [`on_upload_progress`](Self::on_upload_progress).
    ///
    /// ```no_run
    /// # use hostpool::Session;
    /// Session::new().put("http://example.com/").data("text").progress(|sent, _| eprintln!("{sent} bytes")).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn progress(self, told: impl FnMut(u64, Option<u64>) + Send + 'static) -> Self {
        self.on_upload_progress(told)
    }

    /// Sets whether the server is asked before the body is sent (`Expect: 100-continue`; RFC 9110, section 10.1.1).
    /// Default: no. A server that will refuse the request says so, and the body is not sent. If the server says
    /// nothing, the body is sent after [`Timeout::expect`](crate::Timeout::expect). A header of that name does the
    /// same. A request without a body does not ask.
    ///
    /// A server that answers 417 does not know the expectation. The request is then sent once more without it, over
    /// another connection, if the body can be sent from its start. This does not count as a retry. A later 417 is the
    /// response.
    ///
    /// ```no_run
    /// use hostpool::Session;
    ///
    /// let upload = std::fs::File::open("large.bin")?;
    /// let response = Session::new().put("http://example.com/large").data(upload).expect100(true).send()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "expect_continue")]
    pub fn expect100(self, expect: bool) -> Self {
        self.change(|request| {
            request.expect = expect;
            Ok(())
        })
    }
}

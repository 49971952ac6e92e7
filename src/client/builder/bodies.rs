//! What a [`RequestBuilder`] sends as a body, and how.

use std::path::Path;

use super::RequestBuilder;
use crate::body::{Body, Chunking, Compress, PIECE, Progress, urlencoded};
use crate::error::Error;
use crate::multipart::Form;

impl RequestBuilder {
    /// Sends bytes, a text, a file or what a reader gives as the body: see [`Body`].
    ///
    /// A [`Session`](crate::Session) and the free functions call a text `text/plain; charset=utf-8` and all else
    /// `application/octet-stream`, unless a header `Content-Type` says otherwise or
    /// [`skip_auto_headers`](Self::skip_auto_headers) names it; pools add no `Content-Type`.
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
    #[doc(alias = "body")]
    pub fn data(self, body: impl Into<Body>) -> Self {
        self.change(|request| {
            request.body = body.into();
            request.content_type = None;
            Ok(())
        })
    }

    /// Sends pairs as `application/x-www-form-urlencoded`, unless a header of the request says otherwise. A default
    /// `Content-Type` of the client gives way if it is another media type.
    pub fn form<K: AsRef<str>, V: AsRef<str>>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        self.change(|request| {
            request.body = Body::form(urlencoded::encode(pairs));
            request.content_type = Some("application/x-www-form-urlencoded".into());
            Ok(())
        })
    }

    /// The same with the pairs of any value that has them: a map, a struct, a sequence of pairs. See
    /// [`params_from`](Self::params_from) for what each becomes.
    ///
    /// ```no_run
    /// # use hostpool::Session;
    /// #[derive(serde::Serialize)]
    /// struct Login<'a> {
    ///     user: &'a str,
    ///     remember: bool,
    /// }
    ///
    /// let login = Login { user: "me", remember: true };
    /// Session::new().post("http://example.com/login").form_from(&login).send()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    #[cfg(feature = "json")]
    #[doc(alias = "data")]
    pub fn form_from(self, value: &(impl serde::Serialize + ?Sized)) -> Self {
        match urlencoded::pairs(value) {
            Ok(pairs) => self.form(pairs),
            Err(error) => self.change(|_| Err(error)),
        }
    }

    /// Sends a form with files as `multipart/form-data`, whatever `Content-Type` the client has as a default.
    ///
    /// A `Content-Type` of this request is kept. Where it is `multipart/form-data` or another `multipart` type without
    /// a boundary, the form's boundary is appended; another boundary than the [form's](Form::boundary) is an error.
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

    /// Sends the files at these paths as a form, each under its name: [`multipart`](Self::multipart) for the common
    /// case. See [`Part::file`](crate::multipart::Part::file) for what is sent of each, and how it can fail.
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

    /// Sends a value as JSON, as `application/json` unless a header of the request says otherwise. A default
    /// `Content-Type` of the client stays if it is a type of JSON, such as `application/vnd.api+json`, and gives way
    /// otherwise.
    ///
    /// Errors where the value has no JSON form, such as a map with keys that are no strings.
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

    /// The charset that a text given to [`data`](Self::data), or a [`form`](Self::form), is sent in: UTF-8 by default;
    /// others, by their names in the WHATWG Encoding Standard, need the feature `charset`. The `Content-Type` names it,
    /// as that standard does: `latin1` is `windows-1252` there. Bodies that are no text are sent as they are.
    ///
    /// Errors if there is no such charset, if it is one that is only read (UTF-16), or if it lacks a character.
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

    /// Sets how the body is compressed: not at all by default. Bytes are compressed at once and have a
    /// `Content-Length`; files and readers are compressed as they are sent, in chunks. An empty body is not compressed.
    ///
    /// A header `Content-Encoding` alone compresses nothing: it says what the caller has done to the body, which is
    /// sent as given.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) without the feature `gzip`;
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) if a header `Content-Encoding`, of the request
    /// or of its client, names another coding.
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

    /// Whether the body is sent in chunks (RFC 9112, section 7.1) although its length is known. A body of unknown
    /// length always is. A header `Transfer-Encoding: chunked` means the same. HTTP/1.0 has no chunks, and a header
    /// `Content-Length` contradicts them: both are errors.
    pub fn chunked(self, chunked: bool) -> Self {
        self.set(|options| options.chunking = if chunked { Chunking::Always } else { Chunking::AsNeeded })
    }

    /// Sends the body in chunks of so many bytes each, but for the last: from 1 to 131,072 (128 KiB). A chunk leaves
    /// when it is full, or at the end. Without this, what one `read` of a reader gives is one chunk.
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

    /// Code that is told how many bytes of the body the transport has taken, and of how many where that is known from a
    /// `Content-Length`: 0 at the start, and after each piece. What frames chunks is not counted; of a body that is
    /// compressed the compressed bytes are. When the request is sent again, after a redirect or on a fresh connection,
    /// it starts from 0 again.
    ///
    /// A clone of the request tells the same code; what would be told while that runs is left out.
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

    /// Asks the server for its word before the body is sent (`Expect: 100-continue`; RFC 9110, section 10.1.1): a
    /// server that will refuse the request says so, and the body stays here. The same as a header of that name. Where
    /// no word comes the body is sent after [`Timeout::expect`](crate::Timeout::expect). Without a body nothing is
    /// asked.
    ///
    /// A server that answers 417 does not know the expectation: the request is sent once more without it, over another
    /// connection, if the body can be sent from its start. This counts as no retry; a later 417 is the response.
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

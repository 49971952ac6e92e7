//! Conversions into parts and forms, as in urllib3's `fields` and requests' `files`.

use super::{Form, Part};
use crate::body::Body;

impl From<&str> for Part {
    fn from(text: &str) -> Part {
        Part::text(text)
    }
}

impl From<String> for Part {
    fn from(text: String) -> Part {
        Part::text(text)
    }
}

impl From<Vec<u8>> for Part {
    fn from(bytes: Vec<u8>) -> Part {
        Part::bytes(bytes)
    }
}

impl<N: Into<String>, B: Into<Body>> From<(N, B)> for Part {
    /// Makes a file of its name and content. Its media type follows from the name, also for a text.
    fn from((name, body): (N, B)) -> Part {
        Part::body(body).file_name(name)
    }
}

impl<N: Into<String>, B: Into<Body>, M: Into<String>> From<(N, B, M)> for Part {
    /// Makes a file of its name, content and media type.
    fn from((name, body, content_type): (N, B, M)) -> Part {
        Part::body(body).file_name(name).content_type(content_type)
    }
}

impl Form {
    /// Makes a form of these names and parts, in their order: texts, bytes, and files as `(name, content)` or `(name,
    /// content, media type)`.
    ///
    /// ```
    /// use hostpool::multipart::{Form, Part};
    ///
    /// let texts = Form::from_pairs([("title", "Holiday"), ("place", "Texel")]);
    /// let files = Form::from_pairs([("a", ("a.csv", "1,2")), ("b", ("b.csv", "3,4"))]); // sent as text/csv
    /// let mixed = Form::from_pairs([("title", Part::text("x")), ("a", ("a.bin", vec![0], "x-own/type").into())]);
    /// ```
    #[doc(alias = "from_tuples")]
    #[doc(alias = "fields")]
    pub fn from_pairs<N: Into<String>, P: Into<Part>>(pairs: impl IntoIterator<Item = (N, P)>) -> Form {
        pairs.into_iter().fold(Form::new(), |form, (name, part)| form.part(name, part.into()))
    }
}

//! Forms with files (FLD).

use std::collections::BTreeMap;

use hostpool::ConnectionPool;
use hostpool::multipart::{Form, Part};

use crate::support::{Server, answers, header, ok};

/// What a form is on the wire, with `line` for its boundary.
#[test]
fn forms() {
    let one = |part: Part| Form::new().part("n", part);
    let named = |name: &str| one(Part::text("x").file_name(name).without_content_type());
    let map = BTreeMap::from([("k", "v"), ("l", "w")]);
    let two = "--line\r\nContent-Disposition: form-data; name=\"k\"\r\n\r\nv\r\n\
        --line\r\nContent-Disposition: form-data; name=\"l\"\r\n\r\nw\r\n--line--\r\n";
    let only = |more: &str| format!("--line\r\nContent-Disposition: form-data; name=\"n\"{more}\r\n--line--\r\n");
    let own = one(Part::text("x").header("x-B", "2").header("X-a", "1").header("x-b", "3"));
    let table: &[(&str, Form, String)] = &[
        (
            "FLD-01",
            one(Part::bytes("x").file_name("image.jpg")),
            only("; filename=\"image.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nx"),
        ),
        (
            "FLD-01 unknown",
            one(Part::bytes("x").file_name("notsure")),
            only("; filename=\"notsure\"\r\nContent-Type: application/octet-stream\r\n\r\nx"),
        ),
        ("FLD-01 no name", one(Part::bytes("x")), only("\r\nContent-Type: application/octet-stream\r\n\r\nx")),
        (
            "FLD-01 a file in a pair",
            Form::from_pairs([("n", ("image.jpg", "x"))]),
            only("; filename=\"image.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nx"),
        ),
        (
            "FLD-01 with a type",
            Form::from_pairs([("n", ("image.jpg", b"x", "x-own/type"))]),
            only("; filename=\"image.jpg\"\r\nContent-Type: x-own/type\r\n\r\nx"),
        ),
        (
            "FLD-03",
            one(Part::text("x").header("Content-Location", "/test").content_type("image/jpg")),
            only("\r\nContent-Type: image/jpg\r\nContent-Location: /test\r\n\r\nx"),
        ),
        ("FLD-04", named(""), only("; filename=\"\"\r\n\r\nx")),
        ("FLD-06", named("plain"), only("; filename=\"plain\"\r\n\r\nx")),
        ("FLD-06", named("n\u{e4}me"), only("; filename=\"n\u{e4}me\"\r\n\r\nx")),
        ("FLD-06", named("n\u{1F604}me"), only("; filename=\"n\u{1F604}me\"\r\n\r\nx")),
        ("FLD-06", named("a\\b"), only("; filename=\"a\\b\"\r\n\r\nx")),
        ("FLD-07", named("a\"b\""), only("; filename=\"a%22b%22\"\r\n\r\nx")),
        ("FLD-09 map", Form::from_pairs(map), two.into()),
        ("FLD-09 list", Form::from_pairs([("k".to_owned(), "v".to_owned()), ("l".into(), "w".into())]), two.into()),
        ("FLD-09 parts", Form::from_pairs([("k", Part::text("v")), ("l", "w".into())]), two.into()),
        ("FLD-09 none", Form::from_pairs([("", ""); 0]), "--line--\r\n".into()),
        ("FLD-10 text", Form::from_pairs([("n", "x\u{e4}")]), only("\r\n\r\nx\u{e4}")),
        (
            "FLD-10 bytes",
            Form::from_pairs([("n", "x\u{e4}".as_bytes().to_vec())]),
            only("\r\nContent-Type: application/octet-stream\r\n\r\nx\u{e4}"),
        ),
        ("FLD-10 bytes RW-39", one(Part::bytes("x\u{e4}").without_content_type()), only("\r\n\r\nx\u{e4}")),
        ("FLD-12", own, only("\r\nx-B: 2\r\nX-a: 1\r\nx-b: 3\r\n\r\nx")),
    ];
    let server = Server::new(vec![answers(ok(""))]);
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    for (id, form, expected) in table {
        let form = form.try_clone().unwrap().boundary("line");
        pool.post("/").multipart(form).send().unwrap();
        let request = server.seen.requests().pop().unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, expected, "{id}");
        let content_type = header(&format!("{head}\r\n\r\n"), "Content-Type").map(str::to_owned);
        assert_eq!(content_type.as_deref(), Some("multipart/form-data; boundary=line"), "FLD-13 {id}");
    }
}

/// Where a browser escapes line ends, and urllib3 lets other control characters through, none is sent.
#[test]
fn control_characters() {
    for c in (0..0x20).chain([0x7F]).map(char::from) {
        let name = format!("a{c}b");
        for form in [Form::new().text(&name, "x"), Form::new().part("n", Part::text("x").file_name(&name))] {
            assert!(form.into_body().is_err(), "FLD-06, FLD-07 {c:?}");
        }
    }
}

#[test]
fn boundaries() {
    let mut seen = std::collections::HashSet::new();
    for _ in 0..8 {
        let (content_type, _) = Form::from_pairs([("k", "v")]).into_body().unwrap();
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").expect("FLD-13").to_owned();
        assert!(boundary.len() == 32 && boundary.bytes().all(|byte| byte.is_ascii_hexdigit()), "FLD-15 {boundary}");
        assert!(seen.insert(boundary), "FLD-15");
    }
}

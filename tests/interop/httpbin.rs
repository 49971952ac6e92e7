//! A real httpbin: what a session does with redirects, cookies, credentials and codings, by a server's own account.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use hostpool::{Auth, DigestAuth, ErrorKind, Session};
use serde_json::Value;

use crate::support::eventually;
use crate::{Process, free_port, program};

fn httpbin() -> Option<(Process, String)> {
    let given = std::env::var("HOSTPOOL_GUNICORN").unwrap_or_default();
    let program = program("gunicorn with httpbin", &[given.as_str(), "gunicorn"], "--version")?;
    let address = free_port();
    let process = Command::new(program)
        .args(["--bind", &address.to_string(), "--worker-class", "gthread", "--threads", "8", "--keep-alive", "30"])
        .args(["--no-control-socket", "httpbin:app"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let process = Process(process);
    eventually("the start of httpbin", || TcpStream::connect(address).is_ok());
    Some((process, format!("http://{address}/")))
}

fn json(session: &Session, path: &str) -> Value {
    session.get(path).send().unwrap().error_for_status().unwrap().json().unwrap()
}

#[test]
fn httpbin_agrees() {
    let Some((_process, url)) = httpbin() else { return };
    let session = || Session::builder().base_url(&url).build().unwrap();
    type Check = fn(&Session);
    let checks: [(&str, Check); 8] = [
        ("redirects", redirects),
        ("cookies", cookies),
        ("basic", basic),
        ("digest", digest),
        ("codings", codings),
        ("streams", streams),
        ("ranges", ranges),
        ("anything", anything),
    ];
    for (name, check) in checks {
        eprintln!("httpbin: {name}");
        let session = session();
        check(&session);
        assert_eq!(session.connector().unwrap().stats().in_use, 0, "{name}");
    }
}

fn redirects(session: &Session) {
    for (path, hops) in [("redirect/5", 5), ("absolute-redirect/2", 2), ("relative-redirect/3", 3)] {
        let response = session.get(path).send().unwrap();
        assert_eq!((response.status().as_u16(), response.history().len()), (200, hops), "{path}");
        assert!(response.url().target().ends_with("/get"), "{path}");
    }
    let error = session.get("redirect/11").send().unwrap_err();
    assert_eq!((error.kind(), error.history().len()), (&ErrorKind::TooManyRedirects, 10));
    for (status, method) in [("302", "GET"), ("303", "GET"), ("307", "POST"), ("308", "POST")] {
        let to = [("url", "/anything"), ("status_code", status)];
        let echo: Value = session.post("redirect-to").params(to).form([("a", "b")]).send().unwrap().json().unwrap();
        assert_eq!(echo["method"], method, "{status}");
        assert_eq!(echo["form"].as_object().unwrap().len(), usize::from(method == "POST"), "{status}");
    }
}

fn cookies(session: &Session) {
    // Setting answers a redirect, which has the cookies already.
    let set: Value = session.get("cookies/set").params([("a", "1"), ("b", "2")]).send().unwrap().json().unwrap();
    assert_eq!(set["cookies"], serde_json::json!({"a": "1", "b": "2"}));
    let own: Value = session.get("cookies").cookie("b", "own").cookie("c", "3").send().unwrap().json().unwrap();
    assert_eq!(own["cookies"], serde_json::json!({"a": "1", "b": "own", "c": "3"}));
    assert_eq!(json(session, "cookies/delete?a")["cookies"], serde_json::json!({"b": "2"}));
}

fn basic(session: &Session) {
    let get = |auth: Option<Auth>| {
        let request = session.get("basic-auth/user/pass%20word");
        auth.into_iter().fold(request, |request, auth| request.auth(auth)).send().unwrap().status().as_u16()
    };
    assert_eq!(get(None), 401);
    assert_eq!(get(Some(("user", "pass word").into())), 200);
    assert_eq!(get(Some(("user", "wrong").into())), 401);
    let bearer: Value = session.get("bearer").bearer_auth("token").send().unwrap().json().unwrap();
    assert_eq!(bearer["token"], "token");
}

fn digest(session: &Session) {
    for qop in ["auth", "auth-int"] {
        for algorithm in ["MD5", "SHA-256"] {
            let auth = DigestAuth::new("user", "secret");
            let path = format!("digest-auth/{qop}/user/secret/{algorithm}");
            for time in ["first", "again"] {
                let response = session.get(&path).auth(auth.clone()).send().unwrap();
                assert_eq!(response.status(), 200, "{path} {time}");
            }
            let response = session.get(&path).auth(DigestAuth::new("user", "wrong")).send().unwrap();
            assert_eq!(response.status(), 401, "{path}");
        }
    }
}

fn codings(session: &Session) {
    let mut paths = vec![("gzip", "gzipped"), ("deflate", "deflated")];
    paths.extend(cfg!(feature = "brotli").then_some(("brotli", "brotli")));
    for (path, key) in paths {
        assert_eq!(json(session, path)[key], true, "{path}");
        let mut raw = session.get(path).decode_content(false).send().unwrap();
        let mut start = [0];
        raw.read_exact(&mut start).unwrap();
        assert_ne!(start, *b"{", "{path}");
    }
}

fn streams(session: &Session) {
    let lines: Vec<String> = session.get("stream/20").send().unwrap().lines().collect::<Result<_, _>>().unwrap();
    assert_eq!(lines.len(), 20);
    for line in lines {
        serde_json::from_str::<Value>(&line).unwrap();
    }
    let dripped = session.get("drip?duration=1&numbytes=10&code=200&delay=0").send().unwrap();
    assert_eq!(dripped.bytes().unwrap(), b"*".repeat(10));
}

fn ranges(session: &Session) {
    let whole = session.get("range/1024").send().unwrap().bytes().unwrap();
    assert_eq!(whole.len(), 1024);
    let part = session.get("range/1024").header("Range", "bytes=100-199").send().unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().unwrap(), &whole[100..200]);
}

fn anything(session: &Session) {
    let request = session.put("anything").params([("q", "a b&c"), ("q", "\u{e9}")]).header("X-A", "1");
    let echo: Value = request.json(&BTreeMap::from([("key", [1, 2])])).send().unwrap().json().unwrap();
    assert_eq!(echo["method"], "PUT");
    assert_eq!(echo["args"]["q"], serde_json::json!(["a b&c", "\u{e9}"]));
    assert_eq!(echo["json"], serde_json::json!({"key": [1, 2]}));
    assert_eq!(echo["headers"]["X-A"], "1");
    let form = hostpool::multipart::Form::new().text("field", "value \u{e9}");
    let part = hostpool::multipart::Part::bytes("content").file_name("name \u{e9}.txt");
    let echo: Value = session.post("anything").multipart(form.part("file", part)).send().unwrap().json().unwrap();
    assert_eq!(echo["form"]["field"], "value \u{e9}");
    assert_eq!(echo["files"]["file"], "content");
}

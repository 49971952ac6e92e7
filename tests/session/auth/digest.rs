//! Digest credentials against a server that makes the hashes by itself.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use hostpool::{Body, DigestAuth, Session};
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

use crate::support::{Server, answers, ok, read_request};
use crate::{body, line_server, redirect, request_line, values};

/// A server that makes up its answers as it sees the requests.
pub(super) struct Desk {
    addr: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    ending: Arc<AtomicBool>,
}

impl Desk {
    pub(super) fn new(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Desk {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (requests, ending) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (seen, ended, answer) = (requests.clone(), ending.clone(), Arc::new(answer));
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, answer) = (seen.clone(), answer.clone());
                thread::spawn(move || {
                    while let Ok(request) = read_request(&mut stream) {
                        let request = String::from_utf8(request).unwrap();
                        let bytes = answer(&request);
                        seen.lock().unwrap().push(request);
                        if stream.write_all(&bytes).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Desk { addr, requests, ending }
    }

    /// It lets in whoever knows the password for one of these challenges, and asks the others by the next of them; by
    /// the last one from then on. A `#` in them stands for a number that is never the same.
    fn guarded(challenges: &[&str]) -> Desk {
        let challenges: Vec<String> = challenges.iter().map(|&challenge| challenge.to_owned()).collect();
        let asked = AtomicUsize::new(0);
        Desk::new(move |request| {
            if is_known(request) {
                return ok("welcome");
            }
            let number = asked.fetch_add(1, Ordering::SeqCst);
            ask(&challenges[number.min(challenges.len() - 1)].replace('#', &number.to_string()))
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Of all requests so far, by nonce and count; `-` for those without.
    fn said(&self) -> Vec<String> {
        let said = |request: &String| match fields(request) {
            None => "-".to_owned(),
            Some(fields) => format!("{}:{}", fields["nonce"], fields.get("nc").map_or("", |count| &count[7..])),
        };
        self.requests().iter().map(said).collect()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
    }
}

pub(super) fn ask(challenge: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 2\r\n\r\nno");
    head.into_bytes()
}

/// The parameters of the Authorization field of a request. Commas and quotes inside quotes do not come up here.
fn fields(request: &str) -> Option<BTreeMap<String, String>> {
    let value = *values(request, "Authorization").first()?;
    let pairs = value.strip_prefix("Digest ")?.split(", ").map(|pair| pair.split_once('=').unwrap());
    Some(pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect())
}

fn hashed(algorithm: &str, text: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match algorithm {
        "MD5" => hex(&Md5::digest(text)),
        "SHA-256" => hex(&Sha256::digest(text)),
        "SHA-512-256" => hex(&Sha512_256::digest(text)),
        other => panic!("{other}"),
    }
}

pub(super) const LOGIN: (&str, &str) = ("Mufasa", "Circle of Life");

/// Whether a request was made by one who knows the password (RFC 7616, section 3.4.1).
pub(super) fn is_known(request: &str) -> bool {
    let Some(fields) = fields(request) else { return false };
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let algorithm = fields.get("algorithm").map_or("MD5", String::as_str);
    let (name, session) = algorithm.strip_suffix("-sess").map_or((algorithm, false), |name| (name, true));
    let h = |text: String| hashed(name, &text);
    let (login, password) = LOGIN;
    let username = match field("userhash") {
        "true" => h(format!("{login}:{}", field("realm"))),
        _ => login.to_owned(),
    };
    let mut key = h(format!("{login}:{}:{password}", field("realm")));
    if session {
        key = h(format!("{key}:{}:{}", field("nonce"), field("cnonce")));
    }
    let (method, target) = request_line(request).rsplit_once(' ').unwrap().0.split_once(' ').unwrap();
    let what = match field("qop") {
        "auth-int" => h(format!("{method}:{target}:{}", h(body(request).to_owned()))),
        _ => h(format!("{method}:{target}")),
    };
    let expected = match field("qop") {
        "" => h(format!("{key}:{}:{what}", field("nonce"))),
        qop => h(format!("{key}:{}:{}:{}:{qop}:{what}", field("nonce"), field("nc"), field("cnonce"))),
    };
    field("response") == expected && field("username") == username && field("uri") == target
}

fn signed_in() -> Session {
    Session::builder().auth(DigestAuth::new(LOGIN.0, LOGIN.1)).build().unwrap()
}

#[test]
fn what_servers_ask_for() {
    let table: &[(&str, &[&str])] = &[
        ("RFC 2069", &["Digest realm=\"r\", nonce=\"n\""]),
        ("RFC 2617", &["Digest realm=\"r\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=MD5, opaque=\"o\""]),
        ("MD5-sess", &["Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5-sess"]),
        ("auth-int", &["Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\""]),
        (
            "SHA-256",
            &["Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256, userhash=true, charset=UTF-8"],
        ),
        ("SHA-256-sess", &["Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\", algorithm=SHA-256-sess"]),
        ("SHA-512-256", &["Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256"]),
        ("SHA-512-256-sess", &["Digest realm=\"r\", nonce=\"n\", qop=auth, algorithm=SHA-512-256-sess"]),
        ("E9 several schemes", &["Negotiate, Basic realm=\"x\", Digest realm=\"r\", nonce=\"n\", qop=\"auth\""]),
        ("several fields", &["Basic realm=\"x\"\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\""]),
        ("E9 empty domain", &["Digest realm=\"r\", nonce=\"n\", qop=\"auth\", domain=\"\""]),
    ];
    for (row, challenges) in table {
        let desk = Desk::guarded(challenges);
        let session = signed_in();
        for (number, count) in [(1, 2), (2, 3), (3, 4)] {
            let response = session.post(desk.url("/a?b=c")).data("body").send().unwrap();
            assert_eq!(response.status(), 200, "E8 {row}: {:?}", desk.requests());
            assert_eq!(response.text().unwrap(), "welcome", "{row}");
            assert_eq!(desk.requests().len(), count, "preemptive afterwards, {row}, {number}");
        }
        let counts: Vec<_> = desk.requests().iter().filter_map(|request| fields(request)?.get("nc").cloned()).collect();
        if !counts.is_empty() {
            assert_eq!(counts, ["00000001", "00000002", "00000003"], "{row}");
        }
        assert!(desk.requests().iter().all(|request| body(request) == "body"), "{row}");
        assert_eq!(session.connector().unwrap().stats().open, 1, "{row}");
    }
}

#[test]
fn what_cannot_be_answered_is_the_response() {
    let table = [
        ("unknown algorithm", "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1"),
        ("unknown protection", "Digest realm=\"r\", nonce=\"n\", qop=\"auth-conf\""),
        ("no nonce", "Digest realm=\"r\""),
        ("another scheme", "Basic realm=\"r\""),
        ("none", ""),
    ];
    for (row, challenge) in table {
        let desk = Desk::guarded(&[challenge]);
        let response = signed_in().get(desk.url("/")).send().unwrap();
        assert_eq!((response.status().as_u16(), desk.requests().len()), (401, 1), "{row}");
        assert_eq!(response.text().unwrap(), "no", "{row}");
    }
    // The body's bytes are not at hand.
    let desk = Desk::guarded(&["Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\""]);
    let response = signed_in().post(desk.url("/")).data(Body::factory(|| Ok(&b"x"[..]), 1)).send().unwrap();
    assert_eq!((response.status().as_u16(), desk.requests().len()), (401, 1));
}

#[test]
fn a_server_that_is_never_content() {
    let (fresh, stale) = ("Digest realm=\"r\", nonce=\"#\", qop=\"auth\"", ", stale=true");
    let table = [("A11.5", fresh.to_owned(), 2), ("only stale", [fresh, stale].concat(), 3)];
    for (row, challenge, expected) in table {
        let asked = AtomicUsize::new(0);
        let desk = Desk::new(move |_| ask(&challenge.replace('#', &asked.fetch_add(1, Ordering::SeqCst).to_string())));
        let session = signed_in();
        for calls in 1..=3 {
            assert_eq!(session.get(desk.url("/")).send().unwrap().status(), 401, "{row}");
            assert_eq!(desk.requests().len(), calls * expected, "{row}");
        }
    }
}

#[test]
fn nonces_that_end() {
    let desk = Desk::new(|request| match fields(request) {
        None => ask("Digest realm=\"r\", nonce=\"a\", qop=\"auth\""),
        Some(fields) if fields["nonce"] == "a" && fields["nc"] == "00000003" => {
            ask("Digest realm=\"r\", nonce=\"b\", qop=\"auth\", stale=TRUE")
        }
        Some(_) => ok(""),
    });
    let session = signed_in();
    for _ in 0..4 {
        assert_eq!(session.get(desk.url("/")).send().unwrap().status(), 200);
    }
    assert_eq!(desk.said(), ["-", "a:1", "a:2", "a:3", "b:1", "b:2"]);

    let desk = Desk::new(|request| match fields(request) {
        None => ask("Digest realm=\"r\", nonce=\"0\", qop=\"auth\""),
        Some(fields) => {
            let next = fields["nonce"].parse::<u32>().unwrap() + 1;
            let info = format!("HTTP/1.1 204 No\r\nAuthentication-Info: nextnonce=\"{next}\", qop=auth\r\n\r\n");
            assert!(is_known(request));
            info.into_bytes()
        }
    });
    let session = signed_in();
    (0..3).for_each(|_| drop(session.get(desk.url("/")).send().unwrap()));
    assert_eq!(desk.said(), ["-", "0:1", "1:1", "2:1"], "nextnonce");
}

#[test]
fn many_threads() {
    for (row, nonce) in [("A11.6 one nonce", "n"), ("A11.6 fresh nonces", "#")] {
        let desk = Arc::new(Desk::guarded(&[&format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"")]));
        let (session, start) = (signed_in(), Arc::new(Barrier::new(32)));
        let threads: Vec<_> = (0..32)
            .map(|_| {
                let (desk, session, start) = (desk.clone(), session.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    for _ in 0..10 {
                        assert_eq!(session.get(desk.url("/")).send().unwrap().status(), 200);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let said: Vec<_> = desk.requests().iter().filter_map(|request| fields(request)).collect();
        assert_eq!(said.len(), 320, "{row}");
        let pairs: HashSet<_> = said.iter().map(|fields| (&fields["nonce"], &fields["nc"])).collect();
        assert_eq!(pairs.len(), 320, "{row}");
        let drawn: HashSet<_> = said.iter().map(|fields| &fields["cnonce"]).collect();
        assert!(drawn.len() == 320 && drawn.iter().all(|cnonce| cnonce.len() == 32), "{row}");
    }
}

#[test]
fn bodies_that_are_gone() {
    let desk = Desk::guarded(&["Digest realm=\"r\", nonce=\"n\", qop=\"auth\""]);
    let session = signed_in();
    let large = || Body::reader(io::repeat(b'x').take(1 << 20));
    let response = session.post(desk.url("/")).data(large()).send().unwrap();
    assert_eq!((response.status().as_u16(), desk.requests().len()), (401, 1), "A11.9");
    assert_eq!(response.text().unwrap(), "no", "A11.9");
    // What can be made again is sent again; and the next one is let in at once.
    let again = Body::factory(|| Ok(io::repeat(b'y').take(1 << 20)), None);
    assert_eq!(session.post(desk.url("/")).data(again).send().unwrap().status(), 200);
    assert_eq!(session.post(desk.url("/")).data(large()).send().unwrap().status(), 200);
    let lengths: Vec<_> = desk.requests().iter().map(|request| body(request).len()).collect();
    assert_eq!(lengths, [1 << 20; 4]);
}

/// A server abroad that asks gets nothing, whether home has asked before or not.
#[test]
fn other_origins() {
    let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
    for (row, home_asks) in [("A1.30 B262 E8 asked at home", true), ("A1.30 B262 E8 not asked", false)] {
        let abroad = Desk::guarded(&[challenge]);
        let there = abroad.url("/secret");
        let home = Desk::new(move |request| match home_asks && !is_known(request) {
            true => ask(challenge),
            false => redirect(302, &there),
        });
        let session = signed_in();
        for _ in 0..2 {
            let response = session.get(home.url("/")).send().unwrap();
            assert_eq!(response.status(), 401, "{row}");
            assert_eq!(response.url().origin().port(), Some(abroad.addr.port()), "{row}");
        }
        assert_eq!(abroad.said(), ["-", "-"], "{row}");
        // Nor is it on the way back.
        let home_again = line_server([redirect(302, &format!("http://{}/", abroad.addr)), ok("home")]);
        session.get(home_again.url("/")).send().unwrap();
        assert_eq!(abroad.said(), ["-", "-", "-"], "{row}");
    }
}

#[test]
fn along_redirects() {
    let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
    let desk = Desk::new(move |request| match request_line(request) {
        line if line.contains("/open") => redirect(302, "/closed"),
        _ if !is_known(request) => ask(challenge),
        line if line.contains("/closed") => redirect(303, "/more"),
        _ => ok("more"),
    });
    let response = signed_in().post(desk.url("/open")).data("body").send().unwrap();
    assert_eq!((response.text().unwrap().as_str(), desk.requests().len()), ("more", 4));
    assert_eq!(desk.said(), ["-", "-", "n:1", "n:2"]);
}

#[test]
fn targets() {
    let desk = Desk::guarded(&["Digest realm=\"r\", nonce=\"n\", qop=\"auth\""]);
    let session = signed_in();
    for target in ["", "/", "/a%2Fb/../c?x=1&y=%zz", "/gr\u{fc}n\u{df}e?\u{20ac}#part", "?q", "/a;b=c'd(e)*!$"] {
        let response = session.get(desk.url(target)).send().unwrap();
        assert_eq!(response.status(), 200, "B263 {target}");
        let request = desk.requests().pop().unwrap();
        let written = request_line(&request).split(' ').nth(1).unwrap();
        assert_eq!(fields(&request).unwrap()["uri"], written, "B263 {target}");
    }
}

#[test]
fn protection_spaces() {
    let desk = Desk::guarded(&["Digest realm=\"r\", nonce=\"n\", qop=\"auth\", domain=\"/a http://other.invalid/\""]);
    let session = signed_in();
    for path in ["/a", "/a/b", "/ab"] {
        assert_eq!(session.get(desk.url(path)).send().unwrap().status(), 200, "{path}");
    }
    assert_eq!(desk.said(), ["-", "n:1", "n:2", "-", "n:3"]);
}

#[test]
fn other_credentials() {
    let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
    let desk = Desk::guarded(&[challenge]);
    let session = signed_in();
    for (row, requests, response) in [
        ("header", 1, session.get(desk.url("/")).header("Authorization", "own")),
        ("B16", 1, session.get(desk.url("/")).basic_auth("a", "b")),
        ("RW-25 URL", 2, session.get(desk.url("/").replace("//", "//a:b@"))),
    ] {
        let before = desk.requests().len();
        assert_eq!(response.send().unwrap().status(), 401, "{row}");
        assert_eq!(desk.requests().len() - before, requests, "{row}");
    }
    let asked = desk.requests().len();
    // Clones know the same, also those of one request.
    let auth = DigestAuth::new(LOGIN.0, LOGIN.1);
    let plain = Session::new();
    assert_eq!(plain.get(desk.url("/")).auth(&auth).send().unwrap().status(), 200);
    assert_eq!(plain.get(desk.url("/")).auth(auth.clone()).send().unwrap().status(), 200);
    assert_eq!(desk.requests().len(), asked + 3);
    assert_eq!(plain.get(desk.url("/")).auth(DigestAuth::new(LOGIN.0, "wrong")).send().unwrap().status(), 401);
    assert_eq!(desk.requests().len(), asked + 5);
    let open = Server::with(|_| answers(ok("open")));
    assert_eq!(plain.get(open.url("/")).auth(&auth).send().unwrap().status(), 200);
    assert!(values(&open.seen.requests()[0], "Authorization").is_empty());
}

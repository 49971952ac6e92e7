//! The caller's own decision about redirects.

use std::io::Read;
use std::sync::{Arc, Mutex};

use hostpool::{
    Body, ConnectionPool, ErrorKind, PoolManager, RedirectAction, RedirectHop, RequestBuilder, Retry, Session,
};

use crate::support::{GIVE_UP, Server, Step, answers, ok};
use crate::{in_turn, line_server, redirect};

/// Notes what a function is told, and answers what the test says.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    fn then(
        &self,
        answer: impl Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync + 'static,
    ) -> impl Fn(&RedirectHop<'_>) -> RedirectAction + Send + Sync + 'static {
        let asked = self.clone();
        move |hop: &RedirectHop<'_>| {
            let (from, to) = (hop.from().path().to_owned(), hop.to().path().to_owned());
            let passed: Vec<_> = hop.history().iter().map(|head| head.url().path().to_owned()).collect();
            assert_eq!(hop.count(), passed.len());
            let method = format!("{}>{}", hop.method(), hop.next_method());
            asked.0.lock().unwrap().push(format!("{} {from}>{to} {method} {passed:?}", hop.status().as_u16()));
            answer(hop)
        }
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn what_it_is_told_and_what_it_says() {
    let serve = || line_server([redirect(307, "/b"), redirect(302, "/c"), redirect(303, "/d"), ok("there")]);
    let told = ["307 /a>/b POST>POST []", "302 /b>/c POST>GET [\"/a\"]", "303 /c>/d GET>GET [\"/a\", \"/b\"]"];
    let (asked, server) = (Asked::default(), serve());
    let session = Session::builder().redirect_when(asked.then(|_| RedirectAction::Follow)).build().unwrap();
    let response = session.post(server.url("/a")).data("x").send().unwrap();
    assert_eq!((response.url().path(), response.history().len()), ("/d", 3));
    assert_eq!(asked.taken(), told);

    let server = serve();
    let second = |hop: &RedirectHop<'_>| if hop.count() == 1 { RedirectAction::Stop } else { RedirectAction::Follow };
    let response = session.post(server.url("/a")).data("x").redirect_when(asked.then(second)).send().unwrap();
    assert_eq!((response.status().as_u16(), response.url().path(), response.history().len()), (302, "/b", 1));
    assert_eq!(response.text().unwrap(), "moved");
    assert_eq!(asked.taken(), told[..2], "the request's function replaces the session's");

    let server = serve();
    let second = |hop: &RedirectHop<'_>| if hop.count() == 1 { RedirectAction::Refuse } else { RedirectAction::Follow };
    let error = session.post(server.url("/a")).data("x").redirect_when(asked.then(second)).send().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidRedirect);
    assert!(error.to_string().contains("redirect_when refused it"), "{error}");
    let head = error.head().unwrap();
    assert_eq!((head.status().as_u16(), head.url().path(), error.history().len()), (302, "/b", 1));
    assert!(error.maybe_processed());
    assert_eq!(server.seen.requests().len(), 2);
}

/// No function allows what another rule refuses, or is asked about it.
#[test]
fn other_rules_come_first() {
    type Change = fn(RequestBuilder) -> RequestBuilder;
    let refused = || ErrorKind::InvalidRedirect;
    type Refused = Option<(ErrorKind, &'static str)>;
    let table: [(&str, &str, Change, Refused); 6] = [
        ("scheme", "ftp://h/", |r| r, Some((refused(), "it leads to another scheme than http(s)"))),
        ("socket", "http+unix://%2Fs/", |r| r, Some((refused(), "it leads to a local socket"))),
        ("max_redirects", "/x", |r| r.max_redirects(0), Some((ErrorKind::TooManyRedirects, "too many redirects"))),
        ("two Locations", "/x\r\nLocation: /y", |r| r, Some((refused(), "two Locations differ"))),
        ("no redirects", "/x", |r| r.allow_redirects(false), None),
        ("an empty Location", " ", |r| r, None),
    ];
    for (row, location, change, expected) in table {
        let (asked, server) = (Asked::default(), line_server([redirect(302, location), ok("there")]));
        let request = Session::new().get(server.url("/")).redirect_when(asked.then(|_| RedirectAction::Follow));
        match (change(request).send(), expected) {
            (Ok(response), None) => assert_eq!(response.status(), 302, "{row}"),
            (Err(error), Some((kind, why))) => {
                assert_eq!(error.kind(), &kind, "{row}");
                assert!(error.to_string().contains(why), "{row}: {error}");
            }
            (found, _) => panic!("{row}: {found:?}"),
        }
        assert!(asked.taken().is_empty(), "{row}");
    }
    let (asked, server) = (Asked::default(), line_server([redirect(302, "/x"), ok("there")]));
    let when = asked.then(|_| RedirectAction::Follow);
    let request = PoolManager::new().get(server.url("/")).retries(Retry::new(3).redirect(0)).redirect_when(when);
    assert_eq!(request.send().unwrap_err().kind(), &ErrorKind::TooManyRedirects);
    assert!(asked.taken().is_empty(), "a count of Retry");
}

/// The pools have it, too.
#[test]
fn of_a_pool() {
    let server = Server::with(|_| in_turn([redirect(302, "/b"), redirect(302, "/c"), ok("there")]));
    let asked = Asked::default();
    let stop = |hop: &RedirectHop<'_>| match hop.to().path() {
        "/c" => RedirectAction::Stop,
        _ => RedirectAction::Follow,
    };
    let pools = PoolManager::builder().redirect_when(asked.then(stop)).build().unwrap();
    assert_eq!(pools.get(server.url("/a")).send().unwrap().status(), 302);
    let pool = ConnectionPool::builder(server.url("")).redirect_when(asked.then(stop)).build().unwrap();
    assert_eq!(pool.get("/a").send().unwrap().status(), 302);
    let told = ["302 /a>/b GET>GET []", "302 /b>/c GET>GET [\"/a\"]"];
    assert_eq!(asked.taken(), [told, told].concat());
}

/// A redirect that comes while the body leaves is asked about once. The answer decides whether the body goes on.
#[test]
fn while_the_body_leaves() {
    // More than the buffers of any system hold.
    const SIZE: u64 = 40_000_000;
    let body = || Body::factory(|| Ok(std::io::repeat(b'x').take(SIZE)), SIZE);
    let target = Server::with(|_| answers(ok("there")));
    let (first, asked) = (redirect(307, &target.url("/b")), Asked::default());
    let steps = vec![Step::Head, Step::Send(first.clone()), Step::Hold];
    let server = Server::new(vec![steps]);
    let post = |server: &Server| Session::new().post(server.url("/a")).data(body()).timeout(GIVE_UP);
    let response = post(&server).redirect_when(asked.then(|_| RedirectAction::Follow)).send().unwrap();
    assert!(!response.history()[0].request_body_complete());
    assert_eq!(response.text().unwrap(), "there");
    assert_eq!(asked.taken(), ["307 /a>/b POST>POST []"]);

    let server = Server::new(vec![vec![Step::Head, Step::Send(first), Step::Body, Step::Tell("whole"), Step::Hold]]);
    let response = post(&server).redirect_when(asked.then(|_| RedirectAction::Stop)).send().unwrap();
    assert_eq!((response.status().as_u16(), response.request_body_complete()), (307, true));
    assert_eq!(asked.taken(), ["307 /a>/b POST>POST []"]);
    server.wait_for("whole");
}

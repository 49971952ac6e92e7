//! The caller's own code around requests.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostpool::{
    Bound, ConnectionPool, Error, ErrorKind, Method, Middleware, Next, PoolManager, Request, RequestBuilder, Response,
    Result, Session, Timeout, Url, middleware_fn,
};

use crate::support::{GIVE_UP, Server, Step, answers, header, ok};
use crate::{in_turn, line_server, redirect, values};

/// Writes its name down on the way in and on the way out.
#[derive(Clone)]
struct Named(&'static str, Arc<Mutex<Vec<String>>>);

impl Middleware for Named {
    fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        self.1.lock().unwrap().push(format!("{}-in", self.0));
        let response = next.run(request);
        self.1.lock().unwrap().push(format!("{}-out", self.0));
        response
    }
}

#[test]
fn order() {
    let log = Arc::<Mutex<Vec<String>>>::default();
    let named = |name| Named(name, log.clone());
    let server = line_server([redirect(302, "/next"), ok("there")]);
    let builder = Session::builder().with_middleware(named("a")).with_middleware(named("b"));
    let of_request = log.clone();
    let session = builder
        .on_request(move |request| {
            of_request.lock().unwrap().push(request.url().target());
            Ok(())
        })
        .build()
        .unwrap();
    let get = || session.get(server.url("/"));
    let without = || get().with_middleware(named("x")).without_middleware();
    let table: [(&str, hostpool::RequestBuilder, &[&str]); 5] = [
        // Middleware is around all hops, a hook before each.
        ("B256 B257", get(), &["a-in", "b-in", "/", "/next", "b-out", "a-out"]),
        ("B259", without().with_middleware(named("c")), &["c-in", "/", "c-out"]),
        ("B259 empty", without(), &["/"]),
        (
            "in addition to the session's",
            get().with_middleware(named("c")).with_middleware(named("d")),
            &["a-in", "b-in", "c-in", "d-in", "/", "d-out", "c-out", "b-out", "a-out"],
        ),
        ("of the session again", get(), &["a-in", "b-in", "/", "b-out", "a-out"]),
    ];
    for (row, request, expected) in table {
        log.lock().unwrap().clear();
        assert_eq!(request.send().unwrap().text().unwrap(), "there", "{row}");
        assert_eq!(*log.lock().unwrap(), expected, "{row}");
    }
}

/// Middleware of different types: a closure without written types, a function, a type, and pointers to a choice of them.
#[test]
fn of_different_types() {
    fn tagged(request: Request, next: Next<'_>) -> Result<Response> {
        added(request, next, "function")
    }
    fn added(mut request: Request, next: Next<'_>, by: &str) -> Result<Response> {
        request.headers_mut().append("X-By", by)?;
        next.run(request)
    }
    let log = Arc::<Mutex<Vec<String>>>::default();
    let boxed: Box<dyn Middleware> = Box::new(middleware_fn(|request, next| added(request, next, "box")));
    let shared: Arc<dyn Middleware> = Arc::new(middleware_fn(|request, next| added(request, next, "arc")));
    let server = line_server([ok("there")]);
    let session = Session::builder()
        .middleware(|request, next| added(request, next, "closure"))
        .middleware(tagged)
        .with_middleware(Named("a", log.clone()))
        .with_middleware(Arc::new(Named("shared", log.clone())))
        .with_middleware(shared.clone())
        .build()
        .unwrap();
    let prefix = "of the request ".to_owned();
    let request = session
        .get(server.url("/"))
        .middleware(move |request, next| added(request, next, &format!("{prefix}closure")))
        .with_middleware(boxed)
        .with_middleware(shared);
    assert_eq!(request.send().unwrap().text().unwrap(), "there");
    let expected = ["closure", "function", "arc", "of the request closure", "box", "arc"];
    assert_eq!(values(&server.seen.requests()[0], "X-By"), expected);
    assert_eq!(*log.lock().unwrap(), ["a-in", "shared-in", "shared-out", "a-out"]);
}

/// BA-08: the free functions take the caller's own code by each request.
#[test]
fn of_a_free_function() {
    let log = Arc::<Mutex<Vec<String>>>::default();
    let server = line_server([ok("there")]);
    let seen = log.clone();
    let replaced = move |mut request: Request, next: Next<'_>| {
        request.headers_mut().append("X-Added", "1")?;
        let response = next.run(request)?;
        seen.lock().unwrap().push(response.status().to_string());
        Ok(response)
    };
    let response = hostpool::get(server.url("/")).middleware(replaced).send().unwrap();
    assert_eq!(response.text().unwrap(), "there", "BA-08");
    assert_eq!(*log.lock().unwrap(), ["200 OK"], "BA-08");
    assert_eq!(values(&server.seen.requests()[0], "X-Added"), ["1"], "BA-08");
}

#[test]
fn a_request_that_is_refused() {
    let server = Server::with(|_| answers(ok("there")));
    let refuse = |_: Request, _: Next<'_>| Err(Error::custom("not on the list"));
    let table = [
        ("B260 middleware", Session::builder().middleware(refuse)),
        ("B260 hook", Session::builder().on_request(|_| Err(Error::custom("not on the list")))),
    ];
    for (row, builder) in table {
        let error = builder.build().unwrap().get(server.url("/")).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Custom, "{row}");
        assert!(error.to_string().contains("not on the list") && !error.maybe_processed(), "{row}: {error}");
    }
    assert_eq!(server.seen.accepted(), 0, "B260");
}

/// A guard that sees where redirects lead.
#[test]
fn redirects_are_seen_by_the_hook() {
    let server = Server::with(|_| answers(ok("secret")));
    let home = line_server([redirect(302, &server.url("/"))]);
    let port = home.addr.port();
    let session = Session::builder()
        .on_request(move |request| match request.url().origin().port() {
            Some(allowed) if allowed == port => Ok(()),
            _ => Err(Error::custom("not on the list")),
        })
        .build()
        .unwrap();
    let error = session.get(home.url("/")).send().unwrap_err();
    assert_eq!((error.kind(), error.history().len()), (&ErrorKind::Custom, 1));
    assert!(error.maybe_processed(), "the first request was answered");
    assert_eq!(error.origin(), Some(Url::parse(&server.url("/")).unwrap().origin()));
    assert_eq!(server.seen.accepted(), 0);
}

#[test]
fn a_request_that_is_sent_again() {
    let denied = b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".to_vec();
    let server = line_server([denied, ok("there")]);
    let fresh_token = |request: Request, next: Next<'_>| {
        let again = request.try_clone();
        let response = next.run(request)?;
        match again {
            Some(mut again) if response.status() == 401 => {
                drop(response);
                again.headers_mut().insert("Authorization", "Bearer fresh")?;
                next.run(again)
            }
            _ => Ok(response),
        }
    };
    let pools = PoolManager::builder().limit(1).build().unwrap();
    let session = Session::builder().connector(pools).middleware(fresh_token).build().unwrap();
    assert_eq!(session.get(server.url("/")).send().unwrap().text().unwrap(), "there");
    let sent: Vec<_> =
        server.seen.requests().iter().map(|request| values(request, "Authorization").join(",")).collect();
    assert_eq!(sent, ["", "Bearer fresh"]);
}

#[test]
fn responses_pass_the_hook() {
    let server = line_server([redirect(302, "/next"), ok("there")]);
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = seen.clone();
    let session = Session::builder()
        .on_response(move |response| {
            counter.fetch_add(1, Ordering::SeqCst);
            match response.headers().get("Content-Length") {
                Some("5") => Err(Error::custom("five")),
                _ => Ok(response),
            }
        })
        .build()
        .unwrap();
    assert_eq!(session.get(server.url("/")).send().unwrap_err().kind(), &ErrorKind::Custom, "CS-12");
    assert_eq!(seen.load(Ordering::SeqCst), 1, "CS-12: the last response alone");
    assert_eq!(session.connector().unwrap().stats().in_use, 0);
}

/// Time that the caller's own code takes counts, and is looked at on its return.
#[test]
fn code_that_takes_its_time() {
    let server = Server::with(|_| answers(ok("there")));
    let total = Duration::from_millis(30);
    let nap = move || std::thread::sleep(2 * total);
    let table = [
        (
            "B265 middleware",
            Session::builder().middleware(move |request: Request, next: Next<'_>| {
                nap();
                next.run(request)
            }),
        ),
        (
            "B265 on_request",
            Session::builder().on_request(move |_| {
                nap();
                Ok(())
            }),
        ),
    ];
    for (row, builder) in table {
        let session = builder.build().unwrap();
        // There is an idle connection, which takes no waiting.
        session.post(server.url("/")).data("first").send().unwrap().text().unwrap();
        let before = server.seen.requests().len();
        let error = session.post(server.url("/")).data("late").timeout(total).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Total), "{row}");
        assert!(!error.maybe_processed(), "{row}: {error}");
        session.post(server.url("/")).data("last").send().unwrap();
        let requests = server.seen.requests();
        assert!(!requests[before..].iter().any(|request| request.ends_with("late")), "{row}");
    }
}

/// A bound that the caller's own code sets holds, too.
#[test]
fn timeouts_that_are_set_on_the_way() {
    let server = Server::with(|_| vec![Step::Request, Step::UntilClosed]);
    let bound = || Some(Timeout::new().total(Duration::from_millis(50)).read(GIVE_UP));
    let middleware = Session::builder().middleware(move |mut request: Request, next: Next<'_>| {
        *request.timeout_mut() = bound();
        next.run(request)
    });
    let hook = Session::builder().on_request(move |request| {
        *request.timeout_mut() = bound();
        Ok(())
    });
    for (row, builder) in [("middleware", middleware), ("hook", hook)] {
        let error = builder.build().unwrap().get(server.url("/")).send().unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Total), "{row}");
    }
}

/// What the caller's code makes of an answer is an error about a request that was sent.
#[test]
fn errors_behind_an_answer() {
    let server = Server::with(|_| in_turn([redirect(307, "/next"), ok("there"), redirect(307, "/next"), ok("there")]));
    let refuse = || Error::custom("not like this");
    let gone = Url::parse("http://127.0.0.1:1/").unwrap();
    let table = [
        ("hook", Session::builder().on_response(move |_| Err(refuse())), 1),
        (
            "middleware",
            Session::builder().middleware(move |request: Request, next: Next<'_>| {
                next.run(request)?;
                Err(refuse())
            }),
            0,
        ),
        (
            "another request",
            Session::builder().middleware(move |request: Request, next: Next<'_>| {
                next.run(request)?;
                next.run(Request::new(hostpool::Method::POST, gone.clone()))
            }),
            0,
        ),
    ];
    for (row, builder, passed) in table {
        let session = builder.build().unwrap();
        let error = session.post(server.url("/")).data("once").send().unwrap_err();
        assert!(error.maybe_processed(), "{row}: {error}");
        assert_eq!(error.history().len(), passed, "{row}");
        assert!(error.origin().is_some(), "{row}");
        assert_eq!(session.connector().unwrap().stats().in_use, 0, "{row}");
    }
    let first = Session::builder().middleware(move |_: Request, _: Next<'_>| Err(refuse())).build().unwrap();
    assert!(!first.post(server.url("/")).send().unwrap_err().maybe_processed());
}

/// Whatever panics, the connection comes back and nothing is poisoned.
#[test]
fn panics() {
    let server = Server::with(|_| answers(ok("there")));
    let armed = Arc::new(Mutex::new(""));
    let is_armed = |name: &'static str| {
        let armed = armed.clone();
        move || assert!(*armed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) != name, "armed")
    };
    let (before, after, on_request, on_response) =
        (is_armed("before"), is_armed("after"), is_armed("on_request"), is_armed("on_response"));
    let pools = PoolManager::builder().limit(1).build().unwrap();
    let session = Session::builder()
        .connector(pools.clone())
        .middleware(move |request: Request, next: Next<'_>| {
            before();
            let response = next.run(request);
            after();
            response
        })
        .on_request(move |_| {
            on_request();
            Ok(())
        })
        .on_response(move |response| {
            on_response();
            Ok(response)
        })
        .build()
        .unwrap();
    for row in ["before", "after", "on_request", "on_response"] {
        *armed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = row;
        // A session says itself that it can be used after a panic.
        let (session, url) = (&session, server.url("/"));
        assert!(catch_unwind(move || session.get(url).send()).is_err(), "{row}");
        *armed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = "";
        assert_eq!(session.get(server.url("/")).send().unwrap().text().unwrap(), "there", "{row}");
        assert_eq!(pools.stats().in_use, 0, "{row}");
    }
}

/// A hook that puts another request in the place of its own decides where it goes: the server, the credentials and the
/// cookies are those of the new URL.
#[test]
fn a_hook_replaces_the_request() {
    let [one, other] = [Server::with(|_| answers(ok("one"))), Server::with(|_| answers(ok("other")))];
    let url = other.url("/other").replace("http://", "http://user:secret@");
    let session = Session::builder().on_request(move |request| {
        *request = Request::new(Method::GET, Url::parse(&url)?);
        Ok(())
    });
    let response = session.build().unwrap().get(one.url("/one")).send().unwrap();
    assert_eq!(response.text().unwrap(), "other");
    assert_eq!(one.seen.requests(), Vec::<String>::new());
    let seen = other.seen.requests();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].starts_with("GET /other HTTP/1.1\r\n"), "{seen:?}");
    assert_eq!(header(&seen[0], "Authorization"), Some("Basic dXNlcjpzZWNyZXQ="));
}

/// A pool has one host. It refuses a request for another that a hook puts in the place of its own, and sends nothing.
#[test]
fn a_hook_of_a_pool_replaces_the_request() {
    let home = Server::with(|_| answers(ok("home")));
    for url in ["https://user:secret@other.example/private", "http://127.0.0.2:1/"] {
        let pool = ConnectionPool::builder(home.url("")).on_request(move |request| {
            *request = Request::new(Method::GET, Url::parse(url)?);
            Ok(())
        });
        let error = pool.build().unwrap().get("/x").send().unwrap_err();
        assert_eq!((error.kind(), error.maybe_processed()), (&ErrorKind::HostChanged, false), "{url}");
    }
    assert_eq!(home.seen.requests(), Vec::<String>::new());
}

/// Panics as it is dropped.
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            resume_unwind(Box::new("on purpose"));
        }
    }
}

/// The caller's code of a request may panic as it is dropped. The connection is given back all the same.
#[test]
fn code_of_a_request_that_panics_as_it_is_dropped() {
    type Give = fn(RequestBuilder) -> RequestBuilder;
    let ways: [(&str, Give); 2] = [
        ("progress", |request| {
            let fragile = Fragile;
            request.on_upload_progress(move |_, _| {
                let _held = &fragile;
            })
        }),
        ("middleware", |request| {
            let fragile = Fragile;
            request.middleware(move |request, next| {
                let _held = &fragile;
                next.run(request)
            })
        }),
    ];
    for preload in [false, true] {
        for (row, give) in ways {
            let server = Server::with(|_| answers(ok("body")));
            let manager = PoolManager::builder().maxsize(1).block(true).build().unwrap();
            let request = manager.request(Method::POST, server.url("/")).data("hello").preload_content(preload);
            let sent = catch_unwind(AssertUnwindSafe(|| give(request).send()));
            assert!(sent.is_err(), "{row}");
            assert_eq!(manager.stats().in_use, 0, "{row}, preload: {preload}");
        }
    }
}

/// A hook or middleware may wait for the end of what the progress function tells: the function is dropped before there
/// is a response.
#[test]
fn the_progress_ends_before_the_response() {
    let server = Server::with(|_| answers(ok("body")));
    let ended = Arc::<Mutex<Option<Receiver<u64>>>>::default();
    let waits = |ended: &Arc<Mutex<Option<Receiver<u64>>>>| {
        let tells = ended.lock().unwrap().take().unwrap();
        while let Ok(_sent) = tells.try_recv() {}
        assert_eq!(tells.try_recv(), Err(TryRecvError::Disconnected));
    };
    let (of_hook, of_middleware) = (ended.clone(), ended.clone());
    let by_hook = Session::builder().on_response(move |response| {
        waits(&of_hook);
        Ok(response)
    });
    let by_middleware = Session::builder().middleware(move |request: Request, next: Next<'_>| {
        let response = next.run(request)?;
        waits(&of_middleware);
        Ok(response)
    });
    for session in [by_hook.build().unwrap(), by_middleware.build().unwrap()] {
        let (tell, told) = channel();
        *ended.lock().unwrap() = Some(told);
        let request = session.post(server.url("/")).data("hello").timeout(Timeout::new());
        let tell = move |sent, _| {
            let _ = tell.send(sent);
        };
        request.on_upload_progress(tell).send().unwrap();
        assert!(ended.lock().unwrap().is_none(), "it was waited for");
    }
}

/// What the middleware of a row does.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Passes the request on.
    Pass,
    /// Passes it on with this setting of `raise_for_status`.
    Set(Option<bool>),
    /// Answers 404 by itself.
    Answer,
    /// Passes it on, and makes a response of its own with the status that comes back.
    Remake,
    /// Sends it by a client of its own, which raises nothing and has middleware.
    Detour,
}

impl Middleware for Does {
    fn handle(&self, mut request: Request, next: Next<'_>) -> Result<Response> {
        match *self {
            Does::Pass => next.run(request),
            Does::Set(raise) => {
                *request.raise_for_status_mut() = raise;
                next.run(request)
            }
            Does::Answer => Response::builder().status(404).build(),
            Does::Remake => Response::builder().status(next.run(request)?.status()).build(),
            Does::Detour => Session::builder().with_middleware(Does::Pass).build()?.execute(request),
        }
    }
}

/// The request that is sent says whether a status is an error. A response that middleware makes is judged by the request
/// that the middleware was given.
#[test]
fn whose_raise_for_status_holds() {
    use Does::{Answer, Detour, Pass, Remake, Set};
    const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nnowhere";
    let server = Server::with(|_| answers(NOT_FOUND));
    let (on, off) = (Set(Some(true)), Set(Some(false)));
    // The client's setting, the request's own, and the middleware, outermost first.
    let table: [(bool, Option<bool>, &[Does], bool); 17] = [
        (true, None, &[Pass], true),
        (false, None, &[Pass], false),
        (true, None, &[off], false),
        (false, Some(true), &[off], false),
        (false, None, &[on], true),
        (true, Some(false), &[on], true),
        (true, Some(false), &[Set(None)], true),
        (true, None, &[on, off], false),
        (true, None, &[off, on], true),
        (true, None, &[Answer], true),
        (true, Some(false), &[Answer], false),
        (true, None, &[off, Answer], false),
        (false, None, &[on, Answer], true),
        (true, None, &[Remake, off], true),
        (true, None, &[off, Remake], false),
        (true, None, &[Detour], true),
        (true, None, &[off, Detour], false),
    ];
    for (client, own, middleware, expected) in table {
        let session = Session::builder().raise_for_status(client);
        let session = middleware.iter().fold(session, |builder, one| builder.with_middleware(*one)).build().unwrap();
        let request = session.get(server.url("/"));
        let request = if let Some(own) = own { request.raise_for_status(own) } else { request };
        let (row, result) = (format!("{client} {own:?} {middleware:?}"), request.send());
        assert_eq!(result.is_err(), expected, "{row}");
        let status = result.map_or_else(|error| error.status(), |response| Some(response.status()));
        assert_eq!(status.unwrap(), 404, "{row}");
    }
}

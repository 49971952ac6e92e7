//! Many requests at once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use hostpool::{Bound, CancelToken, ConnectionPool, ErrorKind, PoolManager, Session};

use crate::Echo;
use crate::support::{Server, answers, eventually, ok, without_hanging};

/// Thirty of five hundred fail, in several ways. Each has its place and its URL, and no other is lost or stopped.
#[test]
fn thirty_failures_of_five_hundred() {
    let server = Echo::new();
    let session = Session::builder().build().unwrap();
    let path = |n: usize| match n % 50 {
        7 => format!("/cut/{n}"),
        23 => format!("/panic/{n}"),
        41 => format!("/status/{n}"),
        _ => format!("/{n}"),
    };
    for in_order in [true, false] {
        let requests = (0..500).map(|n| session.get(server.url(&path(n))));
        let batch = session.batch(requests).read_with(|response| match response.url().path().split('/').nth(1) {
            Some("panic") => panic!("on the worker"),
            Some("status") => Err(hostpool::Error::custom("not good enough")),
            _ => response.text(),
        });
        let batch = if in_order { batch } else { batch.as_completed() };
        assert_eq!(batch.size_hint(), (500, Some(500)));
        let mut results: Vec<_> = batch.collect();
        if in_order {
            assert!(results.iter().map(|(place, _)| *place).eq(0..500));
        }
        results.sort_by_key(|(place, _)| *place);
        assert!(results.iter().map(|(place, _)| *place).eq(0..500));
        let mut failures = 0;
        for (place, result) in results {
            match result {
                Ok(text) => assert_eq!(text, path(place)),
                Err(error) => {
                    assert_eq!(error.url().unwrap().path(), path(place));
                    let kind = [ErrorKind::Disconnected, ErrorKind::Panicked, ErrorKind::Custom][failures % 3].clone();
                    assert_eq!(*error.kind(), kind, "{place}");
                    failures += 1;
                }
            }
        }
        assert_eq!(failures, 30);
    }
}

/// An endless list is taken at most the width ahead of the results, and no more requests are under way.
#[test]
fn an_endless_list() {
    let server = Echo::new();
    let session = Session::new();
    for in_order in [true, false] {
        let (pulled, returned) = (Cell::new(0), Cell::new(0));
        let requests = std::iter::repeat_with(|| {
            pulled.set(pulled.get() + 1);
            assert!(pulled.get() - returned.get() <= 3);
            session.get(server.url("/"))
        });
        let batch = session.batch(requests).width(3);
        let mut batch = if in_order { batch } else { batch.as_completed() };
        assert_eq!(pulled.get(), 0);
        for _ in 0..50 {
            let (_, result) = batch.next().unwrap();
            assert_eq!(result.unwrap().text().unwrap(), "/");
            assert!(pulled.get() <= returned.get() + 3);
            returned.set(returned.get() + 1);
        }
        assert_eq!(batch.size_hint().1, None);
    }
}

/// So many requests are at the server at once as the width and the workers of the client allow.
#[test]
fn the_width() {
    let server = Echo::new();
    for (workers, width, at_once) in [(1, None, 1), (4, None, 4), (2, Some(8), 2), (8, Some(3), 3), (8, Some(0), 1)] {
        let session = Session::builder().workers(workers).build().unwrap();
        let before = server.paths().len();
        let requests: Vec<_> = (0..8).map(|n| session.get(server.url(&format!("/hold/{n}")))).collect();
        let batch = session.batch(requests).as_completed();
        let batch = match width {
            Some(width) => batch.width(width),
            None => batch,
        };
        std::thread::scope(|scope| {
            let results = scope.spawn(move || batch.map(|(place, result)| (place, result.is_ok())).collect());
            for begun in 0..8 {
                let there = before + (begun + at_once).min(8);
                server.has(there);
                let paths = server.paths();
                assert_eq!(paths.len(), there);
                server.release(&paths[before + begun]);
            }
            let mut results: Vec<(usize, bool)> = results.join().unwrap();
            results.sort();
            assert!(results.iter().copied().eq((0..8).map(|place| (place, true))), "{results:?}");
        });
    }
}

/// Results come as they are completed, or in order: then one that is late holds up those after it.
#[test]
fn orders() {
    let server = Echo::new();
    let session = Session::new();
    let requests = || ["/hold", "/b", "/c"].map(|path| session.get(server.url(path)));
    let mut batch = session.batch(requests()).as_completed();
    let early: Vec<usize> = batch.by_ref().take(2).map(|(place, _)| place).collect();
    assert!(early == [1, 2] || early == [2, 1], "{early:?}");
    server.release("/hold");
    let (place, result) = batch.next().unwrap();
    assert_eq!((place, result.unwrap().text().unwrap().as_str()), (0, "/hold"));
    assert!(batch.next().is_none() && batch.next().is_none());

    server.release("/hold");
    let results: Vec<_> = session.batch(requests()).map(|(place, result)| (place, result.unwrap())).collect();
    assert!(results.iter().map(|(place, _)| *place).eq(0..3));
}

/// Requests that follow from results: the list is asked again as long as results are to come.
#[test]
fn requests_that_depend_on_results() {
    let server = Echo::new();
    let session = Session::new();
    for in_order in [true, false] {
        // Each number leads to two others, up to 63.
        let queue = RefCell::new(VecDeque::from([1]));
        let requests = std::iter::from_fn(|| {
            let next = queue.borrow_mut().pop_front()?;
            Some(session.get(server.url(&format!("/{next}"))))
        });
        let batch = session.batch(requests).width(4);
        let batch = if in_order { batch } else { batch.as_completed() };
        let mut seen = Vec::new();
        for (_, result) in batch {
            let number: usize = result.unwrap().text().unwrap()[1..].parse().unwrap();
            seen.push(number);
            queue.borrow_mut().extend([2 * number, 2 * number + 1].into_iter().filter(|next| *next < 64));
        }
        seen.sort();
        assert!(seen.into_iter().eq(1..64));
    }
}

/// Dropping the iterator ends what is at the server, and what waits for a thread is not sent.
#[test]
fn a_dropped_batch() {
    let server = Echo::new();
    let session = Session::builder().workers(2).build().unwrap();
    let blocker = session.submit(session.get(server.url("/hold/blocker")));
    server.has(1);
    let paths = ["/now", "/hold/1", "/hold/2", "/hold/3"];
    // The other worker takes one after the other.
    let mut batch = session.batch(paths.map(|path| session.get(server.url(path)))).width(2).as_completed();
    assert_eq!(batch.next().unwrap().1.unwrap().text().unwrap(), "/now");
    server.has(3);
    drop(batch);
    server.lost(1);
    server.release("/hold/blocker");
    assert_eq!(blocker.wait().unwrap().text().unwrap(), "/hold/blocker");
    assert_eq!(session.submit(session.get(server.url("/after"))).wait().unwrap().status(), 200);
    let seen = server.paths();
    assert!(!seen.contains(&"/hold/3".to_owned()) && !seen.contains(&"/hold/2".to_owned()), "{seen:?}");
}

/// The deadline of a token ends requests that wait for a thread, although no thread is free to say so.
#[test]
fn requests_that_wait_too_long() {
    let server = Echo::new();
    let session = Session::builder().workers(1).build().unwrap();
    let blocker = session.submit(session.get(server.url("/hold")));
    server.has(1);
    for as_completed in [true, false] {
        let token = CancelToken::with_timeout(Duration::from_millis(20));
        let batch = session.batch(["/1", "/2", "/3"].map(|path| session.get(server.url(path)).cancel_with(&token)));
        let batch = if as_completed { batch.as_completed() } else { batch };
        let results: Vec<_> = without_hanging(move || batch.collect());
        assert!(results.iter().map(|(place, _)| *place).eq(0..3));
        for (_, result) in results {
            assert_eq!(result.unwrap_err().kind(), &ErrorKind::Timeout(Bound::Token));
        }
    }
    server.release("/hold");
    blocker.wait().unwrap();
    assert_eq!(server.paths(), ["/hold"]);
}

/// Results that wait for their turn hold no connection, so a limit below the width does not block a batch.
#[test]
fn fewer_connections_than_workers() {
    let body = "x".repeat(300_000);
    let server = Server::with(move |_| answers(ok(&body)));
    let pool = ConnectionPool::builder(server.url("")).limit(2).build().unwrap();
    without_hanging(move || {
        let sent: Vec<_> = pool.batch((0..40).map(|_| pool.get("/"))).collect();
        assert!(sent.iter().all(|(_, result)| result.as_ref().is_ok_and(|response| response.data().is_some())));
        assert_eq!(pool.stats().idle, 2);
    });
    assert_eq!(server.seen.peak(), 2);
}

/// Unread responses come only on demand, and requests that want no body get none.
#[test]
fn what_is_read() {
    let server = Server::with(|_| answers(ok(&"x".repeat(300_000))));
    let manager = PoolManager::new();
    let url = server.url("/");
    let (_, unread) = manager.batch([manager.get(&url)]).read_with(Ok).next().unwrap();
    assert!(unread.unwrap().connection().is_some());
    let (_, released) = manager.batch([manager.get(&url).release_conn(true)]).next().unwrap();
    assert_eq!(released.unwrap().data(), None);
    let (_, long) = manager.batch([manager.get(&url).max_body(1000)]).next().unwrap();
    assert_eq!(long.unwrap_err().code(), "limit_exceeded");
}

/// A result that was returned is the caller's: the end of its batch does not reach it, and the caller's own token does.
#[test]
fn results_that_outlive_their_batch() {
    let server = Server::with(|_| answers(ok(&"x".repeat(300_000))));
    let session = Session::new();
    let (url, token) = (server.url("/"), CancelToken::new());
    let list = (0..100).map(|n| if n == 3 { session.get(&url).cancel_with(&token) } else { session.get(&url) });
    let mut batch = session.batch(list).width(2).read_with(|response| Ok(Some(response)));
    // Neither is known to be a response: each keeps the token by which its batch ends it.
    let mut kept: Vec<_> = batch.by_ref().take(2).map(|(_, response)| response.unwrap().unwrap()).collect();
    drop(batch);
    let list = (2..100).map(|n| if n == 3 { session.get(&url).cancel_with(&token) } else { session.get(&url) });
    let mut batch = session.batch(list).width(2).read_with(Ok);
    kept.extend(batch.by_ref().take(2).map(|(_, response)| response.unwrap()));
    drop(batch);
    token.cancel();
    assert_eq!(kept.pop().unwrap().text().unwrap_err().kind(), &ErrorKind::Cancelled);
    assert!(kept.into_iter().all(|response| response.text().unwrap().len() == 300_000));
}

/// With many requests under way, some of them are given to the workers together. None is lost, in either order.
#[test]
fn many_results() {
    let server = Echo::new();
    let session = Session::builder().workers(4).build().unwrap();
    for as_completed in [false, true] {
        let batch = session.batch((0..2000).map(|n| session.get(server.url(&format!("/{n}")))));
        let batch = if as_completed { batch.as_completed() } else { batch };
        let mut places: Vec<usize> = batch
            .map(|(place, result)| {
                assert_eq!(result.unwrap().text().unwrap(), format!("/{place}"));
                place
            })
            .collect();
        if as_completed {
            places.sort_unstable();
        }
        assert_eq!(places, (0..2000).collect::<Vec<_>>());
    }
}

/// A list that waits until the requests it gave before are answered: none of them is held back meanwhile.
#[test]
fn a_list_that_waits_for_its_requests() {
    let texts = without_hanging(|| {
        let server = Echo::new();
        let session = Session::builder().workers(1).build().unwrap();
        let ((tell, told), (give, given), (open, gate)) = (mpsc::channel(), mpsc::channel(), mpsc::channel());
        let (read, gate) = (Arc::new(AtomicUsize::new(0)), Mutex::new(gate));
        let producer = {
            let (session, url) = (session.clone(), server.url("/"));
            thread::spawn(move || {
                (0..17).for_each(|_| give.send(session.get(&url)).unwrap());
                (0..17).for_each(|_| told.recv().unwrap());
                for _ in 0..20 {
                    give.send(session.get(&url)).unwrap();
                    told.recv().unwrap();
                }
            })
        };
        let count = read.clone();
        let mut batch = session.batch(given).width(16).read_with(move |response| {
            let text = response.text();
            let _ = tell.send(());
            if count.fetch_add(1, Ordering::SeqCst) == 8 {
                let _ = gate.lock().unwrap().recv();
            }
            text
        });
        // The reader of the batch knows of eight results, and not of those that come after them.
        let mut texts: Vec<_> = batch.next().into_iter().collect();
        eventually("half of the answers", || read.load(Ordering::SeqCst) == 9);
        texts.extend(batch.next());
        open.send(()).unwrap();
        eventually("the other answers", || read.load(Ordering::SeqCst) == 17);
        texts.extend(batch);
        producer.join().unwrap();
        texts.into_iter().map(|(_, text)| text.unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(texts, vec!["/"; 37]);
}

//! A token that fires in the moment in which the response arrives. Complete data wins, and the connection's next user
//! is never hit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hostpool::{CancelToken, ConnectionPool, Method};

use crate::support::{GIVE_UP, Server, Step, answer, answers, eventually, ok, without_hanging};

/// Enough of them to meet every order of the two, also on one core.
const ROUNDS: usize = 3000;

/// Responses without a body: the connection goes back as soon as the head has arrived. Another thread waits for it.
#[test]
fn zero_length_answers() {
    let heads = [
        (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n"),
        (Method::GET, "HTTP/1.1 304 Not Modified\r\n\r\n"),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
    ];
    for (method, head) in heads {
        let server = Server::with(move |_| answers(head));
        let pool = ConnectionPool::builder(server.url("")).limit(1).retries(0).build().unwrap();
        let (pool, begun) = (&pool, &AtomicUsize::new(0));
        let (mut served, mut cancelled) = (0, 0);
        thread::scope(|scope| {
            // Calls without a token, which wait for the same connection. None of them may fail.
            let others = scope.spawn(move || {
                let mut count = 0;
                while begun.load(Ordering::SeqCst) < ROUNDS {
                    let response = pool.request(Method::HEAD, "/other").retry_stale(false).timeout(GIVE_UP).send();
                    response.unwrap_or_else(|error| panic!("the next user was hit: {error:?}"));
                    count += 1;
                }
                count
            });
            for round in 0..ROUNDS {
                let token = CancelToken::new();
                let firing = scope.spawn({
                    let token = token.clone();
                    move || {
                        (0..round % 50 * 20).for_each(|_| std::hint::spin_loop());
                        token.cancel();
                    }
                });
                match pool.request(method.clone(), "/").cancel_with(&token).timeout(GIVE_UP).send() {
                    Ok(response) => {
                        assert!(response.connection().is_none());
                        served += 1;
                    }
                    Err(error) => {
                        assert!(error.is_cancelled(), "{error:?}");
                        cancelled += 1;
                    }
                }
                firing.join().unwrap();
                begun.store(round + 1, Ordering::SeqCst);
            }
            assert!(others.join().unwrap() > 0);
        });
        assert_eq!(served + cancelled, ROUNDS);
        let stats = pool.stats();
        assert_eq!((stats.in_use, stats.waiting, stats.dialing), (0, 0, 0), "{method} {head}");
    }
}

/// A body that has arrived with its head can be read after the fire; a wait for more fails.
#[test]
fn data_that_is_there() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec();
    let server =
        Server::new(vec![[answer(ok("whole")), vec![Step::Request, Step::Send(half), Step::UntilClosed]].concat()]);
    let pool = ConnectionPool::builder(server.url("")).limit(1).build().unwrap();
    let token = CancelToken::new();
    let whole = pool.get("/").cancel_with(&token).send().unwrap();
    token.cancel();
    assert_eq!(whole.text().unwrap(), "whole");
    assert_eq!(pool.stats().idle, 1, "the connection was not touched");

    let token = CancelToken::new();
    let half = pool.get("/").cancel_with(&token).send().unwrap();
    token.cancel();
    let error = without_hanging(move || half.bytes()).unwrap_err();
    assert!(error.is_cancelled(), "{error:?}");
    assert_eq!(pool.stats().open, 0);
}

/// A token that serves call after call does not reach back: an idle connection of an ended call stays open.
#[test]
fn calls_that_have_ended() {
    let server = Server::with(|_| answers(ok("fine")));
    let pool = ConnectionPool::builder(server.url("")).build().unwrap();
    let token = CancelToken::new();
    for _ in 0..3 {
        assert_eq!(pool.get("/").cancel_with(&token).send().unwrap().text().unwrap(), "fine");
    }
    token.cancel();
    assert_eq!((pool.stats().idle, server.seen.accepted()), (1, 1));
    assert!(pool.get("/").cancel_with(&token).send().is_err());
    assert_eq!(pool.get("/").send().unwrap().text().unwrap(), "fine");
    assert_eq!((pool.stats().idle, server.seen.accepted()), (1, 1));
}

/// A grant that comes with the fire is not lost, and its connection is not closed.
#[test]
fn a_grant_in_the_moment_of_the_fire() {
    let server = Server::with(|_| answers(ok("fine")));
    let pool = ConnectionPool::builder(server.url("")).limit(1).build().unwrap();
    for round in 0..300 {
        let token = CancelToken::new();
        let held = pool.get("/").send().unwrap();
        let waiter = thread::spawn({
            let request = pool.get("/").cancel_with(&token).timeout(GIVE_UP);
            move || request.send()?.text()
        });
        eventually("the waiter", || pool.stats().waiting == 1);
        let firing = thread::spawn(move || {
            (0..round * 10).for_each(|_| std::hint::spin_loop());
            token.cancel();
        });
        // Reads to the end, and so gives the connection to the waiter.
        assert_eq!(held.text().unwrap(), "fine");
        match waiter.join().unwrap() {
            Ok(text) => assert_eq!(text, "fine"),
            Err(error) => assert!(error.is_cancelled(), "{error:?}"),
        }
        firing.join().unwrap();
        assert_eq!((pool.stats().in_use, pool.stats().waiting), (0, 0));
    }
}

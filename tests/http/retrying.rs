//! What is tried again, and what must not be.

use std::time::Duration;

use hostpool::{ErrorKind, Method, PoolManager, Retry, RetryBudget, RetryCount};

use crate::support::{Server, Step, answer, answers, ok};
use crate::{broken, headers};

/// Though its preloaded body breaks off.
#[test]
fn preloaded_post_is_sent_once() {
    let server = Server::new(vec![broken("200 OK\r\nContent-Length: 10", "01234")]);
    let http = PoolManager::new();
    let error = http.urlopen(Method::POST, server.url("/")).data("x").send().unwrap_err();
    assert!(error.maybe_processed());
    assert_eq!(server.seen.requests().len(), 1);
}

/// A wait that no clock can hold is not begun.
#[test]
fn a_wait_without_end_is_no_closed_pool() {
    let server = Server::new(vec![answers(
        "HTTP/1.1 503 Busy\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n",
    )]);
    let retry = Retry::new(1).retry_after_max(Duration::MAX);
    let result = PoolManager::new().get(server.url("/")).retries(retry).send();
    if let Err(error) = result {
        assert_ne!(error.kind(), &ErrorKind::Closed, "nobody closed it");
    }
}

/// A status that is in no list is no error, also where its `Retry-After` outlasts the deadline.
#[test]
fn a_status_that_is_in_no_list_is_the_answer() {
    let server = Server::new(vec![answers("HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 4\r\n\r\nbusy")]);
    let http = PoolManager::new();
    let none_left = http.get(server.url("/")).retries(0).send().unwrap();
    assert_eq!(none_left.status(), 503);
    let late = http.get(server.url("/")).timeout(Duration::from_secs(10)).send();
    assert_eq!(late.map(|response| response.status().as_u16()).map_err(|error| error.kind().clone()), Ok(503));
}

/// The same with an empty budget.
#[test]
fn a_status_that_is_in_no_list_is_the_answer_without_a_budget() {
    let server = Server::new(vec![answers("HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy")]);
    let retry = Retry::new(3).budget(&RetryBudget::new(0));
    let result = PoolManager::new().get(server.url("/")).retries(retry).send();
    assert_eq!(result.map(|response| response.status().as_u16()).map_err(|error| error.kind().clone()), Ok(503));
}

/// What is kept of tries is bounded, whatever a server does.
#[test]
fn the_history_of_tries_is_bounded() {
    let server = Server::with(move |_| {
        let busy = answer("HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n");
        let mut steps = Vec::new();
        (0..2000).for_each(|_| steps.extend(busy.clone()));
        steps.extend(answer(ok("done")));
        steps
    });
    let retry = Retry::new(RetryCount::Unlimited).connect(5);
    let path = "x".repeat(1000);
    let response = PoolManager::new().get(server.url(&format!("/{path}"))).retries(retry).send().unwrap();
    let len = response.retries().unwrap().history().len();
    assert!(len <= 256, "{len} attempts are kept");
}

/// A key that is not sent to this origin does not make a POST repeatable there.
#[test]
fn a_key_that_stays_behind_keys_nothing() {
    let there = Server::new(vec![vec![Step::Request]]);
    let here = Server::new(vec![answer(format!(
        "HTTP/1.1 307 There\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        there.url("/")
    ))]);
    let retry = Retry::new(5).remove_headers_on_redirect(["Idempotency-Key"]);
    let http = PoolManager::builder().headers(headers(&[("Idempotency-Key", "7")])).retries(retry).build().unwrap();
    http.post(here.url("/")).data("pay").send().unwrap_err();
    let requests = there.seen.requests();
    assert_eq!(requests.len(), 1, "{requests:#?}");
}

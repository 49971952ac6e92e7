//! How often a request on a kept connection asks for memory, exactly.
//!
//! The counting allocator is why this target may use `unsafe`.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Read;

use hostpool::{Session, Timeout};
use support::{PATIENCE, Server, answers};

struct Counting;

thread_local! {
    static COUNT: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: usize) {
    // A thread that is ending has no counter any more, and is not the one that is measured.
    let _ = COUNT.try_with(|count| {
        let (calls, sum) = count.get();
        count.set((calls + 1, sum + bytes));
    });
}

// SAFETY: every call is the system allocator's, with the arguments it was given.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls and bytes of this thread for one run of `work`, after some to warm up: always the same.
fn measure(mut work: impl FnMut()) -> (usize, usize) {
    (0..5).for_each(|_| work());
    let mut seen = Vec::with_capacity(20);
    for _ in 0..20 {
        let before = COUNT.get();
        work();
        let after = COUNT.get();
        seen.push((after.0 - before.0, after.1 - before.1));
    }
    assert!(seen.iter().all(|run| *run == seen[0]), "{seen:?}");
    seen[0]
}

fn response(fields: usize, body: &str) -> String {
    let fields: String = (0..fields).map(|n| format!("X-Header-Number-{n}: value of it\r\n")).collect();
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_small_get_on_a_kept_connection() {
    let body = "x".repeat(100);
    let server = Server::new(vec![answers(response(7, &body))]);
    let url = server.url("/path");
    let session = Session::new();
    let mut buf = [0; 256];
    let (calls, bytes) = measure(|| {
        let mut response = session.get(&*url).send().unwrap();
        let mut len = 0;
        while let n @ 1.. = response.read(&mut buf[len..]).unwrap() {
            len += n;
        }
        assert_eq!(len, 100);
    });
    // The URL's text, the response head's bytes, and where its fields stand.
    assert_eq!(calls, 3);
    assert!(bytes <= 1024, "{bytes}");
    let (calls, bytes) = measure(|| assert_eq!(session.get(&*url).send().unwrap().bytes().unwrap().len(), 100));
    // The same, and the body.
    assert_eq!(calls, 4);
    assert!(bytes <= 1024, "{bytes}");
}

#[test]
fn timeouts_and_many_fields_cost_no_further_one() {
    let bounds =
        Timeout::new().total(PATIENCE).pool(PATIENCE).connect(PATIENCE).write(PATIENCE).head(PATIENCE).read(PATIENCE);
    for fields in [7, 60] {
        let server = Server::new(vec![answers(response(fields, "small"))]);
        let url = server.url("/path");
        let session = Session::builder().timeout(bounds).build().unwrap();
        let (calls, _) = measure(|| drop(session.get(&*url).send().unwrap().bytes().unwrap()));
        assert_eq!(calls, 4, "{fields} fields");
    }
}

#[test]
fn a_large_body_costs_no_more_than_a_small_one() {
    let chunk = format!("{:x}\r\n{}\r\n", 100_000, "x".repeat(100_000));
    let chunked = |n| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(n));
    let mut calls = Vec::new();
    for bytes in [response(7, "small"), response(7, &"x".repeat(4_000_000)), chunked(1), chunked(40)] {
        let server = Server::new(vec![answers(bytes)]);
        let url = server.url("/path");
        let session = Session::new();
        let mut buf = vec![0; 64 * 1024];
        calls.push(
            measure(|| {
                let mut response = session.get(&*url).send().unwrap();
                while response.read(&mut buf).unwrap() > 0 {}
            })
            .0,
        );
    }
    assert_eq!(calls, [3, 3, 3, 3]);
}

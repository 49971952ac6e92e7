//! A server that fails now and then, and a client that does not.
//!
//! `cargo run --example retries` starts an http server of its own on loopback. In turn it closes the connection without
//! an answer, says 503, stops in the middle of a body, and answers.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hostpool::{Attempt, Jitter, Method, PoolManager, Retry, RetryBudget, RetryCause};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = serve()?;
    let budget = RetryBudget::new(20);
    let retry = Retry::new(5)
        .status_forcelist([503])
        .backoff_factor(Duration::from_millis(20))
        .jitter(Jitter::Decorrelated)
        .budget(&budget);
    let http = PoolManager::builder().retries(retry).build()?;

    println!("A GET may be sent again, whatever happened:");
    for _ in 0..2 {
        // `urlopen` reads the body before it returns, so that one which breaks off is tried again, too.
        let response = http.urlopen(Method::GET, &url).send()?;
        response.retries().into_iter().flat_map(Retry::history).for_each(show);
        println!("  {}", response.text()?);
    }

    println!("A POST may not, once a byte of it has left:");
    let error = http.urlopen(Method::POST, &url).data("a payment").send().expect_err("the connection was closed");
    println!("  {error}\n  may have been processed: {}", error.maybe_processed());

    println!("With a key the server can tell repetitions from new requests:");
    let request = http.urlopen(Method::POST, &url).data("a payment").header("Idempotency-Key", "7");
    let response = request.send()?;
    response.retries().into_iter().flat_map(Retry::history).for_each(show);
    println!("  {}", response.text()?);

    println!("Retries left for all calls together: {}", budget.left());
    Ok(())
}

fn show(attempt: &Attempt) {
    let why = match attempt.cause() {
        RetryCause::Status(status) => status.to_string(),
        RetryCause::Error { kind, .. } => kind.to_string(),
        other => format!("{other:?}"),
    };
    println!("  {} again after {:.1?}: {why}", attempt.method(), attempt.waited());
}

fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    let turn = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let turn = turn.clone();
            thread::spawn(move || answer(stream, &turn));
        }
    });
    Ok(url)
}

/// One request a connection, and what its turn brings.
fn answer(mut stream: TcpStream, turn: &AtomicUsize) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    io::copy(&mut io::Read::take(reader, length), &mut io::sink())?;
    let close = "Connection: close\r\n\r\n";
    match turn.fetch_add(1, Ordering::SeqCst) % 4 {
        0 => Ok(()),
        1 => write!(stream, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n{close}"),
        2 => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n{close}half"),
        _ => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n{close}the whole"),
    }
}

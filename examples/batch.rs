//! Many requests at once: in order, as they are completed, and with work on the threads of the session.
//!
//! `cargo run --example batch` talks to an http server of its own on loopback. The server is slow, knows a small site of
//! pages that link to each other, and breaks off some responses.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{Result, Session};

/// What each response takes.
const TIME: Duration = Duration::from_millis(20);

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let session = Session::builder().base_url(&serve()?).workers(8).build()?;

    println!("One hundred requests of {TIME:?}, eight at once:");
    let started = Instant::now();
    let requests = (0..100).map(|page| session.get(format!("/{page}")));
    let lengths = session.batch(requests).map(|(_, result)| result?.text().map(|text| text.len()));
    let total: usize = lengths.sum::<Result<usize>>()?;
    println!("  {total} bytes in {:.1} s", started.elapsed().as_secs_f64());

    println!("Failures stop nothing, and say what failed:");
    for (place, result) in session.batch(["/1", "/broken", "/3"].map(|path| session.get(path))) {
        match result.and_then(|response| response.error_for_status()) {
            Ok(response) => println!("  {place}: {}", response.status()),
            Err(error) => println!("  {place}: {error}"),
        }
    }

    println!("A crawler: the list of requests grows by what is found.");
    let (queue, mut known) = (RefCell::new(VecDeque::from([1])), BTreeSet::from([1]));
    let requests = std::iter::from_fn(|| Some(session.get(format!("/{}", queue.borrow_mut().pop_front()?))));
    // The links are looked for on the threads of the session.
    let pages = session.batch(requests).as_completed().read_with(|page| Ok(links(&page.text()?)));
    for (_, found) in pages {
        let new: Vec<u32> = found?.into_iter().filter(|page| known.insert(*page)).collect();
        queue.borrow_mut().extend(new);
    }
    println!("  {} pages: {known:?}", known.len());

    println!("One request, and other work meanwhile:");
    let pending = session.submit(session.get("/7"));
    while pending.wait_timeout(TIME / 4).is_none_or(|result| {
        println!("  {}", result.and_then(|response| response.text()).unwrap_or_else(|error| error.to_string()));
        false
    }) {
        println!("  still waiting");
    }
    Ok(())
}

/// Returns the numbers of the pages that a page links to.
fn links(page: &str) -> Vec<u32> {
    page.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Starts the server, and returns its URL.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // An error is the end of the connection, which is all a connection's thread has to know.
            thread::spawn(move || answer(stream));
        }
    });
    Ok(url)
}

/// Answers each request by a page that links to two others.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        thread::sleep(TIME);
        let Ok(page) = path[1..].parse::<u32>() else { return Ok(()) };
        let links = [2 * page, 2 * page + 1].into_iter().filter(|page| *page < 32).map(|page| page.to_string());
        let body = format!("page, links: {}\n", links.collect::<Vec<_>>().join(" "));
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    }
}

//! A server that is killed and started again, over and over, under many threads that try again: every GET is answered
//! with its own answer, and no POST arrives twice.

mod support;

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hostpool::{Jitter, PoolManager, Retry, RetryCount, Timeout};
use support::{GIVE_UP, header, read_request};

const THREADS: usize = 32;

/// How long the server is there, and how long it is not.
const UP: Duration = Duration::from_millis(400);
const DOWN: Duration = Duration::from_millis(100);

/// Ten seconds unless said otherwise.
fn duration() -> Duration {
    let seconds = std::env::var("HOSTPOOL_STORM_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(10))
}

/// How often each request came, by its id.
type Seen = Arc<Mutex<HashMap<String, usize>>>;

/// One life of the server.
struct Life {
    address: SocketAddr,
    ending: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    thread: thread::JoinHandle<()>,
}

impl Life {
    fn begin(listener: TcpListener, seen: &Seen) -> Life {
        let address = listener.local_addr().unwrap();
        let (ending, streams): (Arc<AtomicBool>, Arc<Mutex<Vec<TcpStream>>>) = Default::default();
        let thread = thread::spawn({
            let (ending, streams, seen) = (ending.clone(), streams.clone(), seen.clone());
            move || {
                for stream in listener.incoming().flatten() {
                    if ending.load(Ordering::SeqCst) {
                        return;
                    }
                    streams.lock().unwrap().push(stream.try_clone().unwrap());
                    let seen = seen.clone();
                    thread::spawn(move || serve(stream, &seen));
                }
            }
        });
        Life { address, ending, streams, thread }
    }

    /// Closes the listener and whatever is open, in the middle of anything.
    fn end(self) {
        self.ending.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.thread.join().unwrap();
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(mut stream: TcpStream, seen: &Seen) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let request = String::from_utf8_lossy(&read_request(&mut stream)?).into_owned();
        let id = header(&request, "X-Id").unwrap_or_default();
        *seen.lock().unwrap().entry(id.to_owned()).or_default() += 1;
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{id}", id.len())?;
    }
}

/// The same port again; whoever was faster to take it gives it back soon.
fn listen_again(address: SocketAddr) -> TcpListener {
    let started = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) if started.elapsed() > GIVE_UP => panic!("{error}"),
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

#[test]
fn every_get_is_right_and_no_post_is_doubled() {
    let seen = Seen::default();
    let (ended, answered, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let retry = Retry::new(RetryCount::Unlimited)
        .backoff_factor(Duration::from_millis(5))
        .backoff_max(Duration::from_millis(100))
        .jitter(Jitter::Decorrelated);
    let http = PoolManager::builder().limit(8).retries(retry).timeout(Timeout::new().total(GIVE_UP)).build().unwrap();
    let life = Life::begin(TcpListener::bind("127.0.0.1:0").unwrap(), &seen);
    let (address, mut lives) = (life.address, 1);
    let life = thread::scope(|scope| {
        let mut life = life;
        for thread in 0..THREADS {
            let (http, ended, seen, answered, failed) = (&http, &ended, &seen, &answered, &failed);
            scope.spawn(move || {
                for number in 0.. {
                    if ended.load(Ordering::SeqCst) {
                        return;
                    }
                    let id = format!("get-{thread}-{number}");
                    let response = http.get(format!("http://{address}/")).header("X-Id", &id);
                    let text = response.preload_content(true).send().expect(&id).text().unwrap();
                    assert_eq!(text, id, "somebody else's answer");
                    answered.fetch_add(1, Ordering::SeqCst);

                    let id = format!("post-{thread}-{number}");
                    let request = http.post(format!("http://{address}/")).header("X-Id", &id).data("once");
                    let result = request.preload_content(true).send();
                    let times = seen.lock().unwrap().get(&id).copied().unwrap_or_default();
                    match result {
                        Ok(response) => assert_eq!((response.text().unwrap(), times), (id, 1)),
                        Err(error) if error.maybe_processed() => {
                            failed.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) => assert_eq!(times, 0, "{id}: {error}"),
                    }
                }
            });
        }
        let started = Instant::now();
        while started.elapsed() < duration() {
            thread::sleep(UP);
            life.end();
            thread::sleep(DOWN);
            life = Life::begin(listen_again(address), &seen);
            lives += 1;
        }
        ended.store(true, Ordering::SeqCst);
        life
    });
    life.end();
    let seen = seen.lock().unwrap();
    for (id, times) in seen.iter().filter(|(id, _)| id.starts_with("post")) {
        assert_eq!(*times, 1, "{id} came {times} times");
    }
    // The storm was one: each end of the server broke something.
    assert!(answered.load(Ordering::SeqCst) > THREADS * lives, "{answered:?} in {lives} lives");
    assert!(failed.load(Ordering::SeqCst) > 0);
    let stats = http.stats();
    assert_eq!((stats.in_use, stats.dialing, stats.waiting), (0, 0, 0), "{stats:?}");
    assert!(stats.open <= 8 && stats.dial_failures > 0, "{stats:?}");
}

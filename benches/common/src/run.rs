//! Runs one workload with one client and checks that it did what it was measured for.

use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::alloc::restart_peak;
use crate::clients::{Client, Fields, Handle, Setup, Source};
use crate::measure::{Reading, percentiles};
use crate::server::{Server, Stats};
use crate::workload::{MIB, Via, Work, Workload};
use crate::{PIECE, workload};

/// The small body of every answer.
const SMALL: usize = 100;

/// So many small requests open connections and fill caches before anything is measured.
const WARM_UP: usize = 20;

/// All timeouts, where they are set: never reached.
const BOUND: Duration = Duration::from_secs(60);

/// Enough for each client's calls, and little enough for a thousand threads.
const STACK: usize = 256 * 1024;

/// The whole of a client's program: `WORKLOAD [--requests N] [--mib N]`, or `--list` for names, the
/// cores they run on and the client that is their yardstick.
pub fn main<C: Client>() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    if name == "--list" {
        let line = |workload: &Workload| println!("{} {:?} {}", workload.name, workload.cores(), workload.yardstick());
        workload::all().iter().for_each(line);
        return;
    }
    let mut workload = Workload::find(&name).unwrap_or_else(|| panic!("no workload {name:?}; --list names them"));
    while let Some(option) = arguments.next() {
        let value: u64 = arguments.next().and_then(|value| value.parse().ok()).expect("a number after the option");
        match option.as_str() {
            "--requests" => workload.requests = value,
            "--mib" => workload.work = resized(workload.work, value * MIB),
            _ => panic!("no option {option}"),
        }
    }
    let lacks_pools = (workload.pool && !C::HAS_POOLS).then_some("has no pool of one host");
    let result = match lacks_pools.or_else(|| C::excuse(&workload)) {
        Some(excuse) => format!("excuse={}", excuse.replace(' ', "_")),
        None => Run::<C>::new(workload).measure(),
    };
    println!("client={} workload={} {result}", C::NAME, workload.name);
}

fn resized(work: Work, bytes: u64) -> Work {
    match work {
        Work::Download { chunked, .. } => Work::Download { bytes, chunked },
        Work::Upload { chunked, .. } => Work::Upload { bytes, chunked },
        other => other,
    }
}

struct Run<C> {
    workload: Workload,
    server: Server,
    client: C,
    /// One for each host.
    urls: Vec<String>,
}

impl<C: Client> Run<C> {
    fn new(workload: Workload) -> Self {
        let server = Server::from_environment();
        let client = C::new(&Setup {
            root: workload.is_encrypted().then(|| PathBuf::from(server.get("root"))),
            bound: workload.bounded.then_some(BOUND),
            watched: workload.watched,
            limit: workload.limit,
            unix: (workload.via == Via::Unix).then(|| PathBuf::from(server.get("unix"))),
            gzip: workload.work == Work::Gzip,
            pool: workload.pool.then(|| format!("http://127.0.0.1:{}", server.get("plain"))),
        });
        let mut run = Run { workload, server, client, urls: Vec::new() };
        run.urls = (0..workload.hosts).map(|host| run.url(host, workload.work)).collect();
        run
    }

    fn url(&self, host: usize, work: Work) -> String {
        let path = match work {
            Work::Get(path) => path.to_owned(),
            Work::Whole => "/small".to_owned(),
            Work::Close => "/close".to_owned(),
            Work::Fields => "/fields".to_owned(),
            Work::Download { bytes, chunked: false } => format!("/length/{bytes}"),
            Work::Download { bytes, chunked: true } => format!("/chunked/{bytes}"),
            Work::Upload { .. } => "/upload".to_owned(),
            Work::Gzip => "/gzip".to_owned(),
            Work::Json => "/json".to_owned(),
            // The number follows.
            Work::Idle => "/gather/".to_owned(),
        };
        let (scheme, port) = match self.workload.via {
            Via::Unix => return C::unix_url(self.server.get("unix"), &path),
            Via::Plain => ("http", "plain"),
            Via::High => ("http", "high"),
            Via::Tls => ("https", "tls"),
            Via::Unresumed => ("https", "unresumed"),
        };
        let port = self.server.get(port);
        // Every address of 127.0.0.0/8 is this machine and a host of its own; the certificate is for the first.
        let address =
            if self.workload.hosts == 1 { "127.0.0.1".into() } else { format!("127.1.{}.{}", host >> 8, host & 0xff) };
        format!("{scheme}://{address}:{port}{path}")
    }

    fn measure(&self) -> String {
        let start = self.server.stats();
        match self.workload {
            Workload { work: Work::Idle, .. } => self.measure_idle(start),
            Workload { spawned: true, .. } => self.measure_threads(start),
            _ => self.measure_one(start),
        }
    }

    fn measure_one(&self, start: Stats) -> String {
        let mut worker = Worker::new(self.client.handle());
        if self.workload.idle > 0 {
            worker.handle.open(&self.urls[0], self.workload.idle);
        }
        self.warm_up(&mut worker);
        let before = self.server.stats();
        restart_peak();
        let begun = Reading::take();
        for url in self.urls.iter().cycle().take(self.workload.requests as usize) {
            worker.request(self.workload.work, url);
        }
        let ended = Reading::take();
        let after = self.server.stats();
        self.check(start, before, after);
        begun.line(&ended, self.workload.requests) + &counted(before, after)
    }

    fn warm_up(&self, worker: &mut Worker<C::Handle<'_>>) {
        match self.workload.work {
            Work::Download { .. } | Work::Upload { .. } => {
                let work = resized(self.workload.work, MIB);
                worker.request(work, &self.url(0, work));
            }
            work => {
                let requests = WARM_UP.max(self.workload.hosts);
                self.urls.iter().cycle().take(requests).for_each(|url| worker.request(work, url));
            }
        }
    }

    fn measure_threads(&self, start: Stats) -> String {
        let threads = self.workload.threads;
        let each = self.workload.requests / threads as u64;
        let (warm, go) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
        let gather = format!("{}{threads}", self.url(0, Work::Idle));
        let body = || {
            let mut worker = Worker::new(self.client.handle());
            let mut times = Vec::with_capacity(each as usize);
            if self.workload.limit.is_none() {
                // Everyone at once, so that there is a connection for each.
                worker.request(Work::Get("gather"), &gather);
            }
            (0..WARM_UP).for_each(|_| worker.request(self.workload.work, &self.urls[0]));
            warm.wait();
            go.wait();
            for _ in 0..each {
                let begun = Instant::now();
                worker.request(self.workload.work, &self.urls[0]);
                times.push(begun.elapsed().as_nanos() as u64);
            }
            times
        };
        thread::scope(|scope| {
            let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, body).expect("threads");
            let running: Vec<_> = (0..threads).map(spawn).collect();
            warm.wait();
            let before = self.server.stats();
            let begun = Reading::take();
            go.wait();
            let times = running.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
            let ended = Reading::take();
            let after = self.server.stats();
            self.check(start, before, after);
            begun.line(&ended, each * threads as u64) + " " + &percentiles(times) + &counted(before, after)
        })
    }

    /// Opens connections all at once and leaves them idle: first a tenth, so that what a client keeps for its busiest
    /// moment, whatever their number, is not taken for theirs.
    fn measure_idle(&self, start: Stats) -> String {
        let threads = self.workload.threads;
        let first = threads / 10;
        // The stacks of threads that have ended are kept, too: they are not the connections'.
        let everyone = Barrier::new(threads);
        thread::scope(|scope| {
            let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || everyone.wait());
            (0..threads).map(spawn).for_each(|thread| drop(thread.expect("threads")));
        });
        let begun = Reading::with_memory();
        self.gather(first);
        let some = Reading::with_memory();
        self.gather(threads);
        let ended = Reading::with_memory();
        let opened = self.server.stats().accepts - start.accepts;
        assert_eq!(opened, threads as u64, "connections opened for as many requests at once");
        some.held(&ended, "", (threads - first) as u64) + &begun.held(&ended, "_all", threads as u64)
    }

    /// So many requests that are answered together; with many hosts one to each.
    fn gather(&self, threads: usize) {
        if self.workload.hosts > 1 {
            let (mut worker, small) = (Worker::new(self.client.handle()), Work::Get("/small"));
            return (0..threads).for_each(|host| worker.request(small, &self.url(host, small)));
        }
        let small = Work::Get("/gather");
        let url = format!("{}{threads}", self.url(0, Work::Idle));
        let body = || Worker::new(self.client.handle()).request(small, &url);
        thread::scope(|scope| {
            let spawn = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, body);
            // What a thread keeps for itself is gone only when it is joined; the scope does not wait for that.
            let running: Vec<_> = (0..threads).map(spawn).map(|thread| thread.expect("threads")).collect();
            running.into_iter().for_each(|thread| thread.join().expect("no panic"));
        });
    }

    /// Whether connections were opened, and sessions resumed, as often as the workload says.
    fn check(&self, start: Stats, before: Stats, after: Stats) {
        let Workload { work, via, threads, hosts, idle, limit, requests, .. } = self.workload;
        let (total, measured) = (after.accepts - start.accepts, after.accepts - before.accepts);
        let (full, resumed) = (after.full - before.full, after.resumed - before.resumed);
        if work == Work::Close {
            assert_eq!(measured, requests, "connections, where each request needs one");
            match via {
                Via::Tls => assert!(resumed * 100 >= requests * 99, "{resumed} of {requests} sessions were resumed"),
                Via::Unresumed => assert_eq!(full, requests, "full handshakes"),
                _ => {}
            }
            return;
        }
        if !C::KEEPS_CONNECTIONS {
            assert_eq!(measured, requests, "connections, one for each request");
            return;
        }
        if idle > 0 {
            assert_eq!(total, idle as u64, "connections, all of which were opened at the start");
        }
        let allowed = limit.unwrap_or(threads).max(hosts).max(idle) as u64;
        assert!(total <= allowed, "{total} connections were opened, {allowed} are enough: they are not reused");
        if threads == 1 {
            assert_eq!(measured, 0, "connections opened after the first requests");
        }
    }
}

fn counted(before: Stats, after: Stats) -> String {
    let (opened, resumed) = (after.accepts - before.accepts, after.resumed - before.resumed);
    format!(" opened={opened} resumed={resumed}")
}

/// A handle and the buffers its caller brings.
struct Worker<H> {
    handle: H,
    body: [u8; 1024],
    piece: Vec<u8>,
}

impl<H: Handle> Worker<H> {
    fn new(handle: H) -> Self {
        Worker { handle, body: [0; 1024], piece: Vec::new() }
    }

    /// Sends one request and checks what came back. The path of a `Get` stands in the URL already.
    fn request(&mut self, work: Work, url: &str) {
        match work {
            Work::Get(_) | Work::Close | Work::Idle => assert_eq!(self.handle.get(url, &mut self.body), SMALL),
            Work::Fields => {
                let fields = self.handle.get_fields(url, "content-type", &mut self.body);
                let value = "text/plain".to_owned();
                assert_eq!(fields, Fields { count: 60, value, body: SMALL });
            }
            Work::Download { bytes, .. } => {
                self.piece.resize(PIECE, 0);
                assert_eq!(self.handle.download(url, &mut self.piece), bytes);
            }
            Work::Upload { bytes, chunked } => {
                let answer = self.handle.upload(url, Source::new(bytes), (!chunked).then_some(bytes));
                assert_eq!(answer, bytes.to_string().into_bytes());
            }
            Work::Whole => assert_eq!(self.handle.get_vec(url).len(), SMALL),
            Work::Gzip => assert_eq!(self.handle.get_vec(url).len(), 100 * 1024),
            Work::Json => {
                let records = self.handle.json(url)["records"].as_array().map(Vec::len);
                assert_eq!(records, Some(16));
            }
        }
    }
}

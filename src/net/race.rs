//! Connects to one of the addresses of a host: to the first that answers (RFC 8305).
//!
//! The race runs on the caller's thread. A host with one address has no race. The first attempt blocks for the guard, as
//! with one address, so a host that answers at once costs no call more. After that, attempts do not block, and `poll`
//! waits for all of them together. No attempt is given up before there is a winner: a host may be further away than the
//! stagger is long.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::abort::Interrupt;
use super::connect::{Attempt, Started};
use super::descriptors;
use super::names::{Addresses, Refused};
use super::options::SocketConfig;
use super::plan::Plan;
use super::stream::{Socket, Stream};
use super::transport::{GUARD, Wait};
use super::wait;
use crate::error::Bound;
use crate::sync::Mutex;
use crate::time::Deadline;

/// Least time for an address: several round trips around the world, with a lost packet.
const LEAST_SHARE: Duration = Duration::from_secs(2);

/// The length from which an error names no further address. A name can have a thousand.
const ENOUGH: usize = 1500;

/// A connected socket, and the addresses that are left if its server turns out to be of no use.
#[derive(Debug)]
pub(crate) struct Winner {
    pub(crate) stream: Stream,
    /// They did not fail. Most were not tried.
    pub(crate) rest: Vec<SocketAddr>,
}

/// Connects to the first address that answers, under one deadline. Without a stagger, and from a fixed port, the
/// addresses are tried one after the other. The error names every address that was tried or refused.
pub(crate) fn tcp(
    addresses: &Addresses,
    sockets: &SocketConfig,
    stagger: Option<Duration>,
    wait: &Wait<'_>,
) -> io::Result<Winner> {
    let reached: Vec<_>;
    let usable = match sockets.source {
        None => &addresses.usable,
        Some(source) => {
            reached = addresses.usable.iter().copied().filter(|address| sockets.reaches(address)).collect();
            if reached.is_empty() {
                let why = format!("no address of the host is of the family of the source address {source}");
                return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, why));
            }
            &reached
        }
    };
    let mut failures = Failures::default();
    let result = match stagger {
        Some(stagger) if usable.len() > 1 && !sockets.has_fixed_port() => {
            Race::new(usable, sockets, stagger, wait).run(&mut failures)
        }
        _ => in_turn(usable, sockets, wait, &mut failures),
    };
    result.map_err(|end| failures.error(end, &addresses.refused))
}

/// The reason why no attempt goes on.
enum End {
    /// Every address has failed.
    AllFailed,
    /// The call ends, or no socket can be opened.
    Error(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        End::Error(error)
    }
}

/// The errors of addresses.
#[derive(Default)]
struct Failures {
    text: String,
    /// Further errors, for which the text has no room.
    more: usize,
    last: Option<io::ErrorKind>,
}

impl Failures {
    fn add(&mut self, address: SocketAddr, error: &io::Error) {
        self.note(format_args!("{address}: {error}"));
        self.last = Some(error.kind());
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        if self.text.len() > ENOUGH {
            self.more += 1;
            return;
        }
        let separator = if self.text.is_empty() { "" } else { "; " };
        self.text.push_str(&format!("{separator}{what}"));
    }

    /// Returns the error of a race. Its kind is that of the address that failed last.
    fn error(mut self, end: End, refused: &[SocketAddr]) -> io::Error {
        let kind = match end {
            End::AllFailed => self.last.unwrap_or(io::ErrorKind::NotFound),
            // A deadline tells what the addresses did until then.
            End::Error(error) if error.kind() == io::ErrorKind::TimedOut && !self.text.is_empty() => error.kind(),
            End::Error(error) => return error,
        };
        refused.iter().for_each(|address| self.note(format_args!("{}", Refused(*address))));
        if self.more > 0 {
            self.text.push_str(&format!("; and {} more", self.more));
        }
        io::Error::new(kind, self.text)
    }
}

/// Tries the addresses one after the other. While more addresses follow, an address gets only its share of the time, so
/// that a host which swallows packets cannot use up the time of the next. The share is never less than a distant host
/// needs to answer.
fn in_turn(
    addresses: &[SocketAddr],
    sockets: &SocketConfig,
    wait: &Wait<'_>,
    failures: &mut Failures,
) -> Result<Winner, End> {
    for (tried, address) in addresses.iter().enumerate() {
        let left = (addresses.len() - tried) as u32;
        let now = Instant::now();
        let share = wait.until.remaining(now).map(|remaining| (remaining / left).max(LEAST_SHARE).min(remaining));
        let deadline = if left == 1 { wait.until.deadline() } else { Deadline::after(now, share, Bound::Connect) };
        let until = wait.until.with_deadline(deadline);
        let attempt = Attempt::open(*address, sockets, now);
        match attempt.and_then(|attempt| attempt.connect(&Wait { until, ..*wait })) {
            Ok(stream) => return Ok(Winner { stream, rest: addresses[tried + 1..].to_vec() }),
            Err(error) if is_the_end(&error, wait) => {
                if tried > 0 {
                    failures.note(format_args!("{address}: no answer yet"));
                }
                return Err(error.into());
            }
            Err(error) => failures.add(*address, &error),
        }
    }
    Err(End::AllFailed)
}

/// Returns whether no other address is tried after this error. Without a descriptor the next one would fail alike.
fn is_the_end(error: &io::Error, wait: &Wait<'_>) -> bool {
    wait.is_cancelled() || wait.until.is_past() || descriptors::are_lacking(error)
}

/// The attempts that go on at once.
struct Race<'a> {
    plan: Plan,
    racers: Vec<Attempt<'a>>,
    sockets: &'a SocketConfig,
    wait: &'a Wait<'a>,
    /// Whether the first attempt may block for the guard.
    may_block: bool,
    group: Arc<Group>,
}

/// Lets another thread interrupt all racers at once.
#[derive(Default)]
struct Group(Mutex<Vec<Weak<Socket>>>);

impl Interrupt for Group {
    fn interrupt(&self) {
        let racers: Vec<_> = self.0.lock().iter().filter_map(Weak::upgrade).collect();
        racers.iter().for_each(|racer| racer.interrupt());
    }
}

impl<'a> Race<'a> {
    fn new(addresses: &[SocketAddr], sockets: &'a SocketConfig, stagger: Duration, wait: &'a Wait<'a>) -> Race<'a> {
        let group = Arc::new(Group::default());
        if let Some(cell) = wait.abort {
            let interrupt: Arc<dyn Interrupt> = group.clone();
            cell.register(Arc::downgrade(&interrupt));
        }
        let may_block = stagger >= GUARD;
        Race { plan: Plan::new(addresses, stagger), racers: Vec::new(), sockets, wait, may_block, group }
    }

    fn run(mut self, failures: &mut Failures) -> Result<Winner, End> {
        loop {
            if let Some(winner) = self.begin(failures)? {
                return self.won(winner);
            }
            if self.racers.is_empty() {
                return Err(End::AllFailed);
            }
            if let Some(winner) = self.watch(failures)? {
                return self.won(winner);
            }
        }
    }

    /// Begins the attempts whose time has come. Returns one that connected at once.
    fn begin(&mut self, failures: &mut Failures) -> Result<Option<Attempt<'a>>, End> {
        loop {
            self.check(failures)?;
            let now = Instant::now();
            let Some(address) = self.plan.next(now) else { return Ok(None) };
            match self.start(address, now) {
                Ok((attempt, Started::Connected)) => return Ok(Some(attempt)),
                Ok((attempt, Started::GoesOn)) => {
                    self.racers.push(attempt);
                    self.plan.began(now);
                }
                Err(error) if descriptors::are_lacking(&error) && self.racers.is_empty() => return Err(error.into()),
                // The race goes on without it, and makes room when it ends.
                Err(error) if descriptors::are_lacking(&error) => self.plan.put_back(address),
                Err(error) => {
                    failures.add(address, &error);
                    self.plan.failed_at_once();
                }
            }
        }
    }

    fn start(&mut self, address: SocketAddr, now: Instant) -> io::Result<(Attempt<'a>, Started)> {
        let mut attempt = Attempt::open(address, self.sockets, now)?;
        self.group.0.lock().push(Arc::downgrade(attempt.socket()));
        let has_time = self.wait.until.remaining(now).is_none_or(|left| left > 2 * GUARD);
        let started = attempt.start(self.may_block && has_time && self.racers.is_empty())?;
        Ok((attempt, started))
    }

    /// Waits for a result of a racer, or until the next attempt. Returns a racer that has connected.
    fn watch(&mut self, failures: &mut Failures) -> Result<Option<Attempt<'a>>, End> {
        let next = self.plan.until_next(Instant::now());
        // In slices of the guard, because a shutdown of a socket that is still connecting may wake nobody.
        let slice = next.map_or(GUARD, |next| next.min(GUARD));
        let sockets: Vec<_> = self.racers.iter().map(Attempt::socket).collect();
        let ready = match wait::any_connected(&sockets, self.wait, slice) {
            Ok(ready) => ready,
            Err(error) => return Err(self.ended(error, failures)),
        };
        // From the back, so that the places of the others stay. Of two that have connected, the first is taken.
        let mut winner = None;
        for at in ready.into_iter().rev() {
            let racer = self.racers.remove(at);
            match racer.result() {
                Ok(()) => self.racers.extend(winner.replace(racer)),
                Err(error) => {
                    failures.add(racer.address(), &error);
                    self.plan.failed();
                }
            }
        }
        Ok(winner)
    }

    fn check(&self, failures: &mut Failures) -> Result<(), End> {
        match self.wait.is_cancelled() {
            true => Err(self.ended(io::ErrorKind::ConnectionAborted.into(), failures)),
            false if self.wait.until.is_past() => Err(self.ended(io::ErrorKind::TimedOut.into(), failures)),
            false => Ok(()),
        }
    }

    /// Returns the end of a race that the call does not wait for.
    fn ended(&self, error: io::Error, failures: &mut Failures) -> End {
        for racer in &self.racers {
            failures.note(format_args!("{}: no answer yet", racer.address()));
        }
        End::Error(error)
    }

    /// Closes the losers, and returns the winner.
    fn won(self, winner: Attempt<'a>) -> Result<Winner, End> {
        let Race { plan, racers, wait, .. } = self;
        let mut rest: Vec<_> = racers.iter().map(Attempt::address).collect();
        rest.extend(plan.rest());
        drop(racers);
        Ok(Winner { stream: winner.into_stream(wait)?, rest })
    }
}

#[cfg(all(test, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use crate::net::abort::AbortCell;
    use crate::net::transport::Transport;
    use crate::time::{Timeout, Until};
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
    use std::thread;

    const LONG: Duration = Duration::from_secs(20);
    const STAGGER: Duration = Duration::from_millis(10);

    fn free() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    fn open() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// A listener that answers nobody: its backlog is full.
    struct Silent {
        listener: socket2::Socket,
        address: SocketAddr,
        _first: TcpStream,
    }

    impl Silent {
        fn new() -> Silent {
            let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
            listener.listen(0).unwrap();
            let address = listener.local_addr().unwrap().as_socket().unwrap();
            Silent { listener, address, _first: TcpStream::connect(address).unwrap() }
        }
    }

    fn race(usable: &[SocketAddr], sockets: &SocketConfig, wait: &Wait<'_>) -> io::Result<Winner> {
        tcp(&Addresses { usable: usable.to_vec(), refused: Vec::new() }, sockets, Some(STAGGER), wait)
    }

    fn winner(usable: &[SocketAddr]) -> (SocketAddr, Vec<SocketAddr>) {
        let until = Until::from(Timeout::from(LONG).deadline());
        let winner = race(usable, &SocketConfig::new(), &Wait { until, ..Wait::new() }).unwrap();
        (winner.stream.info().remote.unwrap(), winner.rest)
    }

    #[test]
    fn the_first_that_answers() {
        let (_listener, open) = open();
        let refused = [free(), free()];
        assert_eq!(winner(&[refused[0], open, refused[1]]), (open, vec![refused[1]]));
        for stagger in [Some(STAGGER), Some(LONG), None] {
            let addresses = Addresses { usable: refused.to_vec(), refused: vec![open] };
            let error = tcp(&addresses, &SocketConfig::new(), stagger, &Wait::new()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            let text = error.to_string();
            let places: Vec<_> = [refused[0], refused[1], open].iter().map(|at| text.find(&at.to_string())).collect();
            assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
            assert!(text.ends_with("the address filter refuses it"), "{text}");
        }
    }

    /// An error names as many addresses as a person reads, and counts the others.
    #[test]
    fn a_thousand_addresses() {
        let (port, last) = (free().port(), 250);
        let host = |n: u16| SocketAddr::from(([127, 0, (n / 250) as u8 + 1, (n % 250) as u8 + 1], port));
        let addresses: Vec<_> = (0..4 * last).map(host).collect();
        let text = race(&addresses, &SocketConfig::new(), &Wait::new()).unwrap_err().to_string();
        let named = text.matches("127.0.").count();
        assert!(
            text.len() < 2 * ENOUGH && text.ends_with(&format!("; and {} more", addresses.len() - named)),
            "{text}"
        );
    }

    /// Up to three addresses that do not answer cost the stagger, whatever it is. The losers are left.
    #[cfg(target_os = "linux")]
    #[test]
    fn addresses_that_do_not_answer() {
        let (_listener, open) = open();
        let silent = [(); 4].map(|()| Silent::new());
        let addresses = [silent[0].address, silent[1].address, silent[2].address];
        assert_eq!(winner(&[addresses[0], open]), (open, vec![addresses[0]]));
        let (won, rest) = winner(&[addresses[0], addresses[1], addresses[2], open]);
        assert_eq!((won, &rest[..]), (open, &addresses[..]));
        // Four do not leave room for a fifth.
        let until = Until::from(Timeout::from(100 * STAGGER).deadline());
        let all: Vec<_> = silent.iter().map(|silent| silent.address).chain([open]).collect();
        let error = race(&all, &SocketConfig::new(), &Wait { until, ..Wait::new() }).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.to_string().matches("no answer yet").count(), 4, "{error}");
        // A blocking first attempt gives way to the others, too.
        let addresses = Addresses { usable: vec![addresses[0], open], refused: Vec::new() };
        let winner = tcp(&addresses, &SocketConfig::new(), Some(GUARD), &Wait::new()).unwrap();
        assert_eq!(winner.stream.info().remote, Some(open));
    }

    /// A host that is further away than the stagger is reached by its first address: no attempt is given up.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_distant_host() {
        let silent = [(); 2].map(|()| Silent::new());
        let addresses = [silent[0].address, silent[1].address];
        let call = thread::spawn(move || winner(&addresses));
        // The system repeats its attempt after a second, a hundred times the stagger.
        thread::sleep(20 * STAGGER);
        silent[0].listener.accept().unwrap();
        assert_eq!(call.join().unwrap(), (addresses[0], vec![addresses[1]]));
    }

    /// A refusal in the middle of a race makes the next attempt begin.
    #[cfg(target_os = "linux")]
    #[test]
    fn failures_beside_silence() {
        let (_listener, open) = open();
        let silent = Silent::new();
        let refused = free();
        let (won, rest) = winner(&[silent.address, refused, open]);
        assert_eq!((won, rest), (open, vec![silent.address]));
    }

    /// A winner blocks as every other socket, and can be interrupted; so can a race.
    #[cfg(target_os = "linux")]
    #[test]
    fn aborts() {
        let (_listener, open) = open();
        let silent = [(); 4].map(|()| Silent::new());
        let all = silent.iter().map(|silent| silent.address).collect::<Vec<_>>();
        let cell = Arc::new(AbortCell::new());
        let call = {
            let (cell, all) = (cell.clone(), all.clone());
            thread::spawn(move || {
                let wait = Wait::of(Timeout::from(100 * LONG).deadline().into(), &cell);
                race(&all, &SocketConfig::new(), &wait).map(drop).unwrap_err().kind()
            })
        };
        thread::sleep(2 * STAGGER);
        cell.handle().abort();
        assert_eq!(call.join().unwrap(), io::ErrorKind::ConnectionAborted);

        let cell = Arc::new(AbortCell::new());
        let wait = Wait::of(Until::NEVER, &cell);
        let winner = race(&[all[0], open], &SocketConfig::new(), &wait).unwrap();
        let reader = thread::spawn({
            let cell = cell.clone();
            move || winner.stream.recv(&mut [0; 8], &Wait::of(Until::NEVER, &cell))
        });
        thread::sleep(2 * STAGGER);
        assert!(cell.handle().abort());
        assert!(!matches!(reader.join().unwrap(), Ok(1..)));
    }

    /// Only addresses of the source's family are tried.
    #[test]
    fn the_family_of_the_source() {
        let (_listener, open) = open();
        let other = SocketAddr::from((Ipv6Addr::LOCALHOST, open.port()));
        let sockets = SocketConfig { source: Some(Ipv4Addr::LOCALHOST.into()), ..SocketConfig::new() };
        race(&[other, open], &sockets, &Wait::new()).unwrap();
        let error = race(&[other, other], &sockets, &Wait::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        assert!(error.to_string().contains("source address 127.0.0.1:0"), "{error}");
        let refused = race(&[other, free()], &sockets, &Wait::new()).unwrap_err();
        assert!(!refused.to_string().contains("[::1]"), "{refused}");
    }

    /// From one port there is one attempt at a time. A silent address gets its share of the time, and no more.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_fixed_port() {
        let (_listener, open) = open();
        let silent = Silent::new();
        let sockets = SocketConfig { source: Some(free().into()), ..SocketConfig::new() };
        let until = Until::from(Timeout::from(LEAST_SHARE * 10).deadline());
        let wait = Wait { until: Until::from(Timeout::from(20 * STAGGER).deadline()), ..Wait::new() };
        let error = race(&[silent.address, open], &sockets, &wait).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "the second address is not raced: {error}");
        let refused = free();
        let winner = race(&[refused, open], &sockets, &Wait { until, ..Wait::new() }).unwrap();
        assert_eq!(winner.stream.info().remote, Some(open));
    }
}

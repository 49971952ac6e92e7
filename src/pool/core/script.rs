//! Scripts of what callers do with a core, and what comes of it.
//!
//! Connections are numbers, callers are letters, and a key such as `x1` is key 1 of endpoint x. The core is audited
//! after every line.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use super::{Checkout, Core, Grant, Holding, Idle, PinId, Pressure, SeenIdle, Settle, Ticket, Turn, UnitId, Victim};
use crate::close_reason::CloseReason;
use crate::pool::types::{CoreTypes, Ending, Settings, Touched, Wake};
use crate::time::Stamp;

pub(super) struct Numbers;

impl CoreTypes for Numbers {
    type Key = (u8, u8);
    type Conn = u32;
    type Abort = Opener;
    type Waker = Bell;
}

/// Who opened a unit, and whose it is now.
#[derive(Clone, Debug, Default)]
pub(super) struct Opener(pub(super) char, Rc<Cell<u64>>);

impl Touched for Opener {
    fn holder(&self) -> u64 {
        self.1.get()
    }

    fn set_holder(&self, thread: u64) {
        self.1.set(thread);
    }

    fn begin_anew(&self) {}
}

/// Notes down whom it wakes.
pub(super) struct Bell(pub(super) char, pub(super) Rc<RefCell<Vec<char>>>);

impl Wake for Bell {
    fn wake(&self) {
        self.1.borrow_mut().push(self.0);
    }
}

/// What a caller has.
enum Hand {
    Ticket(Ticket),
    Dial(UnitId),
    Conn { unit: UnitId, conn: u32, since: Stamp },
}

pub(super) struct Script {
    pub(super) core: Core<Numbers>,
    pub(super) now: Stamp,
    hands: HashMap<char, Hand>,
    pins: Vec<PinId>,
    /// What was idle when somebody looked, by who opened it.
    seen: Vec<(SeenIdle, Opener)>,
    closing: Vec<Victim<u32>>,
    rung: Rc<RefCell<Vec<char>>>,
}

impl Script {
    fn new(settings: Settings) -> Self {
        let (now, rung) = (Stamp::at(Duration::ZERO), Rc::default());
        let (hands, pins, seen, closing) = (HashMap::new(), Vec::new(), Vec::new(), Vec::new());
        Script { core: Core::new(settings), now, hands, pins, seen, closing, rung }
    }

    /// Runs lines of the form `who does what => outcome`; without an arrow the outcome is nothing.
    pub(super) fn run(&mut self, text: &str) -> &mut Self {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (line, outcome) = line.split_once("=>").unwrap_or((line, ""));
            assert_eq!(self.step(line.trim()).trim(), outcome.trim(), "in the line: {line}");
            self.core.audit();
        }
        self
    }

    fn step(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["clock", at] => {
                self.now = at_second(at);
                String::new()
            }
            ["woken"] => self.rung.take().into_iter().collect(),
            ["settle", conn] => {
                let place = self.closing.iter().position(|victim| victim.conn.to_string() == conn);
                let victim = self.closing.remove(place.expect("a connection that is being closed"));
                let next = self.core.settle(victim.settle);
                self.closing(next)
            }
            ["retire"] => {
                let victims = self.core.retire_idle();
                self.closing(victims)
            }
            ["retire", name] => {
                let victims = self.core.retire(&key(name));
                self.closing(victims)
            }
            ["close"] => {
                let victims = self.core.close();
                self.closing(victims)
            }
            ["close", name] => {
                let victims = self.core.close_key(&key(name));
                self.closing(victims)
            }
            ["expire"] => {
                let victims = self.core.expire(self.now);
                self.closing(victims)
            }
            ["no-descriptors"] => {
                let victim = self.core.evict_oldest(CloseReason::OutOfDescriptors);
                self.closing(victim)
            }
            ["look"] => {
                self.seen = self.core.seen_idle();
                self.seen.iter().map(|(_, opener)| opener.0).collect()
            }
            ["gone", opener] => {
                let seen = self.seen.iter().find(|(_, who)| who.0 == letter(opener)).expect("it was seen").0;
                let victim = self.core.evict_if_unused(seen, CloseReason::PeerClosed);
                self.closing(victim)
            }
            // What a caller meets that gives up: how many are in use, how many of them are its own, and how many wait.
            ["pressure", name, who] => {
                let Pressure { in_use, held_here, queued } = self.core.pressure(&key(name), u64::from(letter(who)));
                format!("{in_use} {held_here} {queued}")
            }
            // One unit of whoever opened it is read from by another thread.
            ["touch", opener, who] => {
                let touched: Vec<_> =
                    self.core.aborts(None).into_iter().filter(|one| one.0 == letter(opener)).collect();
                touched.iter().for_each(|one| one.set_holder(u64::from(letter(who))));
                touched.len().to_string()
            }
            ["pin", name] => {
                self.pins.push(self.core.pin(&key(name)));
                String::new()
            }
            ["unpin"] => {
                self.core.unpin(self.pins.remove(0));
                String::new()
            }
            ["stats", name] => {
                let stats = self.core.stats_of(&key(name));
                format!(
                    "open {} idle {} waiting {} created {} reused {}",
                    stats.open, stats.idle, stats.waiting, stats.created, stats.reused
                )
            }
            [who, "get", key] => self.get(letter(who), key),
            [who, verb, ..] => self.act(letter(who), verb, &words[2..]),
            _ => panic!("not a line: {line}"),
        }
    }

    fn get(&mut self, who: char, name: &str) -> String {
        let key = key(name);
        let rung = &self.rung;
        let by = u64::from(who);
        let waker = || Bell(who, Rc::clone(rung));
        let (checkout, victims) = self.core.reuse_or_checkout(&key, self.now, by, || Opener(who, Rc::default()), waker);
        let got = match checkout {
            Checkout::Granted(grant) => self.take(who, grant),
            Checkout::Closed => "closed".to_string(),
            Checkout::Queued(ticket) => {
                self.hands.insert(who, Hand::Ticket(ticket));
                "wait".to_string()
            }
        };
        got + &self.closing(victims.into_iter().flatten())
    }

    fn act(&mut self, who: char, verb: &str, words: &[&str]) -> String {
        let hand = self.hands.remove(&who).expect("a caller that has something");
        match (hand, verb) {
            (Hand::Ticket(ticket), "turn") => {
                let turn = self.core.turn(ticket, self.now, u64::from(who));
                self.turned(who, ticket, turn)
            }
            // What another thread holds of the connections that this caller waits for. `alone 5` if it has held all of
            // them for 5 seconds, and `elsewhere` if it holds none of them but another connection.
            (Hand::Ticket(ticket), "waits-for") => {
                self.hands.insert(who, Hand::Ticket(ticket));
                let waited = self.now.saturating_since(Stamp::at(Duration::ZERO));
                match self.core.held_by(ticket, u64::from(letter(words[0])), waited) {
                    None => "does not wait".to_string(),
                    Some(Holding { one: Some(one), alone_for: Some(time), .. }) => {
                        format!("{} alone {}", one.0, time.as_secs())
                    }
                    Some(Holding { one: Some(one), .. }) => one.0.to_string(),
                    Some(Holding { any, .. }) => if any { "elsewhere" } else { "" }.to_string(),
                }
            }
            (Hand::Ticket(ticket), "cancels") => {
                let turn = self.core.cancel(ticket, self.now, u64::from(who));
                self.turned(who, ticket, turn)
            }
            (Hand::Dial(unit), "opens") => {
                self.core.opened(unit, self.now);
                let conn = words[0].parse().expect("the number of a connection");
                self.hands.insert(who, Hand::Conn { unit, conn, since: self.now });
                String::new()
            }
            // As the child of a fork does before its first dial.
            (Hand::Dial(unit), "leaves-the-parent") => {
                let victims = self.core.retire_all_but(unit);
                self.hands.insert(who, Hand::Dial(unit));
                self.closing(victims)
            }
            (Hand::Dial(unit), "fails") => {
                let next = self.core.discard(unit, Ending::DialFailed);
                self.closing(next)
            }
            (Hand::Conn { unit, .. }, "drops") => {
                let next = self.core.discard(unit, Ending::Closed(CloseReason::Failed));
                self.closing(next)
            }
            (Hand::Conn { unit, conn, .. }, "puts") => {
                let keep_until = words.first().map(|at| at_second(at));
                match self.core.checkin(unit, conn, self.now, keep_until) {
                    Ok(oldest) => "kept".to_string() + &self.closing(oldest),
                    Err(victim) => format!("{:?}", victim.reason) + &self.closing([victim]),
                }
            }
            (Hand::Conn { unit, since, .. }, "renews") => {
                self.core.renew(unit, since, CloseReason::Failed);
                self.take(who, Grant::Permit { unit })
            }
            (Hand::Conn { unit, since, .. }, "finds-dead") => {
                let (grant, next) = self.core.replace_dead(unit, since, CloseReason::PeerClosed, self.now);
                self.take(who, grant) + &self.closing(next)
            }
            _ => panic!("{who} cannot do that now: {verb}"),
        }
    }

    fn turned(&mut self, who: char, ticket: Ticket, turn: Turn<u32>) -> String {
        match turn {
            Turn::Waiting => {
                self.hands.insert(who, Hand::Ticket(ticket));
                "wait".to_string()
            }
            Turn::Granted(grant) => self.take(who, grant),
            Turn::Closed => "closed".to_string(),
            Turn::Cancelled => "cancelled".to_string(),
        }
    }

    fn take(&mut self, who: char, grant: Grant<u32>) -> String {
        match grant {
            Grant::Permit { unit } => {
                self.hands.insert(who, Hand::Dial(unit));
                "dial".to_string()
            }
            Grant::Conn(Idle { unit, conn, since, suspect }) => {
                self.hands.insert(who, Hand::Conn { unit, conn, since });
                format!("conn {conn}{}", if suspect { " suspect" } else { "" })
            }
        }
    }

    /// In the outcome `-3` is a connection whose unit ends with it, `=3` one whose unit is dialed on, and `>3` one
    /// whose unit goes to the next in line.
    fn closing(&mut self, victims: impl IntoIterator<Item = Victim<u32>>) -> String {
        let mut text = String::new();
        for victim in victims {
            let sign = match victim.settle {
                Settle::Kept => '=',
                Settle::Release(_) => '-',
                Settle::PassOn(_) => '>',
            };
            text += &format!(" {sign}{}", victim.conn);
            self.closing.push(victim);
        }
        text
    }
}

/// The idle clock of a script stands at zero in the beginning.
fn at_second(seconds: &str) -> Stamp {
    Stamp::at(Duration::from_secs(seconds.parse().expect("seconds since the start")))
}

fn letter(word: &str) -> char {
    word.chars().next().expect("a caller")
}

fn key(name: &str) -> (u8, u8) {
    (name.as_bytes()[0], name.as_bytes()[1])
}

pub(crate) const NO_LIMITS: Settings = Settings {
    open_limit: None,
    idle_limit: None,
    total_limit: None,
    idle_timeout: None,
    max_age: None,
    own_wait: None,
    reap_every: None,
    max_idle: None,
};

pub(super) fn limits(open: usize, total: usize) -> Settings {
    Settings { open_limit: Some(open), total_limit: Some(total), ..NO_LIMITS }
}

pub(super) fn script(settings: Settings, text: &str) -> Script {
    let mut script = Script::new(settings);
    script.run(text);
    script
}

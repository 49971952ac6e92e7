//! Finds failures for lack of file descriptors, which closing an idle connection cures.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

/// Descriptors that the system's resolver opens at once: a file, a socket for each of up to three servers, and one
/// more.
const FOR_A_LOOKUP: usize = 5;

/// How often a failed lookup is repeated while other threads lack descriptors.
const AGAIN: usize = 3;

/// How often a descriptor was lacking.
static LACKS: AtomicU64 = AtomicU64::new(0);

/// Returns whether the process or the system has no descriptor left.
pub(crate) fn are_lacking(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    #[cfg(unix)]
    let is_lack = matches!(errno, Some(Errno::MFILE | Errno::NFILE));
    #[cfg(not(unix))]
    let is_lack = errno == Some(Errno::MFILE);
    if is_lack {
        LACKS.fetch_add(1, Ordering::Relaxed);
    }
    is_lack
}

/// Returns whether an error or one of its sources says that no descriptor is left.
pub(crate) fn are_lacking_for(error: &crate::error::Error) -> bool {
    let mut cause = error.cause().map(|cause| cause as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(are_lacking) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Runs a lookup of the system. If it fails for lack of descriptors, the error says so: resolvers report that there is
/// no such name, or ask to try again later, when they could not open a file or a socket.
pub(crate) fn lookup<T>(lookup: impl Fn() -> io::Result<T>) -> io::Result<T> {
    lookup_by(lookup, lack)
}

fn lookup_by<T>(lookup: impl Fn() -> io::Result<T>, lack: impl Fn() -> Option<io::Error>) -> io::Result<T> {
    let mut tries = 0;
    loop {
        tries += 1;
        let before = LACKS.load(Ordering::Relaxed);
        let error = match lookup() {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        if are_lacking(&error) {
            return Err(error);
        }
        if let Some(lack) = lack() {
            return Err(lack);
        }
        // Another thread lacked descriptors meanwhile, and has made room since.
        if LACKS.load(Ordering::Relaxed) == before || tries == AGAIN {
            return Err(error);
        }
    }
}

/// Returns the error of opening the descriptors of a lookup, if there are too few now.
fn lack() -> Option<io::Error> {
    let mut open = Vec::with_capacity(FOR_A_LOOKUP);
    for _ in 0..FOR_A_LOOKUP {
        match Socket::new(Domain::IPV4, Type::DGRAM, None) {
            Ok(socket) => open.push(socket),
            Err(error) => return Some(error).filter(are_lacking),
        }
    }
    None
}

#[cfg(all(test, unix, not(any(hostpool_loom, hostpool_shuttle))))]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn lacking() -> io::Error {
        Errno::MFILE.into()
    }

    fn unknown() -> io::Error {
        io::Error::other("Name or service not known")
    }

    #[test]
    fn which_errors_say_so() {
        use crate::error::{Error, ErrorKind, Phase};
        let table = [
            (lacking(), true),
            (Errno::NFILE.into(), true),
            (Errno::CONNREFUSED.into(), false),
            (unknown(), false),
            (io::ErrorKind::TimedOut.into(), false),
        ];
        for (error, expected) in table {
            let text = error.to_string();
            assert_eq!(are_lacking(&error), expected, "{text}");
            if let Some(code) = error.raw_os_error() {
                let custom = Error::custom(io::Error::from_raw_os_error(code));
                assert_eq!(are_lacking_for(&custom), expected, "an error of a dialer of the caller's: {text}");
            }
            let outer = Error::new(ErrorKind::Connect, Phase::Connect).with_source(error);
            assert_eq!(are_lacking_for(&outer), expected, "{text}");
            let custom = Error::custom(outer);
            assert_eq!(are_lacking_for(&custom), expected, "a dialer of the caller's: {text}");
        }
    }

    /// RW-43: the error names the true cause, even if descriptors are free again when they are counted.
    #[test]
    fn why_a_lookup_failed() {
        let none = || None;
        let found = lookup_by(|| Ok(7), none);
        assert_eq!(found.unwrap(), 7);
        let says_so = lookup_by::<()>(|| Err(lacking()), none).unwrap_err();
        assert!(are_lacking(&says_so));
        let hidden = lookup_by::<()>(|| Err(unknown()), || Some(lacking())).unwrap_err();
        assert!(are_lacking(&hidden));
        let honest = lookup_by::<()>(|| Err(unknown()), none).unwrap_err();
        assert!(honest.to_string().contains("not known"));
        let tries = Cell::new(0);
        let again = lookup_by(
            || {
                tries.set(tries.get() + 1);
                // The dial of another thread fails during the first try.
                if tries.get() == 1 {
                    assert!(are_lacking(&lacking()));
                    return Err(unknown());
                }
                Ok(7)
            },
            none,
        );
        assert_eq!(again.unwrap(), 7);
    }
}

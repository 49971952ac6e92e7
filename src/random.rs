//! Unpredictable bytes from the operating system.

use std::io;

/// Fills `bytes`. Fails if the system has no random bytes, and nothing else is used in their place.
pub(crate) fn fill(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::getrandom(bytes).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_are_the_same() {
        let drawn: HashSet<[u8; 16]> = (0..10_000)
            .map(|_| {
                let mut bytes = [0; 16];
                fill(&mut bytes).unwrap();
                bytes
            })
            .collect();
        assert_eq!(drawn.len(), 10_000, "A17.1");
    }
}

//! The origins that a client knows.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use super::{InvalidUrl, MAX_LEN, Origin, Url, authority_end, ends_irregularly};
use crate::sync::RwLock;

/// Authorities that were parsed before, by their text. A full table forgets origins that are held nowhere else.
#[derive(Debug, Default)]
pub(crate) struct Origins(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    origins: HashMap<Arc<str>, Arc<Origin>, Keyed>,
    /// Every authority of the table, in the order in which a full table looks at them.
    turns: VecDeque<Arc<str>>,
}

impl Origins {
    /// The number of origins from which on others are forgotten. It is enough for a crawler's working set. Forgetting
    /// an origin costs one parse.
    const CAPACITY: usize = 2048;

    /// Most bytes of a stored authority: more than a host of 253 bytes with scheme and port.
    const LONGEST: usize = 512;

    pub(crate) fn url(&self, text: &str) -> Result<Url, InvalidUrl> {
        let end = authority_end(text);
        // The table has the texts of authorities that were checked before and have no credentials. Only the end of this
        // text is checked.
        if text.len() <= MAX_LEN
            && !ends_irregularly(text)
            && let Some(origin) = text.get(..end).and_then(|authority| self.0.read().origins.get(authority).cloned())
        {
            return Ok(Url::without_userinfo(text.into(), origin, end));
        }
        Url::build(text, |authority| {
            let origin = Arc::new(Origin::parse(authority)?);
            // The table lives as long as the client, so it keeps no credentials, and no text that is too long for a
            // host.
            if !authority.contains('@') && authority.len() <= Self::LONGEST {
                self.0.write().insert(authority, &origin, Self::CAPACITY);
            }
            Ok(origin)
        })
    }
}

impl Known {
    /// The number of origins that a new one looks at in a full table. Each origin costs the same, and a table whose
    /// origins are held has at most half as many others.
    const LOOKS: usize = 3;

    fn insert(&mut self, authority: &str, origin: &Arc<Origin>, capacity: usize) {
        // Another thread may have inserted the same authority meanwhile.
        if self.origins.contains_key(authority) {
            return;
        }
        for _ in 0..Self::LOOKS {
            if self.origins.len() < capacity {
                break;
            }
            let Some(next) = self.turns.pop_front() else { break };
            match self.origins.get(&next).is_some_and(|origin| Arc::strong_count(origin) > 1) {
                true => self.turns.push_back(next),
                false => drop(self.origins.remove(&next)),
            }
        }
        let authority: Arc<str> = authority.into();
        self.origins.insert(authority.clone(), origin.clone());
        self.turns.push_back(authority);
    }
}

/// A hash of short texts with a key of its own table. It takes eight bytes by one multiplication, and costs a quarter
/// of the standard one. The key is random, so that nobody can choose authorities that collide.
#[derive(Clone, Debug)]
struct Keyed(u64);

impl Default for Keyed {
    fn default() -> Keyed {
        Keyed(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { key: self.0, hash: self.0 }
    }
}

struct Folded {
    key: u64,
    hash: u64,
}

impl Folded {
    fn fold(&mut self, one: u64, other: u64) {
        let product = u128::from(self.hash ^ one) * u128::from(self.key ^ other | 1);
        self.hash = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.fold(u64::from_le_bytes(last), bytes.len() as u64);
        for word in words {
            self.fold(u64::from_le_bytes(*word), 0x9E37_79B9_7F4A_7C15);
        }
    }

    /// Ignores the byte that separates a text from a next one: a key is one text.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_authority_is_shared() {
        let origins = Origins::default();
        let first = origins.url("http://h:81/a").unwrap();
        let second = origins.url("http://h:81/b").unwrap();
        assert!(Arc::ptr_eq(first.shared_origin(), second.shared_origin()));
        for authority in ["https://h", "HTTP://H:80", "http+unix://%2Frun%2Fapp.sock"] {
            let origins = Origins::default();
            let [one, other] = ["/a", "?b"].map(|rest| origins.url(&format!("{authority}{rest}")).unwrap());
            assert!(Arc::ptr_eq(one.shared_origin(), other.shared_origin()), "{authority}");
            // Found without another insertion: the lookup is by the text.
            let found = origins.0.read().origins.contains_key(&one.as_str()[..authority_end(one.as_str())]);
            assert!(found, "{authority}");
        }
        origins.url("http://u:secret@h:81/").unwrap();
        assert_eq!(origins.0.read().origins.len(), 1);
        assert!(origins.url("http://h:0/").is_err());
        for port in 1..=Origins::CAPACITY + 1 {
            origins.url(&format!("http://h:{port}/")).unwrap();
        }
        let known = origins.0.read();
        assert_eq!((known.origins.len(), known.turns.len()), (Origins::CAPACITY, Origins::CAPACITY));
    }

    /// Origins that are held stay, and do not keep others in the table.
    #[test]
    fn an_authority_that_is_held_is_not_forgotten() {
        let origins = Origins::default();
        let url = |number: usize| origins.url(&format!("http://h{number}/")).unwrap();
        let count = 2 * Origins::CAPACITY;
        let held: Vec<_> = (0..count).map(url).collect();
        (0..2 * count).for_each(|number| drop(url(count + number)));
        for (number, held) in held.iter().enumerate() {
            assert!(Arc::ptr_eq(url(number).shared_origin(), held.shared_origin()), "{number}");
        }
        assert!(origins.0.read().origins.len() <= count + count / 2 + 1);
        drop(held);
        (0..count).for_each(|number| drop(url(4 * count + number)));
        let known = origins.0.read();
        assert_eq!((known.origins.len(), known.turns.len()), (Origins::CAPACITY, Origins::CAPACITY));
    }
}

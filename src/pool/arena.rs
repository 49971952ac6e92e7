//! Slots with stable ids, and doubly linked lists of slots.
//!
//! Every list operation is O(1) and allocates nothing: the links are in the slots.

use std::ops::{Index, IndexMut};

/// The place of a slot. It is valid until the slot is removed. The pool keeps no id for longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u32);

impl Id {
    const NIL: Id = Id(u32::MAX);

    fn get(self) -> Option<Id> {
        (self != Id::NIL).then_some(self)
    }
}

#[derive(Debug)]
enum Slot<T> {
    Full(T),
    Free(Id),
}

/// A growing table that uses freed slots again.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    slots: Vec<Slot<T>>,
    free: Id,
    len: usize,
}

impl<T> Arena<T> {
    pub(crate) fn new() -> Self {
        Arena { slots: Vec::new(), free: Id::NIL, len: 0 }
    }

    pub(crate) fn insert(&mut self, value: T) -> Id {
        self.len += 1;
        let Some(id) = self.free.get() else {
            self.slots.push(Slot::Full(value));
            return Id(self.slots.len() as u32 - 1);
        };
        if let Slot::Free(next) = std::mem::replace(&mut self.slots[id.0 as usize], Slot::Full(value)) {
            self.free = next;
        }
        id
    }

    pub(crate) fn remove(&mut self, id: Id) -> Option<T> {
        self.get(id)?;
        let slot = std::mem::replace(&mut self.slots[id.0 as usize], Slot::Free(self.free));
        self.free = id;
        self.len -= 1;
        match slot {
            Slot::Full(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        match self.slots.get(id.0 as usize) {
            Some(Slot::Full(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        match self.slots.get_mut(id.0 as usize) {
            Some(Slot::Full(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of slots, free ones included.
    #[cfg(test)]
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        self.slots.iter().enumerate().filter_map(|(at, slot)| match slot {
            Slot::Full(value) => Some((Id(at as u32), value)),
            Slot::Free(_) => None,
        })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Full(value) => Some(value),
            Slot::Free(_) => None,
        })
    }
}

impl<T> Index<Id> for Arena<T> {
    type Output = T;

    fn index(&self, id: Id) -> &T {
        self.get(id).expect("an id is dropped together with its slot")
    }
}

impl<T> IndexMut<Id> for Arena<T> {
    fn index_mut(&mut self, id: Id) -> &mut T {
        self.get_mut(id).expect("an id is dropped together with its slot")
    }
}

/// A slot's neighbours in one list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    newer: Id,
    older: Id,
}

impl Link {
    pub(crate) const UNLINKED: Link = Link { newer: Id::NIL, older: Id::NIL };
}

/// A value that can be in lists. `list` is the number of the list that the link belongs to.
pub(crate) trait Linked {
    fn link(&mut self, list: usize) -> &mut Link;
    fn link_ref(&self, list: usize) -> &Link;
}

/// A list from its newest member to its oldest. It uses link number `LIST` of its members.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List<const LIST: usize> {
    newest: Id,
    oldest: Id,
    len: u32,
}

impl<const LIST: usize> List<LIST> {
    pub(crate) fn new() -> Self {
        List { newest: Id::NIL, oldest: Id::NIL, len: 0 }
    }

    pub(crate) fn newest(&self) -> Option<Id> {
        self.newest.get()
    }

    pub(crate) fn oldest(&self) -> Option<Id> {
        self.oldest.get()
    }

    /// Returns the oldest member other than `id`, which is this value.
    #[inline]
    pub(crate) fn oldest_without<T: Linked>(&self, id: Id, value: &T) -> Option<Id> {
        if self.oldest == id { value.link_ref(LIST).newer.get() } else { self.oldest() }
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn push<T: Linked>(&mut self, arena: &mut Arena<T>, id: Id) {
        *arena[id].link(LIST) = self.join(arena, id);
    }

    /// Makes `id` the newest member. Returns its link, which the caller stores.
    #[inline]
    pub(crate) fn join<T: Linked>(&mut self, arena: &mut Arena<T>, id: Id) -> Link {
        let older = std::mem::replace(&mut self.newest, id);
        match older.get() {
            Some(older) => arena[older].link(LIST).newer = id,
            None => self.oldest = id,
        }
        self.len += 1;
        Link { newer: Id::NIL, older }
    }

    /// Removes `id`, which is in this list.
    pub(crate) fn unlink<T: Linked>(&mut self, arena: &mut Arena<T>, id: Id) {
        let link = std::mem::replace(arena[id].link(LIST), Link::UNLINKED);
        self.leave(arena, link);
    }

    /// Removes the member that had this link.
    #[inline]
    pub(crate) fn leave<T: Linked>(&mut self, arena: &mut Arena<T>, link: Link) {
        let Link { newer, older } = link;
        match newer.get() {
            Some(newer) => arena[newer].link(LIST).older = older,
            None => self.newest = older,
        }
        match older.get() {
            Some(older) => arena[older].link(LIST).newer = newer,
            None => self.oldest = newer,
        }
        self.len -= 1;
    }

    /// Returns the members from the oldest to the newest.
    pub(crate) fn iter<T: Linked>(&self, arena: &Arena<T>) -> impl Iterator<Item = Id> {
        std::iter::successors(self.oldest.get(), |id| arena[*id].link_ref(LIST).newer.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Value(Link);

    impl Linked for Value {
        fn link(&mut self, _: usize) -> &mut Link {
            &mut self.0
        }

        fn link_ref(&self, _: usize) -> &Link {
            &self.0
        }
    }

    #[test]
    fn members_leave_from_any_place() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut arena = Arena::new();
            let mut list = List::<0>::new();
            let ids = [(); 3].map(|()| arena.insert(Value(Link::UNLINKED)));
            ids.iter().for_each(|&id| list.push(&mut arena, id));
            let mut left = ids.to_vec();
            for place in order {
                list.unlink(&mut arena, ids[place]);
                left.retain(|&id| id != ids[place]);
                assert_eq!(list.iter(&arena).collect::<Vec<_>>(), left);
                assert_eq!((list.oldest(), list.newest()), (left.first().copied(), left.last().copied()));
            }
            assert!(list.is_empty());
        }
    }

    #[test]
    fn slots_are_used_again() {
        let mut arena = Arena::new();
        let ids = [1, 2, 3].map(|value| arena.insert(value));
        assert_eq!(arena.remove(ids[1]), Some(2));
        assert_eq!(arena.remove(ids[1]), None);
        assert_eq!(arena.insert(4), ids[1]);
        assert_eq!(arena.len(), 3);
        assert_eq!(arena.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [1, 4, 3]);
    }
}

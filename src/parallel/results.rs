//! The results of a batch that its reader has, in the order in which it returns them.

use std::collections::VecDeque;

/// A result that has a place in its batch.
pub(super) trait Placed {
    /// Returns the place, counted from 0.
    fn place(&self) -> usize;
}

/// Results in boxes, which are used again.
pub(super) enum Results<S> {
    /// They are returned in the order of their requests.
    InOrder {
        /// The place of the next one to return.
        next: usize,
        /// How many have arrived.
        len: usize,
        /// Those from that place on. A gap has not arrived.
        boxes: VecDeque<Option<Box<S>>>,
    },
    /// They are returned in the order in which they arrived.
    AsCompleted(VecDeque<Box<S>>),
}

/// The result that the reader wants next.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    Any,
    Place(usize),
}

impl<S: Placed> Results<S> {
    /// `next` is the first place.
    pub(super) fn in_order(next: usize) -> Results<S> {
        Results::InOrder { next, len: 0, boxes: VecDeque::new() }
    }

    /// Returns the same results in the order in which they arrive.
    pub(super) fn as_completed(&mut self) -> Results<S> {
        Results::AsCompleted(self.drain().collect())
    }

    /// Returns an empty list of the same order. `next` is its first place.
    pub(super) fn anew<U: Placed>(&self, next: usize) -> Results<U> {
        if self.is_as_completed() { Results::AsCompleted(VecDeque::new()) } else { Results::in_order(next) }
    }

    pub(super) fn is_as_completed(&self) -> bool {
        matches!(self, Results::AsCompleted(_))
    }

    pub(super) fn put(&mut self, one: Box<S>) {
        match self {
            Results::InOrder { next, len, boxes } => {
                *len += 1;
                // All before `next` were returned, and each place comes once.
                let at = one.place().saturating_sub(*next);
                if at >= boxes.len() {
                    boxes.resize_with(at + 1, || None);
                }
                boxes[at] = Some(one);
            }
            Results::AsCompleted(boxes) => boxes.push_back(one),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Results::InOrder { len, .. } => *len,
            Results::AsCompleted(boxes) => boxes.len(),
        }
    }

    pub(super) fn wanted(&self) -> Wanted {
        match self {
            Results::InOrder { next, .. } => Wanted::Place(*next),
            Results::AsCompleted(_) => Wanted::Any,
        }
    }

    /// Returns whether the wanted result is there.
    pub(super) fn is_due(&self) -> bool {
        match self {
            Results::InOrder { boxes, .. } => boxes.front().is_some_and(Option::is_some),
            Results::AsCompleted(boxes) => !boxes.is_empty(),
        }
    }

    /// Takes the wanted result out.
    pub(super) fn take(&mut self) -> Option<Box<S>> {
        match self {
            Results::InOrder { next, len, boxes } => {
                let one = boxes.front_mut()?.take()?;
                boxes.pop_front();
                *next += 1;
                *len -= 1;
                Some(one)
            }
            Results::AsCompleted(boxes) => boxes.pop_front(),
        }
    }

    /// Takes all results out, in any order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Box<S>> + use<S> {
        let (gaps, boxes) = match self {
            Results::InOrder { len, boxes, .. } => {
                *len = 0;
                (std::mem::take(boxes), VecDeque::new())
            }
            Results::AsCompleted(boxes) => (VecDeque::new(), std::mem::take(boxes)),
        };
        gaps.into_iter().flatten().chain(boxes)
    }
}

//! Patterns that take linear time: compiled where they are authored, matched everywhere.
//!
//! The program is that of K. Thompson, *Regular Expression Search Algorithm* (CACM 1968), run on all
//! its threads at once as R. Pike does: the time is at most the text's length times the program's.

#[cfg(feature = "wire")]
mod compile;
#[cfg(feature = "wire")]
mod dialect;

#[cfg(feature = "wire")]
pub use compile::PatternRefusal;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pub(super) steps: Vec<Step>,
    /// Ranges of code points, first and last, of all steps.
    pub(super) ranges: Vec<(u32, u32)>,
}

/// One step of a program. Where a step leads to is checked when a program is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Found,
    /// The next character is in one of the ranges from the first number up to the second; goes on behind it.
    Take {
        first: u16,
        end: u16,
    },
    /// Goes on at both steps.
    Fork(u16, u16),
    /// Goes on where the place is of that kind.
    Place(Place),
}

/// A kind of place between two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Place {
    Start,
    End,
    LineStart,
    LineEnd,
    WordEdge,
    NoWordEdge,
}

impl Place {
    fn is_between(self, before: Option<char>, after: Option<char>) -> bool {
        let line_end = |letter: Option<char>| {
            letter.is_none_or(|letter| matches!(letter, '\n' | '\r' | '\u{2028}' | '\u{2029}'))
        };
        let word = |letter: Option<char>| {
            letter.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        match self {
            Self::Start => before.is_none(),
            Self::End => after.is_none(),
            Self::LineStart => line_end(before),
            Self::LineEnd => line_end(after),
            Self::WordEdge => word(before) != word(after),
            Self::NoWordEdge => word(before) == word(after),
        }
    }
}

/// The steps at which threads wait for the next character; each stands in it once.
struct Threads {
    waiting: Vec<u16>,
    seen: Vec<bool>,
}

impl Pattern {
    /// Whether the pattern is found anywhere in the text.
    pub fn found_in(&self, text: &str) -> bool {
        let threads = || Threads { waiting: Vec::new(), seen: vec![false; self.steps.len()] };
        let (mut now, mut next) = (threads(), threads());
        let (mut letters, mut before) = (text.chars(), None);
        loop {
            let after = letters.clone().next();
            if self.follow(0, &mut now, before, after) {
                return true;
            }
            let Some(letter) = letters.next() else { return false };
            let then = letters.clone().next();
            for &step in &now.waiting {
                if let Some(Step::Take { first, end }) = self.steps.get(usize::from(step))
                    && self.takes(*first, *end, letter)
                    && self.follow(step + 1, &mut next, Some(letter), then)
                {
                    return true;
                }
            }
            core::mem::swap(&mut now, &mut next);
            next.waiting.clear();
            next.seen.fill(false);
            before = Some(letter);
        }
    }

    fn takes(&self, first: u16, end: u16, letter: char) -> bool {
        let ranges = self.ranges.get(usize::from(first)..usize::from(end)).unwrap_or_default();
        let code = u32::from(letter);
        let behind = ranges.partition_point(|&(low, _)| low <= code);
        behind.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|&(_, high)| code <= high)
    }

    /// Adds the steps that are reached from `step` without taking a character; whether the end is one.
    fn follow(
        &self,
        step: u16,
        threads: &mut Threads,
        before: Option<char>,
        after: Option<char>,
    ) -> bool {
        let mut open = vec![step];
        while let Some(step) = open.pop() {
            let Some(seen) = threads.seen.get_mut(usize::from(step)) else { continue };
            if core::mem::replace(seen, true) {
                continue;
            }
            match self.steps.get(usize::from(step)) {
                Some(Step::Found) => return true,
                Some(Step::Fork(left, right)) => open.extend([*left, *right]),
                Some(Step::Place(place)) if place.is_between(before, after) => open.push(step + 1),
                Some(Step::Take { .. }) => threads.waiting.push(step),
                _ => {}
            }
        }
        false
    }
}

//! From JavaScript's regular expressions to programs.

use super::{Pattern, Place, Step, dialect};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

/// A program has at most this many steps, counted repetitions written out.
const MAX_STEPS: usize = 4000;
/// And so many ranges of characters.
const MAX_RANGES: usize = 8000;

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternRefusal {
    #[error("the pattern needs {0}, which can take time without bound; write it without")]
    Backtracking(&'static str),
    #[error("the pattern is malformed: {0}")]
    Malformed(String),
    #[error("the pattern is too large: repetitions are written out, and at most 4,000 steps fit")]
    TooLarge,
}

impl Pattern {
    /// Compiles a regular expression as JavaScript's `RegExp` reads it, without flags or with `i`.
    ///
    /// # Errors
    /// Look-around and back-references, which no linear-time matcher can do; what is malformed; what
    /// is too large.
    pub fn compile(source: &str, any_case: bool) -> Result<Self, PatternRefusal> {
        let translated = dialect::translate(source)?;
        let mut parser =
            ParserBuilder::new().utf8(false).case_insensitive(any_case).nest_limit(64).build();
        let parsed = parser.parse(&translated).map_err(|error| {
            let reason = match &error {
                regex_syntax::Error::Parse(error) => error.kind().to_string(),
                regex_syntax::Error::Translate(error) => error.kind().to_string(),
                _ => error.to_string(),
            };
            PatternRefusal::Malformed(reason)
        })?;
        let mut pattern = Self { steps: Vec::new(), ranges: Vec::new() };
        pattern.add(&parsed)?;
        pattern.push(Step::Found)?;
        Ok(pattern)
    }

    fn add(&mut self, part: &Hir) -> Result<(), PatternRefusal> {
        match part.kind() {
            HirKind::Empty => Ok(()),
            HirKind::Literal(literal) => {
                let text = core::str::from_utf8(&literal.0)
                    .map_err(|_| PatternRefusal::Malformed("it is not text".to_owned()))?;
                text.chars().try_for_each(|letter| {
                    self.take([(u32::from(letter), u32::from(letter))].into_iter())
                })
            }
            HirKind::Class(Class::Unicode(class)) => {
                self.take(class.iter().map(|range| (range.start().into(), range.end().into())))
            }
            HirKind::Class(Class::Bytes(class)) => {
                self.take(class.iter().map(|range| (range.start().into(), range.end().into())))
            }
            HirKind::Look(look) => self.push(Step::Place(place(*look)?)),
            HirKind::Repetition(repetition) => self.repeat(repetition),
            HirKind::Capture(capture) => self.add(&capture.sub),
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.add(part)),
            HirKind::Alternation(parts) => self.one_of(parts),
        }
    }

    fn push(&mut self, step: Step) -> Result<(), PatternRefusal> {
        if self.steps.len() >= MAX_STEPS || self.ranges.len() > MAX_RANGES {
            return Err(PatternRefusal::TooLarge);
        }
        self.steps.push(step);
        Ok(())
    }

    fn take(&mut self, ranges: impl Iterator<Item = (u32, u32)>) -> Result<(), PatternRefusal> {
        let wanted: Vec<_> = ranges.collect();
        let known = self.ranges.windows(wanted.len().max(1)).position(|known| known == wanted);
        let first = if wanted.is_empty() { Some(0) } else { known }.unwrap_or_else(|| {
            self.ranges.extend(&wanted);
            self.ranges.len() - wanted.len()
        });
        self.push(Step::Take { first: first as u16, end: (first + wanted.len()) as u16 })
    }

    /// A fork whose ways are known later.
    fn fork(&mut self) -> Result<usize, PatternRefusal> {
        self.push(Step::Fork(0, 0))?;
        Ok(self.steps.len() - 1)
    }

    fn here(&self) -> u16 {
        self.steps.len() as u16
    }

    fn lead(&mut self, fork: usize, left: u16, right: u16) {
        if let Some(step) = self.steps.get_mut(fork) {
            *step = Step::Fork(left, right);
        }
    }

    fn repeat(&mut self, repetition: &Repetition) -> Result<(), PatternRefusal> {
        for _ in 0..repetition.min {
            self.add(&repetition.sub)?;
        }
        match repetition.max {
            None => {
                let fork = self.fork()?;
                self.add(&repetition.sub)?;
                let back = self.fork()?;
                self.lead(back, fork as u16, fork as u16);
                self.lead(fork, fork as u16 + 1, self.here());
            }
            Some(max) => {
                let mut forks = Vec::new();
                for _ in repetition.min..max {
                    forks.push(self.fork()?);
                    self.add(&repetition.sub)?;
                }
                for fork in forks {
                    self.lead(fork, fork as u16 + 1, self.here());
                }
            }
        }
        Ok(())
    }

    fn one_of(&mut self, parts: &[Hir]) -> Result<(), PatternRefusal> {
        let mut ends = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            if index + 1 == parts.len() {
                self.add(part)?;
                break;
            }
            let fork = self.fork()?;
            self.add(part)?;
            ends.push(self.fork()?);
            self.lead(fork, fork as u16 + 1, self.here());
        }
        for end in ends {
            self.lead(end, self.here(), self.here());
        }
        Ok(())
    }
}

fn place(look: Look) -> Result<Place, PatternRefusal> {
    Ok(match look {
        Look::Start => Place::Start,
        Look::End => Place::End,
        Look::StartLF | Look::StartCRLF => Place::LineStart,
        Look::EndLF | Look::EndCRLF => Place::LineEnd,
        Look::WordAscii | Look::WordUnicode => Place::WordEdge,
        Look::WordAsciiNegate | Look::WordUnicodeNegate => Place::NoWordEdge,
        _ => return Err(PatternRefusal::Malformed("a place of an unknown kind".to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> bool {
        Pattern::compile(pattern, false).unwrap().found_in(text)
    }

    #[test]
    fn patterns_mean_what_they_mean_in_javascript() {
        for (pattern, inside, outside) in [
            (r"^/pricing/?$", "/pricing", "/pricing/eu"),
            (r"\d{3}-\d{2,}", "call 555-1234", "٥٥٥-١٢"),
            (r"a{2,4}b", "xaaab", "ab"),
            (r"^(foo|ba[rz])+$", "foobarbaz", "foobat"),
            (r"\bcat\b", "a cat.", "concatenate"),
            (r"[^\s]@[\w.]+", "ann@acme.com", "a @ b"),
            (r"[[&&a]", "[", "b"),
            (r"a{", "a{", "a"),
            (r"x{,3}", "x{,3}", "xxx"),
            (r"colou?r", "color", "colr"),
            (r"^.$", "é", "\u{2028}"),
            (r"\u0041\x42\/", "AB/", "AB"),
            (r"(?<year>\d{4})", "2026", "20"),
            (r"[^]", "\n", ""),
            (r"\cJ|\0", "\n", "J"),
            (r"[\b]", "\u{8}", "b"),
            (r"a|", "", "\u{0}never"),
        ] {
            assert!(found(pattern, inside), "{pattern} in {inside:?}");
            assert!(pattern == "a|" || !found(pattern, outside), "{pattern} in {outside:?}");
        }
        assert!(Pattern::compile("STRASSE|É", true).unwrap().found_in("die straSSe"));
        assert!(Pattern::compile("É", true).unwrap().found_in("é"));
    }

    #[test]
    fn what_cannot_be_matched_in_linear_time_is_refused_with_the_reason() {
        for (pattern, reason) in [
            (r"(a)\1", "back-reference"),
            (r"(?=a)b", "look-around"),
            (r"(?<!a)b", "look-around"),
            (r"\k<name>", "back-reference"),
        ] {
            let refusal = Pattern::compile(pattern, false).unwrap_err().to_string();
            assert!(refusal.contains(reason), "{refusal}");
        }
        for pattern in ["(", "a)", "[a", "*a", "a**", "(?a)", "[z-a]", "a{3,1}", "/???***[)", "\\"]
        {
            let refused = Pattern::compile(pattern, false);
            assert!(matches!(refused, Err(PatternRefusal::Malformed(_))), "{pattern}: {refused:?}");
        }
        assert_eq!(Pattern::compile("(a{1000}){1000}", false), Err(PatternRefusal::TooLarge));
    }

    #[test]
    fn nothing_takes_more_than_linear_time() {
        let text = "a".repeat(20_000);
        assert!(!found("(a*)*b", &text));
        assert!(!found("(a|aa)+$b", &text));
        assert!(!found("(((a?){10}){10}){10}b", &text[..500]));
    }
}

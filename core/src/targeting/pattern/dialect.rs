//! JavaScript's regular expressions, written as the parser's: where both read a sign differently, it is
//! replaced by what means the same to the parser.

use super::PatternRefusal;
use core::iter::Peekable;
use core::str::Chars;

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
const SPACE: &str =
    r"\x09-\x0D\x20\xA0\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}";
const ANY_BUT_LINE_ENDS: &str = r"[^\n\r\x{2028}\x{2029}]";

/// Writes a pattern for the parser.
///
/// # Errors
/// What needs backtracking, and what JavaScript refuses but the parser would not.
pub fn translate(source: &str) -> Result<String, PatternRefusal> {
    let mut translator = Translator { rest: source.chars().peekable(), out: String::new() };
    // Whether something stands before that a quantifier can repeat.
    let mut repeatable = false;
    while let Some(letter) = translator.rest.next() {
        repeatable = translator.one(letter, repeatable)?;
    }
    Ok(translator.out)
}

struct Translator<'s> {
    rest: Peekable<Chars<'s>>,
    out: String,
}

/// What a backslash and what follows it mean.
enum Escape {
    Letter(char),
    /// A set of characters, to stand within brackets, and whether all others are meant.
    Set(&'static str, bool),
    WordEdge(char),
}

impl Translator<'_> {
    /// Writes what begins with `letter`, and says whether it can be repeated.
    fn one(&mut self, letter: char, repeatable: bool) -> Result<bool, PatternRefusal> {
        match letter {
            '\\' => match self.escape(false)? {
                Escape::Letter(letter) => self.letter(letter),
                Escape::Set(set, negated) => {
                    self.out.push_str(if negated { "[^" } else { "[" });
                    self.out.push_str(set);
                    self.out.push(']');
                }
                Escape::WordEdge(letter) => {
                    self.out.push_str("(?-u:\\");
                    self.out.push(letter);
                    self.out.push(')');
                    return Ok(false);
                }
            },
            '[' => self.class()?,
            '(' => return self.group().map(|()| false),
            '.' => self.out.push_str(ANY_BUT_LINE_ENDS),
            '^' | '$' | '|' => {
                self.out.push(letter);
                return Ok(false);
            }
            ')' => self.out.push(')'),
            '*' | '+' | '?' => return self.quantifier(String::from(letter), repeatable),
            '{' => match self.counts() {
                Some(counts) => return self.quantifier(counts, repeatable),
                None => self.letter('{'),
            },
            _ => self.letter(letter),
        }
        Ok(true)
    }

    fn letter(&mut self, letter: char) {
        if letter.is_ascii_alphanumeric() || !letter.is_ascii() {
            self.out.push(letter);
        } else {
            self.out.push_str(&format!("\\x{:02X}", u32::from(letter)));
        }
    }

    fn quantifier(&mut self, quantifier: String, repeatable: bool) -> Result<bool, PatternRefusal> {
        if !repeatable {
            return Err(malformed("a quantifier stands behind nothing that it could repeat"));
        }
        self.out.push_str(&quantifier);
        // Whether it takes much or little changes nothing about whether it is found.
        self.rest.next_if_eq(&'?');
        Ok(false)
    }

    /// The rest of `{2}`, `{2,}` or `{2,3}`; nothing is taken where it is none of them.
    fn counts(&mut self) -> Option<String> {
        let body: String = self.rest.clone().take_while(|&letter| letter != '}').collect();
        let closed = self.rest.clone().nth(body.chars().count()) == Some('}');
        let mut numbers = body.split(',');
        let number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let first = numbers.next().is_some_and(number);
        let second = numbers.next().is_none_or(|text| text.is_empty() || number(text));
        if !(closed && first && second && numbers.next().is_none()) {
            return None;
        }
        (0..=body.chars().count()).for_each(|_| {
            self.rest.next();
        });
        Some(format!("{{{body}}}"))
    }

    fn group(&mut self) -> Result<(), PatternRefusal> {
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        let mut ahead = self.rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('='), _) | (Some('!'), _) | (Some('<'), Some('=' | '!')) => {
                Err(PatternRefusal::Backtracking("look-around"))
            }
            (Some('<'), _) => {
                // The name says nothing to a matcher.
                self.rest
                    .find(|&letter| letter == '>')
                    .map(|_| ())
                    .ok_or_else(|| malformed("a group's name does not end"))
            }
            (Some(':'), _) => {
                self.out.push_str("?:");
                self.rest.next();
                Ok(())
            }
            _ => Err(malformed("`(?` begins nothing that is known")),
        }
    }

    fn class(&mut self) -> Result<(), PatternRefusal> {
        let negated = self.rest.next_if_eq(&'^').is_some();
        if self.rest.next_if_eq(&']').is_some() {
            // `[]` is nothing, `[^]` anything.
            self.out.push_str(if negated { r"[\x00-\x{10FFFF}]" } else { r"[^\x00-\x{10FFFF}]" });
            return Ok(());
        }
        self.out.push_str(if negated { "[^" } else { "[" });
        loop {
            match self.rest.next() {
                None => return Err(malformed("a class of characters does not end")),
                Some(']') => break,
                Some('\\') => match self.escape(true)? {
                    Escape::Letter(letter) => self.letter(letter),
                    Escape::Set(set, false) => self.out.push_str(set),
                    Escape::Set(set, true) => {
                        self.out.push_str("[^");
                        self.out.push_str(set);
                        self.out.push(']');
                    }
                    Escape::WordEdge(_) => self.out.push_str("\\x08"),
                },
                // Between two characters it is a range; at the ends the parser takes it for itself.
                Some('-') => self.out.push('-'),
                Some(letter) => self.letter(letter),
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn escape(&mut self, in_class: bool) -> Result<Escape, PatternRefusal> {
        let letter = self.rest.next().ok_or_else(|| malformed("it ends with a backslash"))?;
        Ok(match letter {
            'd' => Escape::Set(DIGIT, false),
            'D' => Escape::Set(DIGIT, true),
            'w' => Escape::Set(WORD, false),
            'W' => Escape::Set(WORD, true),
            's' => Escape::Set(SPACE, false),
            'S' => Escape::Set(SPACE, true),
            'b' => Escape::WordEdge('b'),
            'B' if !in_class => Escape::WordEdge('B'),
            't' => Escape::Letter('\t'),
            'n' => Escape::Letter('\n'),
            'r' => Escape::Letter('\r'),
            'f' => Escape::Letter('\u{c}'),
            'v' => Escape::Letter('\u{b}'),
            '0' => Escape::Letter('\0'),
            '1'..='9' | 'k' if !in_class => {
                return Err(PatternRefusal::Backtracking("a back-reference"));
            }
            'x' => Escape::Letter(self.code(2).unwrap_or('x')),
            'u' => Escape::Letter(self.code(4).unwrap_or('u')),
            'c' => {
                let control = self.rest.next_if(char::is_ascii_alphabetic);
                Escape::Letter(control.map_or('c', |letter| char::from(letter as u8 & 31)))
            }
            other => Escape::Letter(other),
        })
    }

    /// The character whose code the next hexadecimal digits are.
    fn code(&mut self, digits: usize) -> Option<char> {
        let text: String = self.rest.clone().take(digits).collect();
        let all = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let code = u32::from_str_radix(&text, 16).ok().and_then(char::from_u32)?;
        all.then(|| {
            self.rest.by_ref().take(digits).for_each(drop);
            code
        })
    }
}

fn malformed(reason: &str) -> PatternRefusal {
    PatternRefusal::Malformed(reason.to_owned())
}

//! The small part of regular expressions that record schemas use, in time linear in the text: anchors, classes, escapes, quantifiers.
//!
//! No groups, no alternatives, no lookaround, no back references: a pattern with one is refused, never half understood. A general engine
//! would be larger than the rest of the module.

use std::iter::Peekable;
use std::str::Chars;

use enact_guest_sdk::Violation;

/// Most repetitions that a quantifier may ask for by number.
const REPEAT_MAX: usize = 1000;

/// A parsed pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    from_start: bool,
    to_end: bool,
    pieces: Vec<Piece>,
}

/// A class of characters and how often it repeats.
#[derive(Debug)]
struct Piece {
    class: Class,
    least: usize,
    most: usize,
}

/// Ranges of characters, both ends included, or everything else.
#[derive(Debug, Default)]
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn one(character: char) -> Self {
        Self { negated: false, ranges: vec![(character, character)] }
    }

    fn holds(&self, character: char) -> bool {
        self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&character)) != self.negated
    }
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Syntax outside the supported part.
    pub(crate) fn parse(text: &str) -> Result<Self, Violation> {
        let (from_start, text) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
        // A `$` behind an odd number of backslashes is a character.
        let escaped = text.strip_suffix('$').is_some_and(|rest| (rest.len() - rest.trim_end_matches('\\').len()) % 2 == 1);
        let (to_end, text) = match text.strip_suffix('$') {
            Some(rest) if !escaped => (true, rest),
            _ => (false, text),
        };
        let mut rest = text.chars().peekable();
        let mut pieces = Vec::new();
        while let Some(character) = rest.next() {
            let class = match character {
                '[' => class(&mut rest)?,
                '\\' => escape(rest.next().ok_or(Violation)?)?,
                '.' => Class { negated: true, ranges: vec![('\n', '\n')] },
                '(' | ')' | '|' | '*' | '+' | '?' | '{' | '}' | '^' | '$' | ']' => return Err(Violation),
                plain => Class::one(plain),
            };
            let (least, most) = quantifier(&mut rest)?;
            pieces.push(Piece { class, least, most });
        }
        Ok(Self { from_start, to_end, pieces })
    }

    /// Whether the text, or a part of it where the pattern has no anchors, fits.
    pub(crate) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        // reached[i]: the pieces so far can end before character i.
        let mut reached: Vec<bool> = (0..=text.len()).map(|at| at == 0 || !self.from_start).collect();
        for piece in &self.pieces {
            reached = piece.advance(&text, &reached);
        }
        if self.to_end { reached[text.len()] } else { reached.contains(&true) }
    }
}

impl Piece {
    /// Where this piece can end, given where it can begin.
    fn advance(&self, text: &[char], begins: &[bool]) -> Vec<bool> {
        let places = begins.len();
        // run[i]: how many characters of the class follow place i.
        let mut run = vec![0_usize; places];
        for at in (0..text.len()).rev() {
            run[at] = if self.class.holds(text[at]) { run[at + 1] + 1 } else { 0 };
        }
        // Each beginning covers a stretch of ends; opened and closed count the stretches that start and stop at a place.
        let (mut opened, mut closed) = (vec![0_usize; places + 1], vec![0_usize; places + 1]);
        for at in 0..places {
            if begins[at] && run[at] >= self.least {
                opened[at + self.least] += 1;
                closed[at + run[at].min(self.most) + 1] += 1;
            }
        }
        let mut open = 0;
        (0..places)
            .map(|at| {
                open = open + opened[at] - closed[at];
                open > 0
            })
            .collect()
    }
}

fn quantifier(rest: &mut Peekable<Chars<'_>>) -> Result<(usize, usize), Violation> {
    let (least, most) = match rest.peek() {
        Some('*') => (0, usize::MAX),
        Some('+') => (1, usize::MAX),
        Some('?') => (0, 1),
        Some('{') => {
            rest.next();
            let least = count(rest)?.ok_or(Violation)?;
            let most = match rest.peek() {
                Some(',') => {
                    rest.next();
                    count(rest)?.unwrap_or(usize::MAX)
                }
                _ => least,
            };
            if rest.peek() != Some(&'}') || most < least {
                return Err(Violation);
            }
            (least, most)
        }
        _ => return Ok((1, 1)),
    };
    rest.next();
    // A second quantifier would make the first lazy, possessive or meaningless.
    if matches!(rest.peek(), Some('*' | '+' | '?' | '{')) { Err(Violation) } else { Ok((least, most)) }
}

fn count(rest: &mut Peekable<Chars<'_>>) -> Result<Option<usize>, Violation> {
    let mut number = None;
    while let Some(digit) = rest.peek().and_then(|digit| digit.to_digit(10)) {
        rest.next();
        let next = number.unwrap_or(0) * 10 + digit as usize;
        if next > REPEAT_MAX {
            return Err(Violation);
        }
        number = Some(next);
    }
    Ok(number)
}

fn escape(character: char) -> Result<Class, Violation> {
    let (negated, ranges): (bool, &[(char, char)]) = match character {
        'd' => (false, &[('0', '9')]),
        'D' => (true, &[('0', '9')]),
        'w' => (false, &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
        'W' => (true, &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
        's' => (false, &[('\t', '\r'), (' ', ' ')]),
        'S' => (true, &[('\t', '\r'), (' ', ' ')]),
        punctuation if punctuation.is_ascii_punctuation() => return Ok(Class::one(punctuation)),
        _ => return Err(Violation),
    };
    Ok(Class { negated, ranges: ranges.to_vec() })
}

/// The inside of `[…]`, whose opening bracket is behind us.
fn class(rest: &mut Peekable<Chars<'_>>) -> Result<Class, Violation> {
    let mut class = Class::default();
    if rest.peek() == Some(&'^') {
        rest.next();
        class.negated = true;
    }
    loop {
        let from = match rest.next().ok_or(Violation)? {
            ']' if class.ranges.is_empty() => return Err(Violation),
            ']' => return Ok(class),
            '[' => return Err(Violation),
            '\\' => match escape(rest.next().ok_or(Violation)?)? {
                Class { negated: false, ranges } => {
                    class.ranges.extend(ranges);
                    continue;
                }
                Class { negated: true, .. } => return Err(Violation),
            },
            plain => plain,
        };
        let mut ahead = rest.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) if to != ']' && to != '\\' && to != '[' => {
                rest.next();
                rest.next();
                to
            }
            _ => from,
        };
        if to < from {
            return Err(Violation);
        }
        class.ranges.push((from, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::parse(pattern).expect(pattern).fits(text)
    }

    #[test]
    fn patterns_of_the_supported_part_fit_what_they_say() {
        for (pattern, good, bad) in [
            ("^0x[0-9a-fA-F]{4}$", &["0x09aF"][..], &["0x09a", "0x09aF0", "x0x09aF", "0x09aG"][..]),
            (r"^[^@\s]+@[^@\s]+\.[^@\s]{2,}$", &["a+b@x.y.zz", "a@b.co"], &["a@b", "a b@c.de", "a@@b.cd", "@b.cd"]),
            ("^[A-Z][A-Z0-9_]*$", &["A", "A_9"], &["", "a", "9A", "A-"]),
            ("b+", &["abc", "b"], &["ac", ""]),
            (r"^\d{2,3}-?\w$", &["12a", "123-_"], &["1a", "1234a", "12-"]),
            ("^a*a$", &["a", "aaa"], &["", "b"]),
            (r"^a\$", &["a$", "a$b"], &["a"]),
            ("^.[.]$", &["x.", "é."], &["\n.", "xx"]),
            ("^[a-]+$", &["-a-"], &["b"]),
            ("", &["", "x"], &[]),
        ] {
            for text in good {
                assert!(fits(pattern, text), "{pattern} {text}");
            }
            for text in bad {
                assert!(!fits(pattern, text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn syntax_outside_the_supported_part_is_refused() {
        for pattern in [
            "(a)",
            "a|b",
            "a**",
            "a+?",
            "*",
            "[",
            "[]",
            "[z-a]",
            "a{",
            "a{2,1}",
            "a{1001}",
            r"\b",
            r"\1",
            "a$b",
            "a^",
            "}",
            "[[:alpha:]]",
            "\\",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_blows_up_backtracking_engines_is_linear() {
        assert!(!fits(&format!("^{}b$", "a*".repeat(30)), &"a".repeat(10_000)));
    }
}

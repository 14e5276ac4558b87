//! The quick reader: one pass over bytes that are canonical already, without writing them again.
//!
//! It reads any [`Deserialize`] type and lets only the canonical spelling through: no blank, members in order and once, the one escape of
//! a character, the one spelling of a number. It can say yes and no more: why bytes are refused is told by the slow reading
//! ([`super::check`]), which parses, writes again and compares. What is let through here is let through there, with the same value; tests
//! hold the two against each other.
//!
//! An optional member is left out when it is absent, so `null` is no value of an `Option` here.

use alloc::borrow::Cow;
use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::write::FLOAT_BOUND;
use super::{MAX_DEPTH, MAX_SAFE_INTEGER};

/// Name of the newtype that takes a value unread.
const RAW: &str = "enact canonical bytes";

/// Reads canonical bytes; nothing when they are not canonical, or not of this type.
pub(crate) fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Option<T> {
    read_text(core::str::from_utf8(bytes).ok()?)
}

/// The same of bytes that are known to be text.
pub(crate) fn read_text<'de, T: Deserialize<'de>>(text: &'de str) -> Option<T> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = T::deserialize(&mut reader).ok()?;
    (reader.at == text.len()).then_some(value)
}

/// A value whose bytes were seen to be canonical and are kept unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a>(pub(crate) &'a str);

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kept;
        impl<'de> Visitor<'de> for Kept {
            type Value = Raw<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("canonical bytes")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Raw<'de>, E> {
                Ok(Raw(text))
            }
        }
        deserializer.deserialize_newtype_struct(RAW, Kept)
    }
}

/// Text that is borrowed from the bytes unless it has an escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl Text<'_> {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.into())))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

/// The bytes are not canonical, or not of the type. Says no more, see above.
#[derive(Debug)]
struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not read")
    }
}

impl core::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// The text, how far it was read, and how many containers are open.
struct Reader<'de> {
    text: &'de str,
    at: usize,
    depth: usize,
}

/// A number in its one spelling.
enum Number {
    Natural(u64),
    Negative(i64),
    Double(f64),
}

/// Text as it stands between its quotes.
#[derive(Clone, Copy)]
struct Quoted<'de> {
    inner: &'de str,
    escaped: bool,
}

impl<'de> Quoted<'de> {
    fn text(self) -> Result<Cow<'de, str>, Stop> {
        if self.escaped { unescape(self.inner).map(Cow::Owned) } else { Ok(Cow::Borrowed(self.inner)) }
    }

    /// Whether this member name comes before another one.
    fn is_before(self, next: Self) -> bool {
        let order = if self.inner.is_ascii() && next.inner.is_ascii() && !self.escaped && !next.escaped {
            self.inner.cmp(next.inner)
        } else {
            let (Ok(a), Ok(b)) = (self.text(), next.text()) else { return false };
            compare_names(&a, &b)
        };
        order == Ordering::Less
    }
}

/// The order of member names: by UTF-16 code units (RFC 8785 §3.2.3).
fn compare_names(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

impl<'de> Reader<'de> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    fn rest(&self) -> &'de [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Reads this byte or stops.
    fn expect(&mut self, byte: u8) -> Result<(), Stop> {
        if self.peek() != Some(byte) {
            return Err(Stop);
        }
        self.skip(1);
        Ok(())
    }

    /// Reads this byte if it is next.
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.skip(usize::from(found));
        found
    }

    fn literal(&mut self, word: &str) -> Result<(), Stop> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(Stop);
        }
        self.skip(word.len());
        Ok(())
    }

    fn enter(&mut self, opening: u8) -> Result<(), Stop> {
        self.expect(opening)?;
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH { Err(Stop) } else { Ok(()) }
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Reads text with its quotes. An escape must be one that a writer makes.
    fn quoted(&mut self) -> Result<Quoted<'de>, Stop> {
        self.expect(b'"')?;
        let (start, mut escaped) = (self.at, false);
        loop {
            self.skip(plain(self.rest()));
            match self.rest() {
                [b'"', ..] => break,
                [b'\\', b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r', ..] => self.skip(2),
                [b'\\', b'u', b'0', b'0', high, low, ..] if is_control(*high, *low) => self.skip(6),
                _ => return Err(Stop),
            }
            escaped = true;
        }
        let inner = self.text.get(start..self.at).ok_or(Stop)?;
        self.skip(1);
        Ok(Quoted { inner, escaped })
    }

    fn number(&mut self) -> Result<Number, Stop> {
        let rest = self.rest();
        let negative = rest.first() == Some(&b'-');
        let digits = rest.get(usize::from(negative)..).unwrap_or_default();
        let whole = digits.iter().take_while(|b| b.is_ascii_digit()).count();
        if matches!(digits.get(whole), Some(b'.' | b'e' | b'E')) {
            return self.double();
        }
        let digits = digits.get(..whole).unwrap_or_default();
        // One digit, or more that do not begin with a zero; zero has no sign. Sixteen digits hold 2^53 − 1.
        let one_spelling = match digits {
            [] => false,
            [b'0', more @ ..] => more.is_empty() && !negative,
            _ => digits.len() <= 16,
        };
        let magnitude = digits.iter().fold(0_u64, |sum, digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit & 0x0f)));
        if !one_spelling || magnitude > MAX_SAFE_INTEGER {
            return Err(Stop);
        }
        self.skip(whole.saturating_add(usize::from(negative)));
        Ok(if negative { Number::Negative(0_i64.saturating_sub_unsigned(magnitude)) } else { Number::Natural(magnitude) })
    }

    /// A number with a fraction or an exponent is canonical if writing it gives the same.
    fn double(&mut self) -> Result<Number, Stop> {
        let length = self.rest().iter().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let token = self.text.get(self.at..self.at.saturating_add(length)).ok_or(Stop)?;
        let value: f64 = token.parse().map_err(|_| Stop)?;
        if !value.is_finite() || value.abs() >= FLOAT_BOUND || ryu_js::Buffer::new().format_finite(value) != token {
            return Err(Stop);
        }
        self.skip(length);
        Ok(Number::Double(value))
    }

    /// Goes over one value without taking it. Nothing is allocated unless a member name is beyond ASCII or has an escape.
    fn pass(&mut self) -> Result<(), Stop> {
        match self.peek() {
            Some(b'"') => self.quoted().map(drop),
            Some(b'{') => {
                self.enter(b'{')?;
                let mut names = Names::default();
                while self.name(&mut names)?.is_some() {
                    self.pass()?;
                }
                Ok(())
            }
            Some(b'[') => {
                self.enter(b'[')?;
                let mut first = true;
                while self.item(&mut first)? {
                    self.pass()?;
                }
                Ok(())
            }
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.number().map(drop),
        }
    }

    /// The name of the next member with its colon; nothing behind the last one, when the object is closed.
    fn name(&mut self, names: &mut Names<'de>) -> Result<Option<Quoted<'de>>, Stop> {
        let last = names.last;
        if self.eat(b'}') {
            names.closed = true;
            self.leave();
            return Ok(None);
        }
        if last.is_some() {
            self.expect(b',')?;
        }
        let name = self.quoted()?;
        self.expect(b':')?;
        if last.is_some_and(|last| !last.is_before(name)) {
            return Err(Stop);
        }
        names.last = Some(name);
        Ok(Some(name))
    }

    /// Whether another item follows; behind the last one the list is closed.
    fn item(&mut self, first: &mut bool) -> Result<bool, Stop> {
        if self.eat(b']') {
            self.leave();
            return Ok(false);
        }
        if !core::mem::take(first) {
            self.expect(b',')?;
        }
        Ok(true)
    }
}

/// The members of an object so far.
#[derive(Default)]
struct Names<'de> {
    last: Option<Quoted<'de>>,
    closed: bool,
}

/// How many bytes from the first on are neither a quote, a backslash nor a control character; eight are looked at together.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The high bit of the lowest byte that is zero; of the ones above it, a borrow may set it wrongly.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let (words, tail) = bytes.as_chunks::<8>();
    let mut count = 0_usize;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = zero(word ^ ONES.wrapping_mul(0x22));
        let backslash = zero(word ^ ONES.wrapping_mul(0x5c));
        let control = word.wrapping_sub(ONES.wrapping_mul(0x20)) & !word;
        let found = (quote | backslash | control) & HIGH;
        if found != 0 {
            return count.saturating_add(usize::try_from(found.trailing_zeros() / 8).unwrap_or_default());
        }
        count = count.saturating_add(8);
    }
    count.saturating_add(tail.iter().take_while(|b| !matches!(b, b'"' | b'\\' | 0..0x20)).count())
}

/// Whether two hex digits are a control character that has no shorter escape.
const fn is_control(high: u8, low: u8) -> bool {
    match (high, low) {
        (b'0', b'8' | b'9' | b'a' | b'c' | b'd') => false,
        (b'0' | b'1', b'0'..=b'9' | b'a'..=b'f') => true,
        _ => false,
    }
}

/// The text behind escapes that [`Reader::quoted`] has let through.
fn unescape(inner: &str) -> Result<String, Stop> {
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        text.push(match chars.next().ok_or(Stop)? {
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            'u' => {
                let code = chars.by_ref().take(4).try_fold(0_u32, |code, c| Some(code.wrapping_mul(16).wrapping_add(c.to_digit(16)?)));
                code.and_then(char::from_u32).ok_or(Stop)?
            }
            c => c,
        });
    }
    Ok(text)
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.peek() {
            Some(b'"') => self.deserialize_str(visitor),
            Some(b'{') => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b't') => self.literal("true").and_then(|()| visitor.visit_bool(true)),
            Some(b'f') => self.literal("false").and_then(|()| visitor.visit_bool(false)),
            Some(b'n') => self.literal("null").and_then(|()| visitor.visit_unit()),
            _ => match self.number()? {
                Number::Natural(natural) => visitor.visit_u64(natural),
                Number::Negative(integer) => visitor.visit_i64(integer),
                Number::Double(double) => visitor.visit_f64(double),
            },
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.quoted()?.text()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        if self.peek() == Some(b'n') { Err(Stop) } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Stop> {
        if name != RAW {
            return visitor.visit_newtype_struct(self);
        }
        let start = self.at;
        self.pass()?;
        visitor.visit_borrowed_str(self.text.get(start..self.at).ok_or(Stop)?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.enter(b'{')?;
        let mut names = Names::default();
        let value = visitor.visit_map(Members { reader: self, names: &mut names })?;
        if names.closed { Ok(value) } else { Err(Stop) }
    }

    /// Never from a list, which the parser of the slow reading would take too: it is written as an object.
    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.enter(b'[')?;
        let mut state = (true, false);
        let value = visitor.visit_seq(Items { reader: self, state: &mut state })?;
        if state.1 { Ok(value) } else { Err(Stop) }
    }

    /// A variant without content, by its name.
    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Stop> {
        match self.quoted()?.text()? {
            Cow::Borrowed(text) => visitor.visit_enum(BorrowedStrDeserializer::new(text)),
            Cow::Owned(_) => Err(Stop),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.pass()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

/// The members of an open object.
struct Members<'r, 'de> {
    reader: &'r mut Reader<'de>,
    names: &'r mut Names<'de>,
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        if self.names.closed {
            return Ok(None);
        }
        let Some(name) = self.reader.name(self.names)? else { return Ok(None) };
        match name.text()? {
            Cow::Borrowed(name) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            Cow::Owned(name) => seed.deserialize(de::value::StringDeserializer::new(name)).map(Some),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Stop> {
        seed.deserialize(&mut *self.reader)
    }
}

/// The items of an open list; whether none was read yet, and whether the list was closed.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    state: &'r mut (bool, bool),
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        if self.state.1 {
            return Ok(None);
        }
        if self.reader.item(&mut self.state.0)? {
            return seed.deserialize(&mut *self.reader).map(Some);
        }
        self.state.1 = true;
        Ok(None)
    }
}

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
use core::marker::PhantomData;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::write::FLOAT_BOUND;
use super::{MAX_DEPTH, MAX_SAFE_INTEGER};

/// Name of the newtype that may be read in two ways.
const KNOWN: &str = "enact known value";

/// Reads canonical bytes; nothing when they are not canonical, or not of this type.
pub(crate) fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Option<T> {
    let text = core::str::from_utf8(bytes).ok()?;
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = T::deserialize(&mut reader).ok()?;
    (reader.at == text.len()).then_some(value)
}

/// A value that is read as `A` where it is one, and only passed over otherwise: one reading where there would be two.
#[derive(Clone, Debug)]
pub(crate) enum Known<A> {
    /// It is one.
    Read(A),
    /// It is something else, and canonical.
    Other,
}

impl<'de, A: Deserialize<'de>> Deserialize<'de> for Known<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Attempts<A>(PhantomData<A>);
        impl<'de, A: Deserialize<'de>> Visitor<'de> for Attempts<A> {
            type Value = Known<A>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("canonical bytes")
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut attempts: S) -> Result<Known<A>, S::Error> {
                if let Some(read) = attempts.next_element()? {
                    return Ok(Known::Read(read));
                }
                attempts.next_element::<IgnoredAny>()?.map(|_| Known::Other).ok_or_else(|| de::Error::custom("not read"))
            }
        }
        deserializer.deserialize_newtype_struct(KNOWN, Attempts(PhantomData))
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

/// Name of a member that was read, and whether its order can be told from its bytes: it is ASCII and has no escape.
#[derive(Clone, Copy)]
struct Name<'de> {
    quoted: Quoted<'de>,
    simple: bool,
}

impl<'de> Quoted<'de> {
    fn text(self) -> Result<Cow<'de, str>, Stop> {
        if self.escaped { unescape(self.inner).map(Cow::Owned) } else { Ok(Cow::Borrowed(self.inner)) }
    }
}

impl<'de> Name<'de> {
    fn of(quoted: Quoted<'de>) -> Self {
        Self { quoted, simple: !quoted.escaped && quoted.inner.is_ascii() }
    }

    /// Whether it comes before another one.
    #[inline]
    fn is_before(self, next: Self) -> bool {
        if !self.simple || !next.simple {
            return self.is_before_by_units(next);
        }
        let (name, next) = (self.quoted.inner.as_bytes(), next.quoted.inner.as_bytes());
        // Most differ in their first byte.
        match name.first().cmp(&next.first()) {
            Ordering::Less => true,
            Ordering::Equal => name < next,
            Ordering::Greater => false,
        }
    }

    /// The same of any two names.
    #[cold]
    fn is_before_by_units(self, next: Self) -> bool {
        let (Ok(a), Ok(b)) = (self.quoted.text(), next.quoted.text()) else { return false };
        compare_names(&a, &b) == Ordering::Less
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
        let quoted = self.quoted()?;
        self.expect(b':')?;
        names.follow(Name::of(quoted))?;
        Ok(Some(quoted))
    }

    /// As [`Self::name`], where it is one of these and of plain letters: it is compared then, not searched for its end. Nothing has been
    /// read when it is another one, or wrong.
    fn field(&mut self, names: &mut Names<'de>, fields: &mut &'static [&'static str]) -> Result<Option<&'static str>, Stop> {
        let rest = self.rest();
        let opening: &[u8] = if names.last.is_some() { b",\"" } else { b"\"" };
        let Some(rest) = rest.strip_prefix(opening) else { return Ok(None) };
        let is_next = |field: &&str| {
            let field = field.as_bytes();
            rest.first() == field.first() && rest.strip_prefix(field).is_some_and(|rest| rest.starts_with(b"\":"))
        };
        let Some(nth) = fields.iter().position(is_next) else { return Ok(None) };
        let Some((field, later)) = fields.get(nth..).and_then(<[_]>::split_first) else { return Ok(None) };
        if plain(field.as_bytes()) != field.len() || !field.is_ascii() {
            return Ok(None);
        }
        *fields = later;
        self.skip(opening.len().saturating_add(field.len()).saturating_add(2));
        names.follow(Name { quoted: Quoted { inner: field, escaped: false }, simple: true })?;
        Ok(Some(field))
    }

    /// An object, in which these names are expected.
    fn object<V: Visitor<'de>>(&mut self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Stop> {
        self.enter(b'{')?;
        let mut names = Names::default();
        let value = visitor.visit_map(Members { reader: self, names: &mut names, fields })?;
        if names.closed { Ok(value) } else { Err(Stop) }
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
    last: Option<Name<'de>>,
    closed: bool,
}

impl<'de> Names<'de> {
    /// Takes the next name; each comes behind the one before.
    #[inline]
    fn follow(&mut self, name: Name<'de>) -> Result<(), Stop> {
        if self.last.is_some_and(|last| !last.is_before(name)) {
            return Err(Stop);
        }
        self.last = Some(name);
        Ok(())
    }
}

/// How many bytes from the first on are neither a quote, a backslash nor a control character; 32 are looked at together, then
/// eight.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The high bit of the lowest byte that is zero; of the ones above it, a borrow may set it wrongly.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let (blocks, _) = bytes.as_chunks::<32>();
    let mut count = blocks.iter().take_while(|block| !block.iter().fold(false, |stop, b| stop | is_stop(*b))).count().saturating_mul(32);
    let (words, tail) = bytes.get(count..).unwrap_or_default().as_chunks::<8>();
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
    count.saturating_add(tail.iter().take_while(|b| !is_stop(**b)).count())
}

/// A quote, a backslash or a control character. Without a branch, so that a compiler may ask it of many bytes at once.
const fn is_stop(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
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
        if name == KNOWN {
            return visitor.visit_seq(Attempts { reader: self, first: true });
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.object(&[], visitor)
    }

    /// Never from a list, which the parser of the slow reading would take too: it is written as an object.
    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Stop> {
        self.object(fields, visitor)
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

/// The members of an open object, and the names that are expected of those to come.
struct Members<'r, 'de> {
    reader: &'r mut Reader<'de>,
    names: &'r mut Names<'de>,
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        if self.names.closed {
            return Ok(None);
        }
        if let Some(field) = self.reader.field(self.names, &mut self.fields)? {
            return seed.deserialize(BorrowedStrDeserializer::new(field)).map(Some);
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

/// One value twice: as what it may be, and, where it is not that, once more from its beginning.
struct Attempts<'r, 'de> {
    reader: &'r mut Reader<'de>,
    first: bool,
}

impl<'de> SeqAccess<'de> for Attempts<'_, 'de> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        let (at, depth) = (self.reader.at, self.reader.depth);
        let read = seed.deserialize(&mut *self.reader);
        if read.is_err() && core::mem::take(&mut self.first) {
            (self.reader.at, self.reader.depth) = (at, depth);
            return Ok(None);
        }
        read.map(Some)
    }
}

#[cfg(test)]
mod tests;

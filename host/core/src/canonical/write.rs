//! Any `Serialize` value to canonical bytes, in one pass and without an intermediate tree.
//!
//! Members are written where they fall; only an object whose members arrive out of order is rearranged afterwards. Sorted
//! maps, the common case, cost nothing extra. It deliberately has no option: there is one canonical form.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde::ser::{self, Serialize};

use super::{CanonicalError, CanonicalKind, MAX_DEPTH, MAX_SAFE_INTEGER};

/// The canonical bytes of a value.
///
/// # Errors
/// When the value holds a number beyond ±(2^53 − 1), NaN or an infinity, a member name that is not text or appears twice,
/// or nests deeper than [`MAX_DEPTH`].
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(FIRST_CAPACITY);
    write_to(&mut out, value)?;
    Ok(out)
}

/// The same behind what a buffer holds already. After an error the buffer holds something.
pub(crate) fn write_to<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), CanonicalError> {
    value.serialize(&mut Writer { out, depth: 0 })
}

/// First allocation of a document: a receipt entry is about this long, so most documents allocate once.
const FIRST_CAPACITY: usize = 2048;

/// Most members of an object for which room is made before they come.
const FIRST_MEMBERS: usize = 32;

/// Smallest double that the range check refuses: 2^53, exactly representable.
pub(super) const FLOAT_BOUND: f64 = 9_007_199_254_740_992.0;

/// Bytes so far, and how many containers are open.
struct Writer<'o> {
    out: &'o mut Vec<u8>,
    depth: usize,
}

impl Writer<'_> {
    fn enter(&mut self) -> Result<(), CanonicalError> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH {
            return Err(CanonicalError::new(CanonicalKind::Depth { limit: MAX_DEPTH }));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn text(&mut self, text: &str) {
        let special = |b: u8| (b < 0x20) | (b == b'"') | (b == b'\\');
        self.out.push(b'"');
        let mut rest = text.as_bytes();
        // Most texts need no escape. Looking at all bytes without leaving early lets the compiler look at many at once.
        if !rest.iter().fold(false, |found, b| found | special(*b)) {
            self.out.extend_from_slice(rest);
            self.out.push(b'"');
            return;
        }
        while let Some(at) = rest.iter().position(|b| special(*b)) {
            let (plain, tail) = rest.split_at(at);
            self.out.extend_from_slice(plain);
            if let Some((byte, tail)) = tail.split_first() {
                escape(*byte, self.out);
                rest = tail;
            }
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    fn unsigned(&mut self, magnitude: u128, negative: bool) -> Result<(), CanonicalError> {
        let Ok(magnitude) = u64::try_from(magnitude) else {
            return Err(CanonicalError::new(CanonicalKind::NumberRange));
        };
        if magnitude > MAX_SAFE_INTEGER {
            return Err(CanonicalError::new(CanonicalKind::NumberRange));
        }
        if negative {
            self.out.push(b'-');
        }
        let start = self.out.len();
        let mut rest = magnitude;
        loop {
            // A remainder of ten is one digit.
            self.out.push(b'0' | u8::try_from(rest % 10).unwrap_or_default());
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.out.get_mut(start..).unwrap_or_default().reverse();
        Ok(())
    }
}

/// The escapes of RFC 8785 §3.2.2.2: two-character forms where JSON has them, lower-case hex otherwise.
fn escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        _ => {
            let hex = |nibble: u8| char::from_digit(u32::from(nibble), 16).map_or(b'0', |c| u8::try_from(c).unwrap_or(b'0'));
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 0x0f)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, v: $type) -> Result<(), CanonicalError> {
            let wide = i128::from(v);
            self.unsigned(wide.unsigned_abs(), wide < 0)
        }
    )*};
}

impl<'a, 'o> ser::Serializer for &'a mut Writer<'o> {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = List<'a, 'o>;
    type SerializeTuple = List<'a, 'o>;
    type SerializeTupleStruct = List<'a, 'o>;
    type SerializeTupleVariant = List<'a, 'o>;
    type SerializeMap = Object<'a, 'o>;
    type SerializeStruct = Object<'a, 'o>;
    type SerializeStructVariant = Object<'a, 'o>;

    integers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_u128(self, v: u128) -> Result<(), CanonicalError> {
        self.unsigned(v, false)
    }

    fn serialize_bool(self, v: bool) -> Result<(), CanonicalError> {
        self.out.extend_from_slice(if v { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_f32(self, v: f32) -> Result<(), CanonicalError> {
        self.serialize_f64(f64::from(v))
    }

    fn serialize_f64(self, v: f64) -> Result<(), CanonicalError> {
        if !v.is_finite() {
            return Err(CanonicalError::new(CanonicalKind::NotFinite));
        }
        if v.abs() >= FLOAT_BOUND {
            return Err(CanonicalError::new(CanonicalKind::NumberRange));
        }
        let mut buffer = ryu_js::Buffer::new();
        self.out.extend_from_slice(buffer.format_finite(v).as_bytes());
        Ok(())
    }

    fn serialize_char(self, v: char) -> Result<(), CanonicalError> {
        self.text(v.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, v: &str) -> Result<(), CanonicalError> {
        self.text(v);
        Ok(())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), CanonicalError> {
        self.collect_seq(v)
    }

    fn serialize_none(self) -> Result<(), CanonicalError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CanonicalError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), CanonicalError> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CanonicalError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), CanonicalError> {
        self.text(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), CanonicalError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        let mut object = Object::open(self, None, 1)?;
        object.member(variant, value)?;
        object.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a, 'o>, CanonicalError> {
        List::open(self, None)
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'a, 'o>, CanonicalError> {
        List::open(self, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a, 'o>, CanonicalError> {
        List::open(self, None)
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<List<'a, 'o>, CanonicalError> {
        List::open(self, Some(variant))
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Object<'a, 'o>, CanonicalError> {
        Object::open(self, None, count.unwrap_or_default())
    }

    fn serialize_struct(self, _: &'static str, count: usize) -> Result<Object<'a, 'o>, CanonicalError> {
        Object::open(self, None, count)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Object<'a, 'o>, CanonicalError> {
        Object::open(self, Some(variant), count)
    }
}

/// Opens the one-member object around the content of an enum variant.
fn open_variant(writer: &mut Writer<'_>, variant: Option<&'static str>) -> Result<bool, CanonicalError> {
    let Some(name) = variant else { return Ok(false) };
    writer.enter()?;
    writer.out.push(b'{');
    writer.text(name);
    writer.out.push(b':');
    Ok(true)
}

/// Closes what [`open_variant`] opened.
fn close_variant(writer: &mut Writer<'_>, wrapped: bool) {
    if wrapped {
        writer.out.push(b'}');
        writer.leave();
    }
}

/// An array being written.
struct List<'a, 'o> {
    writer: &'a mut Writer<'o>,
    wrapped: bool,
    count: usize,
}

impl<'a, 'o> List<'a, 'o> {
    fn open(writer: &'a mut Writer<'o>, variant: Option<&'static str>) -> Result<Self, CanonicalError> {
        let wrapped = open_variant(writer, variant)?;
        writer.enter()?;
        writer.out.push(b'[');
        Ok(Self { writer, wrapped, count: 0 })
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        if self.count > 0 {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer).map_err(|e| e.within(&alloc::format!("{}", self.count)))?;
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    fn close(self) -> Result<(), CanonicalError> {
        self.writer.out.push(b']');
        self.writer.leave();
        close_variant(self.writer, self.wrapped);
        Ok(())
    }
}

/// Where one member lies in the output: its quoted name is `start..colon`, the whole of it `start..end`.
struct Member {
    start: usize,
    colon: usize,
    end: usize,
}

/// An object being written.
struct Object<'a, 'o> {
    writer: &'a mut Writer<'o>,
    wrapped: bool,
    start: usize,
    members: Vec<Member>,
    sorted: bool,
    open: Option<(usize, usize)>,
}

impl<'a, 'o> Object<'a, 'o> {
    fn open(writer: &'a mut Writer<'o>, variant: Option<&'static str>, count: usize) -> Result<Self, CanonicalError> {
        let wrapped = open_variant(writer, variant)?;
        writer.enter()?;
        writer.out.push(b'{');
        let start = writer.out.len();
        Ok(Self { writer, wrapped, start, members: Vec::with_capacity(count.min(FIRST_MEMBERS)), sorted: true, open: None })
    }

    fn separate(&mut self) {
        if !self.members.is_empty() {
            self.writer.out.push(b',');
        }
    }

    /// The quoted name has been written from `start` on; [`Self::value`] completes the member.
    fn await_value(&mut self, start: usize) {
        self.open = Some((start, self.writer.out.len()));
        self.writer.out.push(b':');
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        let Some((start, colon)) = self.open.take() else {
            return Err(CanonicalError::new(CanonicalKind::Unserialisable));
        };
        if let Err(error) = value.serialize(&mut *self.writer) {
            return Err(error.within(&unquote(self.slice(start, colon))));
        }
        let end = self.writer.out.len();
        if self.sorted
            && let Some(last) = self.members.last()
        {
            let order = compare(self.slice(last.start, last.colon), self.slice(start, colon));
            self.sorted = order == Ordering::Less;
        }
        self.members.push(Member { start, colon, end });
        Ok(())
    }

    fn member<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), CanonicalError> {
        self.separate();
        let start = self.writer.out.len();
        self.writer.text(key);
        self.await_value(start);
        self.value(value)
    }

    fn slice(&self, from: usize, to: usize) -> &[u8] {
        self.writer.out.get(from..to).unwrap_or_default()
    }

    fn close(mut self) -> Result<(), CanonicalError> {
        if !self.sorted {
            self.rearrange()?;
        }
        self.writer.out.push(b'}');
        self.writer.leave();
        close_variant(self.writer, self.wrapped);
        Ok(())
    }

    /// Puts the members into the order of their names (UTF-16 code units, RFC 8785 §3.2.3).
    fn rearrange(&mut self) -> Result<(), CanonicalError> {
        let mut members = core::mem::take(&mut self.members);
        members.sort_by(|a, b| compare(self.slice(a.start, a.colon), self.slice(b.start, b.colon)));
        for (a, b) in members.iter().zip(members.iter().skip(1)) {
            let name = self.slice(a.start, a.colon);
            if name == self.slice(b.start, b.colon) {
                return Err(CanonicalError::new(CanonicalKind::DuplicateKey).within(&unquote(name)));
            }
        }
        let mut ordered = Vec::with_capacity(self.writer.out.len().saturating_sub(self.start));
        for (nth, member) in members.iter().enumerate() {
            if nth > 0 {
                ordered.push(b',');
            }
            ordered.extend_from_slice(self.slice(member.start, member.end));
        }
        self.writer.out.truncate(self.start);
        self.writer.out.extend_from_slice(&ordered);
        Ok(())
    }
}

/// Orders two quoted member names by UTF-16 code units. For plain ASCII without escapes that is byte order.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let plain = |name: &[u8]| name.iter().fold(true, |plain, byte| plain & byte.is_ascii() & (*byte != b'\\'));
    if plain(a) && plain(b) {
        // Without the closing quote, which sorts before most letters but after a space.
        let (a, b) = (a.split_last(), b.split_last());
        return a.map(|(_, name)| name).cmp(&b.map(|(_, name)| name));
    }
    unquote(a).encode_utf16().cmp(unquote(b).encode_utf16())
}

/// The member name behind its quoted form.
fn unquote(quoted: &[u8]) -> String {
    serde_json::from_slice(quoted).unwrap_or_default()
}

impl ser::SerializeSeq for List<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        self.item(value)
    }
    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

impl ser::SerializeTuple for List<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        self.item(value)
    }
    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

impl ser::SerializeTupleStruct for List<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        self.item(value)
    }
    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

impl ser::SerializeTupleVariant for List<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        self.item(value)
    }
    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

impl ser::SerializeMap for Object<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CanonicalError> {
        self.separate();
        let start = self.writer.out.len();
        key.serialize(&mut *self.writer)?;
        // Only text starts with a quote; numbers, lists and objects written in its place are refused.
        if self.writer.out.get(start) != Some(&b'"') {
            return Err(CanonicalError::new(CanonicalKind::KeyNotText));
        }
        self.await_value(start);
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        self.value(value)
    }
    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

impl ser::SerializeStruct for Object<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), CanonicalError> {
        self.member(key, value)
    }
    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

impl ser::SerializeStructVariant for Object<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), CanonicalError> {
        self.member(key, value)
    }
    fn end(self) -> Result<(), CanonicalError> {
        self.close()
    }
}

//! The inputs of a call, read member by member.
//!
//! The kit would derive a reader for each handler. Eleven of them, and the messages that they could write about floating point
//! numbers, are as much code as the curve and would double the modules. The kit has checked the text to be JSON before it comes here,
//! so finding a member in it is all that is left to do. Whatever does not fit is refused with the member's name, never with its value.

use std::borrow::Cow;

use enact_guest_sdk::Raw;

use crate::hex::{Bytes, Fixed};
use crate::refusal::Refusal;

/// What may stand around a part of a JSON text.
const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// A JSON object. An optional member may be absent or `null`.
pub struct Inputs<'a> {
    /// Name and value of each member, as they stand in the text.
    members: Vec<(&'a str, &'a str)>,
}

impl<'a> Inputs<'a> {
    /// Reads the inputs of a call.
    ///
    /// # Errors
    /// [`Refusal::NoObject`].
    pub fn read(inputs: &'a Raw) -> Result<Self, Refusal> {
        Self::of(inputs.get()).ok_or(Refusal::NoObject)
    }

    /// Text.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn text(&self, name: &'static str) -> Result<Cow<'a, str>, Refusal> {
        self.optional_text(name)?.ok_or(Refusal::Input { name })
    }

    /// Text that may be absent.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn optional_text(&self, name: &'static str) -> Result<Option<Cow<'a, str>>, Refusal> {
        self.member(name).map(|value| text(value, name)).transpose()
    }

    /// Bytes in hexadecimal.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn bytes(&self, name: &'static str) -> Result<Bytes, Refusal> {
        self.optional_bytes(name)?.ok_or(Refusal::Input { name })
    }

    /// Bytes in hexadecimal that may be absent.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn optional_bytes(&self, name: &'static str) -> Result<Option<Bytes>, Refusal> {
        let text = self.optional_text(name)?;
        text.map(|text| Bytes::parse(&text).ok_or(Refusal::Input { name })).transpose()
    }

    /// `N` bytes in hexadecimal.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn fixed<const N: usize>(&self, name: &'static str) -> Result<Fixed<N>, Refusal> {
        Fixed::parse(&self.text(name)?).ok_or(Refusal::Input { name })
    }

    /// A whole number from 0 to 2^64 - 1.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn number(&self, name: &'static str) -> Result<u64, Refusal> {
        self.optional_number(name)?.ok_or(Refusal::Input { name })
    }

    /// A whole number from 0 to 2^64 - 1 that may be absent.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn optional_number(&self, name: &'static str) -> Result<Option<u64>, Refusal> {
        self.member(name).map(|value| number(value, name)).transpose()
    }

    /// A BIP-32 index.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn index(&self, name: &'static str) -> Result<u32, Refusal> {
        u32::try_from(self.number(name)?).map_err(|_| Refusal::Input { name })
    }

    /// A list of BIP-32 indices.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn indices(&self, name: &'static str) -> Result<Vec<u32>, Refusal> {
        let list = self.list(name)?.ok_or(Refusal::Input { name })?;
        let index = |value| number(value, name).and_then(|number| u32::try_from(number).map_err(|_| Refusal::Input { name }));
        list.map(index).collect()
    }

    /// A list of objects; empty when absent.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn objects(&self, name: &'static str) -> Result<Vec<Self>, Refusal> {
        self.list(name)?.map_or(Ok(Vec::new()), |list| list.map(|value| Self::of(value).ok_or(Refusal::Input { name })).collect())
    }

    /// A list of `N` bytes each, in hexadecimal; empty when absent.
    ///
    /// # Errors
    /// [`Refusal::Input`].
    pub fn fixed_list<const N: usize>(&self, name: &'static str) -> Result<Vec<Fixed<N>>, Refusal> {
        let fixed = |value| Fixed::parse(&text(value, name)?).ok_or(Refusal::Input { name });
        self.list(name)?.map_or(Ok(Vec::new()), |list| list.map(fixed).collect())
    }

    /// `curve`, if it is there, names secp256k1: BIP-32 and the address form are defined on this curve only.
    ///
    /// # Errors
    /// [`Refusal::Input`], [`Refusal::Curve`].
    pub fn check_curve(&self) -> Result<(), Refusal> {
        let curve = self.optional_text("curve")?;
        if curve.is_none_or(|curve| curve == "secp256k1") { Ok(()) } else { Err(Refusal::Curve) }
    }

    fn list(&self, name: &'static str) -> Result<Option<Parts<'a>>, Refusal> {
        let inside = |value| inside(value, '[', ']').map(Parts).ok_or(Refusal::Input { name });
        self.member(name).map(inside).transpose()
    }

    fn member(&self, name: &str) -> Option<&'a str> {
        let found = self.members.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| *value).filter(|value| *value != "null")
    }

    fn of(object: &'a str) -> Option<Self> {
        let mut parts = Parts(inside(object, '{', '}')?);
        let mut members = Vec::new();
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            members.push((inside(key, '"', '"')?, value));
        }
        Some(Self { members })
    }
}

/// The parts of a JSON text between the commas and colons of its outermost level: the elements of a list, the keys and values of an
/// object.
struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
        let ends = |byte: u8| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = quoted,
                b'"' => quoted = !quoted,
                _ if quoted => {}
                b'[' | b'{' => depth = depth.saturating_add(1),
                b']' | b'}' => depth = depth.saturating_sub(1),
                b',' | b':' => return depth == 0,
                _ => {}
            }
            false
        };
        let end = self.0.bytes().position(ends).unwrap_or(self.0.len());
        // The separators are ASCII, so both places are boundaries of characters.
        let (part, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..).unwrap_or_default();
        Some(part.trim_matches(SPACE)).filter(|part| !part.is_empty())
    }
}

fn inside(text: &str, open: char, close: char) -> Option<&str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

/// A string without its quotes. Of the escapes it knows the two that printable ASCII needs; every other stands for a control character,
/// which nothing here may hold.
fn text<'a>(value: &'a str, name: &'static str) -> Result<Cow<'a, str>, Refusal> {
    let refusal = Refusal::Input { name };
    let inside = inside(value, '"', '"').ok_or(refusal)?;
    if !inside.contains('\\') {
        return Ok(Cow::Borrowed(inside));
    }
    let mut text = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        let escaped = if character == '\\' { characters.next().filter(|c| ['"', '\\'].contains(c)).ok_or(refusal)? } else { character };
        text.push(escaped);
    }
    Ok(Cow::Owned(text))
}

fn number(value: &str, name: &'static str) -> Result<u64, Refusal> {
    value.parse().map_err(|_| Refusal::Input { name })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Runs `check` on inputs that went the way a call goes.
    fn with<T>(text: &str, check: impl FnOnce(Inputs<'_>) -> T) -> T {
        let raw: &Raw = serde_json::from_str(text).unwrap();
        check(Inputs::read(raw).unwrap())
    }

    fn refusal<T>(name: &'static str) -> Result<T, Refusal> {
        Err(Refusal::Input { name })
    }

    #[test]
    fn members_are_found_whatever_stands_around_and_inside_them() {
        let text = r#" { "a" : "x,y:{[\"]}" , "list":[ 1 ,[2,{"b":"no"}],"],"],"o":{"b":"deep"},"":"empty","b":"yes" } "#;
        with(text, |inputs| {
            assert_eq!(inputs.text("a").as_deref(), Ok(r#"x,y:{["]}"#));
            assert_eq!(inputs.text("b").as_deref(), Ok("yes"));
            assert_eq!(inputs.text("").as_deref(), Ok("empty"));
            assert_eq!(inputs.optional_text("c"), Ok(None));
            assert_eq!(inputs.text("c"), refusal("c"));
        });
        with("{}", |inputs| assert_eq!(inputs.optional_text("a"), Ok(None)));
    }

    #[test]
    fn every_printable_ascii_text_comes_back_as_json_means_it() {
        let all: String = (' '..='~').collect();
        for text in [all.as_str(), r"\", r#"""#, r#"\"\"#, "", "n", r"\n", "ü"] {
            with(&json!({ "a": text, "b": 1 }).to_string(), |inputs| {
                assert_eq!(inputs.text("a").as_deref(), Ok(text));
                assert_eq!(inputs.number("b"), Ok(1));
            });
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["a\nb", "a\tb", "a\u{0}b"] {
            with(&json!({ "a": text }).to_string(), |inputs| assert_eq!(inputs.text("a"), refusal("a")));
        }
    }

    #[test]
    fn numbers_are_whole_and_not_negative() {
        with(r#"{"a":0,"b":18446744073709551615,"c":4294967296}"#, |inputs| {
            assert_eq!((inputs.number("a"), inputs.number("b")), (Ok(0), Ok(u64::MAX)));
            assert_eq!(inputs.index("c"), refusal("c"));
        });
        for value in ["-1", "1.0", "1e3", "18446744073709551616", "\"1\"", "true", "[1]", "{}"] {
            with(&format!(r#"{{"a":{value}}}"#), |inputs| assert_eq!(inputs.number("a"), refusal("a"), "{value}"));
        }
    }

    #[test]
    fn an_optional_member_may_be_null_and_a_required_one_may_not() {
        with(r#"{"a":null}"#, |inputs| {
            assert_eq!((inputs.optional_text("a"), inputs.optional_number("a")), (Ok(None), Ok(None)));
            assert_eq!((inputs.text("a"), inputs.number("a"), inputs.indices("a")), (refusal("a"), refusal("a"), refusal("a")));
        });
    }

    #[test]
    fn lists_hold_one_type() {
        with(r#"{"i":[0,4294967295],"no":[],"x":[1,"1"],"n":[1,null],"s":"0x","f":["0x01","02"]}"#, |inputs| {
            assert_eq!(inputs.indices("i"), Ok(vec![0, u32::MAX]));
            assert_eq!(inputs.indices("no"), Ok(vec![]));
            for name in ["x", "n", "s", "f"] {
                assert_eq!(inputs.indices(name), refusal(name));
            }
            assert_eq!(inputs.fixed_list("f"), Ok(vec![Fixed([1]), Fixed([2])]));
            assert_eq!(inputs.fixed_list::<1>("absent"), Ok(vec![]));
            assert!(inputs.objects("i").is_err());
        });
    }

    #[test]
    fn inputs_that_are_no_object_are_refused() {
        for text in ["[]", "1", "null", "\"{}\""] {
            let raw: &Raw = serde_json::from_str(text).unwrap();
            assert_eq!(Inputs::read(raw).err(), Some(Refusal::NoObject), "{text}");
        }
    }
}

//! JSON, strictly: one value, no key twice, whole numbers only, bounded in size, depth and number of values.
//! And the canonical encoding of it that TUF signs (OLPC Canonical JSON, as securesystemslib writes it).

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A value. Numbers are those of i64: canonical JSON has no others that both sides would read alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

/// What one file may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes.
    pub bytes: u64,
    /// Lists and maps within each other.
    pub depth: usize,
    /// Values, each member of a list or map counted.
    pub values: usize,
}

/// Reads one value. The error says what is wrong and where.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, String> {
    let left = Cell::new(limits.values);
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let seed = Seed { depth: limits.depth, limits, left: &left };
    let value = seed.deserialize(&mut input).map_err(|error| error.to_string())?;
    input.end().map_err(|error| error.to_string())?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    depth: usize,
    limits: &'a Limits,
    left: &'a Cell<usize>,
}

impl Seed<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| E::custom(format!("nested deeper than {}", self.limits.depth)))?;
        Ok(Seed { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1);
        let left =
            left.ok_or_else(|| D::Error::custom(format!("more than {} values", self.limits.values)))?;
        self.left.set(left);
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        let too_large = |_| E::custom(format!("the number {value} is above {}", i64::MAX));
        i64::try_from(value).map(Value::Integer).map_err(too_large)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Err(E::custom(format!("the number {value} is no whole number of 64 bits")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(value) = input.next_element_seed(inner)? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = BTreeMap::new();
        while let Some(key) = input.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} stands twice in one object")));
            }
            map.insert(key, input.next_value_seed(inner)?);
        }
        Ok(Value::Map(map))
    }
}

impl Value {
    /// The bytes that are signed. Keys in the order of their code points, no space between, and in strings only the quote and
    /// the backslash escaped: with a control character in a string this is no JSON, but still what is signed.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out, false);
        out
    }

    /// The same as a file: JSON on one line.
    pub fn file(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out, true);
        out.push(b'\n');
        out
    }

    fn write(&self, out: &mut Vec<u8>, controls_escaped: bool) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Integer(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Value::Text(text) => write_text(text, out, controls_escaped),
            Value::List(list) => {
                out.push(b'[');
                for (at, value) in list.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    value.write(out, controls_escaped);
                }
                out.push(b']');
            }
            Value::Map(map) => {
                out.push(b'{');
                for (at, (key, value)) in map.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_text(key, out, controls_escaped);
                    out.push(b':');
                    value.write(out, controls_escaped);
                }
                out.push(b'}');
            }
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>, controls_escaped: bool) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 if controls_escaped => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<u64> for Value {
    /// Numbers above those of i64 become the highest of them; the readers here refuse it.
    fn from(number: u64) -> Self {
        Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Value {
    fn from(members: [(&str, Value); N]) -> Self {
        Value::Map(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

//! Reading the members of a JSON value; an error names the file, the member, what was expected and what is there.

use std::ops::RangeInclusive;

use crate::digest::Digest;
use crate::error::{Error, Problem};
use crate::json::Value;
use crate::time::{self, UnixTime};

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Field<'a> {
    file: &'a str,
    path: String,
    pub value: &'a Value,
}

impl<'a> Field<'a> {
    pub fn top(file: &'a str, value: &'a Value) -> Self {
        Field { file, path: String::new(), value }
    }

    /// An error about this member.
    pub fn wrong(&self, expected: impl Into<String>) -> Error {
        let problem = Problem::Field {
            path: if self.path.is_empty() { "the whole".to_owned() } else { self.path.clone() },
            expected: expected.into(),
            seen: seen(self.value),
        };
        Error::Malformed { file: self.file.to_owned(), problem }
    }

    fn inner(&self, name: &str, value: &'a Value) -> Field<'a> {
        let dot = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{}", self.path, shown(name));
        Field { file: self.file, path, value }
    }

    /// A member that may be absent.
    pub fn optional(&self, name: &str) -> Result<Option<Field<'a>>, Error> {
        let Value::Map(map) = self.value else { return Err(self.wrong("an object")) };
        Ok(map.get(name).map(|value| self.inner(name, value)))
    }

    pub fn get(&self, name: &str) -> Result<Field<'a>, Error> {
        self.optional(name)?.ok_or_else(|| self.wrong(format!("an object with the member {name:?}")))
    }

    /// Refuses members of other names. For what is not the format of TUF, or stands outside what is signed.
    pub fn only(&self, names: &[&str]) -> Result<(), Error> {
        match self.members()?.into_iter().find(|(name, _)| !names.contains(name)) {
            Some((name, _)) => {
                Err(self.wrong(format!("no member {}; known are {}", shown(name), names.join(", "))))
            }
            None => Ok(()),
        }
    }

    pub fn members(&self) -> Result<Vec<(&'a str, Field<'a>)>, Error> {
        let Value::Map(map) = self.value else { return Err(self.wrong("an object")) };
        Ok(map.iter().map(|(name, value)| (name.as_str(), self.inner(name, value))).collect())
    }

    pub fn list(&self) -> Result<Vec<Field<'a>>, Error> {
        let Value::List(list) = self.value else { return Err(self.wrong("a list")) };
        let item = |(at, value)| Field { file: self.file, path: format!("{}[{at}]", self.path), value };
        Ok(list.iter().enumerate().map(item).collect())
    }

    pub fn text(&self) -> Result<&'a str, Error> {
        match self.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wrong("text")),
        }
    }

    pub fn bool(&self) -> Result<bool, Error> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            _ => Err(self.wrong("true or false")),
        }
    }

    pub fn number(&self, range: RangeInclusive<u64>) -> Result<u64, Error> {
        let number = match self.value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        let expected = || match *range.end() {
            u64::MAX => format!("a whole number of at least {}", range.start()),
            end => format!("a whole number from {} to {end}", range.start()),
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| self.wrong(expected()))
    }

    pub fn digest(&self) -> Result<Digest, Error> {
        Digest::parse(self.text()?).ok_or_else(|| self.wrong("64 hexadecimal digits in lower case"))
    }

    pub fn time(&self) -> Result<UnixTime, Error> {
        time::parse(self.text()?).ok_or_else(|| self.wrong("a time like 2026-11-27T12:00:00Z"))
    }
}

/// The beginning of a value, safe to print.
fn seen(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Text(text) => shown(text),
        Value::List(list) => format!("a list of {}", list.len()),
        Value::Map(map) => format!(
            "an object with the members {}",
            shown(&map.keys().cloned().collect::<Vec<_>>().join(", "))
        ),
    }
}

/// Foreign text for a message: short, and nothing in it that a terminal would act on.
pub(crate) fn shown(text: &str) -> String {
    let simple = |c: char| c.is_ascii_alphanumeric() || "-_./+, ".contains(c);
    if !text.is_empty() && text.len() <= 80 && text.chars().all(simple) {
        return text.to_owned();
    }
    let short: String = text.chars().take(80).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("\"{}{more}\"", short.escape_debug())
}

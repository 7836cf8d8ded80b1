//! The grammar of locks: that of Debian control files, without continuation lines.

use crate::{Diagnostic, Source};

/// `Key: value` lines without a blank line between them, each with its byte offset.
pub(crate) struct Stanza<'a> {
    source: &'a Source,
    start: usize,
    end: usize,
    fields: Vec<(&'a str, &'a str, usize)>,
}

pub(crate) fn stanzas(source: &Source) -> Result<Vec<Stanza<'_>>, Diagnostic> {
    let mut out: Vec<Stanza<'_>> = Vec::new();
    let mut open = false;
    let mut at = 0;
    for raw in source.text().split_inclusive('\n') {
        let line = raw.strip_suffix('\n').unwrap_or(raw);
        if line.is_empty() {
            open = false;
        } else {
            let Some((key, value)) = line.split_once(": ") else {
                return Err(source
                    .complain(at..at + line.len(), "a lock has lines of the form `Key: value`")
                    .help("locks are not edited by hand; make it anew with `geminios lock`"));
            };
            if !open {
                out.push(Stanza { source, start: at, end: at, fields: Vec::new() });
                open = true;
            }
            if let Some(stanza) = out.last_mut() {
                stanza.fields.push((key, value, at));
                stanza.end = at + line.len();
            }
        }
        at += raw.len();
    }
    Ok(out)
}

impl Stanza<'_> {
    pub fn has(&self, key: &str) -> bool {
        self.fields.iter().any(|(k, ..)| *k == key)
    }

    /// Takes the first field of that name out of the stanza.
    pub fn take<T: std::str::FromStr>(&mut self, key: &str) -> Result<T, Diagnostic> {
        let Some(index) = self.fields.iter().position(|(k, ..)| *k == key) else {
            return Err(self.complain(&format!("this stanza of the lock has no `{key}:`")));
        };
        let (_, value, at) = self.fields.remove(index);
        value.parse().map_err(|_| {
            self.source
                .complain(at..at + key.len() + 2 + value.len(), format!("`{value}` is no value for {key}:"))
                .help("locks are not edited by hand; make it anew with `geminios lock`")
        })
    }

    pub fn finish(&self) -> Result<(), Diagnostic> {
        match self.fields.first() {
            None => Ok(()),
            Some((key, value, at)) => Err(self
                .source
                .complain(
                    *at..at + key.len() + 2 + value.len(),
                    format!("unknown or repeated key `{key}` in the lock"),
                )
                .help("this lock may come from a newer geminios; make it anew with `geminios lock`")),
        }
    }

    pub fn complain(&self, message: &str) -> Diagnostic {
        self.source.complain(self.start..self.end, message)
    }
}

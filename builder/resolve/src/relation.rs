use std::cmp::Ordering;
use std::fmt;

use debversion::Version;

/// One alternative of a relation field, such as `libc6 (>= 2.41)` (Debian Policy, section 7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    pub name: String,
    pub qualifier: Qualifier,
    pub version: Option<(Operator, Version)>,
}

/// What follows the name after a colon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// Nothing, or `:native`, which means the same in a binary package.
    None,
    /// `:any`: any architecture will do, if the package says `Multi-Arch: allowed`.
    Any,
    /// An architecture by name.
    Arch(String),
}

/// How two versions are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Earlier,
    EarlierOrEqual,
    Equal,
    LaterOrEqual,
    Later,
}

/// A relation field that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a relation to a package: {reason}")]
pub struct RelationError {
    pub text: String,
    pub reason: &'static str,
}

/// Names and versions are far shorter in any archive; comparing endless ones would take forever.
const LONGEST_WORD: usize = 512;

/// Reads a relation field: groups between commas, alternatives between bars.
///
/// Alternatives restricted to architectures other than `arch` are left out, and so are groups that
/// become empty by that.
///
/// # Errors
/// The first alternative that does not follow the grammar.
pub fn parse_relations(field: &str, arch: &str) -> Result<Vec<Vec<Relation>>, RelationError> {
    let mut groups = Vec::new();
    for group in field.split(',').filter(|group| !group.trim().is_empty()) {
        let mut alternatives = Vec::new();
        for alternative in group.split('|') {
            alternatives.extend(parse_alternative(alternative.trim(), arch)?);
        }
        if !alternatives.is_empty() {
            groups.push(alternatives);
        }
    }
    Ok(groups)
}

/// Reads one alternative; `None` if it is not for this architecture.
fn parse_alternative(text: &str, arch: &str) -> Result<Option<Relation>, RelationError> {
    let bad = |reason| {
        let text = text.chars().take(LONGEST_WORD).collect();
        RelationError { text, reason }
    };
    let end = text.find(|c: char| c.is_whitespace() || "([<".contains(c)).unwrap_or(text.len());
    let (word, mut rest) = (&text[..end], text[end..].trim_start());
    let (name, qualifier) = match word.split_once(':') {
        None | Some((_, "native")) => (word.split(':').next().unwrap_or_default(), Qualifier::None),
        Some((name, "any")) => (name, Qualifier::Any),
        Some((name, arch)) if is_name(arch) => (name, Qualifier::Arch(arch.to_owned())),
        Some(_) => return Err(bad("no architecture follows the colon")),
    };
    if !is_name(name) {
        return Err(bad("it does not begin with a package name"));
    }
    let mut version = None;
    if let Some(inner) = rest.strip_prefix('(') {
        let (inner, after) = inner.split_once(')').ok_or_else(|| bad("a `)` is missing"))?;
        version = Some(parse_version_test(inner.trim()).ok_or_else(|| bad("the version cannot be read"))?);
        rest = after.trim_start();
    }
    let mut applies = true;
    if let Some(inner) = rest.strip_prefix('[') {
        let (inner, after) = inner.split_once(']').ok_or_else(|| bad("a `]` is missing"))?;
        applies = arch_applies(inner, arch).ok_or_else(|| bad("the list of architectures cannot be read"))?;
        rest = after.trim_start();
    }
    if !rest.is_empty() {
        return Err(bad("something follows that no binary package has"));
    }
    Ok(applies.then(|| Relation { name: name.to_owned(), qualifier, version }))
}

fn parse_version_test(text: &str) -> Option<(Operator, Version)> {
    let end = text.find(|c| !"<>=".contains(c))?;
    let operator = match &text[..end] {
        "<<" => Operator::Earlier,
        // A single `<` or `>` is an old spelling that includes equality (deb-control(5)).
        "<=" | "<" => Operator::EarlierOrEqual,
        "=" => Operator::Equal,
        ">=" | ">" => Operator::LaterOrEqual,
        ">>" => Operator::Later,
        _ => return None,
    };
    Some((operator, parse_version(text[end..].trim_start())?))
}

pub(crate) fn parse_version(text: &str) -> Option<Version> {
    (text.len() <= LONGEST_WORD).then(|| text.parse().ok()).flatten()
}

/// Whether a list such as `amd64 arm64` or `!i386` holds for an architecture.
fn arch_applies(list: &str, arch: &str) -> Option<bool> {
    let words: Vec<&str> = list.split_whitespace().collect();
    let negative = words.first()?.starts_with('!');
    if words.iter().any(|word| word.starts_with('!') != negative) {
        return None;
    }
    let named = words.iter().any(|word| {
        let word = word.trim_start_matches('!');
        word == arch || word == "any" || word == "linux-any" || word == format!("any-{arch}")
    });
    Some(named != negative)
}

/// Whether this is a package name (Debian Policy, section 5.6.1), the grammar of virtual ones included.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_WORD
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
}

impl Relation {
    /// Whether a version satisfies it.
    pub fn admits(&self, version: &Version) -> bool {
        self.version.as_ref().is_none_or(|(operator, wanted)| operator.holds(version.cmp(wanted)))
    }
}

impl Operator {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Operator::Earlier => order.is_lt(),
            Operator::EarlierOrEqual => order.is_le(),
            Operator::Equal => order.is_eq(),
            Operator::LaterOrEqual => order.is_ge(),
            Operator::Later => order.is_gt(),
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.qualifier {
            Qualifier::None => {}
            Qualifier::Any => f.write_str(":any")?,
            Qualifier::Arch(arch) => write!(f, ":{arch}")?,
        }
        if let Some((operator, version)) = &self.version {
            let sign = match operator {
                Operator::Earlier => "<<",
                Operator::EarlierOrEqual => "<=",
                Operator::Equal => "=",
                Operator::LaterOrEqual => ">=",
                Operator::Later => ">>",
            };
            write!(f, " ({sign} {version})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: &str) -> String {
        let groups = parse_relations(field, "amd64").unwrap();
        let groups: Vec<String> = groups
            .iter()
            .map(|group| group.iter().map(Relation::to_string).collect::<Vec<_>>().join(" | "))
            .collect();
        groups.join(", ")
    }

    #[test]
    fn relation_fields_are_read() {
        for (field, expected) in [
            ("", ""),
            ("libc6", "libc6"),
            ("libc6(>=2.41),libgcc-s1 ( >= 4.2 )", "libc6 (>= 2.41), libgcc-s1 (>= 4.2)"),
            ("debconf (>= 0.5) | debconf-2.0", "debconf (>= 0.5) | debconf-2.0"),
            ("python3:any (<< 3.14), perl:native", "python3:any (<< 3.14), perl"),
            ("libc6:i386 (= 1:2-3~x)", "libc6:i386 (= 1:2-3~x)"),
            ("a (< 1), b (> 1)", "a (<= 1), b (>= 1)"),
            ("a [amd64 arm64], b [arm64] | c, d [!amd64], e [!arm64], f [linux-any]", "a, c, e, f"),
            ("a,\n b | c\n,", "a, b | c"),
        ] {
            assert_eq!(shown(field), expected, "{field}");
        }
    }

    #[test]
    fn what_is_no_relation_is_refused() {
        for (field, reason) in [
            ("a | | b", "it does not begin with a package name"),
            ("(>= 1)", "it does not begin with a package name"),
            ("a (>= 1", "a `)` is missing"),
            ("a (>= )", "the version cannot be read"),
            ("a (1)", "the version cannot be read"),
            ("a (=> 1)", "the version cannot be read"),
            ("a (>= 1) b", "something follows that no binary package has"),
            ("a <!nocheck>", "something follows that no binary package has"),
            ("a [amd64", "a `]` is missing"),
            ("a [amd64 !arm64]", "the list of architectures cannot be read"),
            ("a []", "the list of architectures cannot be read"),
            ("a:", "no architecture follows the colon"),
            ("ä", "it does not begin with a package name"),
        ] {
            assert_eq!(parse_relations(field, "amd64").unwrap_err().reason, reason, "{field}");
        }
    }

    #[test]
    fn versions_are_compared_as_debian_does() {
        for (relation, version, expected) in [
            ("a (<< 2)", "2~rc1", true),
            ("a (<< 2)", "2", false),
            ("a (<= 2)", "2-0", true),
            ("a (= 1.0-1)", "0:1.0-1", true),
            ("a (>= 1:0)", "9", false),
            ("a (>> 1.9)", "1.10", true),
            ("a (>> 1.0)", "1.0+b1", true),
        ] {
            let relation = &parse_relations(relation, "amd64").unwrap()[0][0];
            assert_eq!(relation.admits(&version.parse().unwrap()), expected, "{relation}: {version}");
        }
    }
}

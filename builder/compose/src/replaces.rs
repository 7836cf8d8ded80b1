use std::cmp::Ordering;

use debversion::Version;

/// Whether a `Replaces:` field names a package in that version (Debian Policy 7.1 has the grammar, 7.6 the meaning).
pub(crate) fn names(field: &str, package: &str, version: &str) -> bool {
    field.split(',').any(|relation| relation_holds(relation.trim(), package, version))
}

fn relation_holds(relation: &str, package: &str, version: &str) -> bool {
    let (name, limit) = match relation.split_once('(') {
        Some((name, limit)) => (name, Some(limit.trim_end().trim_end_matches(')'))),
        None => (relation, None),
    };
    let name = name.trim().split(':').next().unwrap_or_default();
    let Some(limit) = limit else { return name == package };
    let limit = limit.trim();
    let digits = limit.trim_start_matches(['<', '>', '=']);
    let (Ok(bound), Ok(version)) = (digits.trim().parse::<Version>(), version.parse::<Version>()) else {
        return false;
    };
    let order = version.cmp(&bound);
    name == package
        && match &limit[..limit.len() - digits.len()] {
            "<<" => order == Ordering::Less,
            "<=" => order != Ordering::Greater,
            "=" => order == Ordering::Equal,
            ">=" => order != Ordering::Less,
            ">>" => order == Ordering::Greater,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_version_in_the_field_is_a_limit() {
        let field = "mount (<< 2.40), bash-completion, foo:any (>= 1.0-1), bar (= 2)";
        for (package, version, expected) in [
            ("mount", "2.39-1", true),
            ("mount", "2.40", false),
            ("bash-completion", "1", true),
            ("foo", "1.0-1", true),
            ("foo", "1.0~rc1-1", false),
            ("bar", "2", true),
            ("bar", "3", false),
            ("nobody", "1", false),
        ] {
            assert_eq!(names(field, package, version), expected, "{package} {version}");
        }
    }
}

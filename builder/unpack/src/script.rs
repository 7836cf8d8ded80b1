//! What a maintainer script does beyond what debhelper generated.

/// The hand-written part of a maintainer script: without debhelper's generated sections, comments, blank lines and
/// lines that do nothing. None when nothing is left.
///
/// Two scripts with the same hand-written part need one review, so that a new version of debhelper or a changed
/// comment does not ask for another.
pub fn written_part(script: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut generated = false;
    for line in script.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.starts_with(b"# Automatically added by ") {
            generated = true;
        } else if line == b"# End automatically added section" {
            generated = false;
        } else if !generated && !is_idle(line) {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    // A section that never ends would hide all after it.
    if generated { Some(script.to_vec()) } else { Some(out).filter(|out| !out.is_empty()) }
}

/// A line that does nothing when a script runs from its first to its last line.
fn is_idle(line: &[u8]) -> bool {
    line.is_empty() || line.starts_with(b"#") || matches!(line, b"set -e" | b"exit 0" | b"true" | b":")
}

#[cfg(test)]
mod tests {
    use super::written_part;

    const SECTION: &str = "# Automatically added by dh_installsystemd/13.24\nif true; then\n\tsystemctl x\nfi\n# End automatically added section\n";

    #[test]
    fn only_what_a_person_wrote_is_left() {
        let cases = [
            ("#!/bin/sh\nset -e\n\nexit 0\n".to_owned(), None),
            (format!("#!/bin/sh\nset -e\n{SECTION}#DEBHELPER#\n"), None),
            (format!("#!/bin/sh\nset -e\n  mkdir /x\n{SECTION}"), Some("mkdir /x\n")),
            (format!("#!/bin/sh\n{SECTION}mkdir /x # why\n{SECTION}"), Some("mkdir /x # why\n")),
            ("#!/usr/bin/perl -w\nprint 1;\n".to_owned(), Some("print 1;\n")),
        ];
        for (script, left) in cases {
            let found = written_part(script.as_bytes());
            assert_eq!(found.as_deref(), left.map(str::as_bytes), "{script}");
        }
    }

    #[test]
    fn a_section_that_never_ends_hides_nothing() {
        let script = b"# Automatically added by dh_x\nrm -rf /\n";
        assert_eq!(written_part(script).as_deref(), Some(&script[..]));
    }
}

//! The addresses in a host's apt configuration (sources.list(5)).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// All addresses that packages come from, in the order in which apt reads them. A file that cannot be read has none.
pub(crate) fn uris(apt: &Path) -> Vec<String> {
    let mut uris = Vec::new();
    for file in files(apt) {
        let Ok(bytes) = fs::read(&file) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let sources = file.extension().is_some_and(|extension| extension == "sources");
        uris.extend(if sources { of_stanzas(&text) } else { of_lines(&text) });
    }
    uris.into_iter().flat_map(listed).collect()
}

/// `sources.list`, then those of `sources.list.d` whose names apt accepts (letters, digits, `_`, `-` and `.`).
fn files(apt: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(apt.join("sources.list.d")).into_iter().flatten().flatten();
    let mut parts: Vec<PathBuf> = folder
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
            plain && !name.starts_with('.') && (name.ends_with(".list") || name.ends_with(".sources"))
        })
        .map(|entry| entry.path())
        .collect();
    parts.sort();
    parts.insert(0, apt.join("sources.list"));
    parts
}

/// `deb [options] URI suite component…`
fn of_lines(text: &str) -> Vec<String> {
    let uri = |line: &str| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let rest = line.strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']')?.1,
            None => rest,
        };
        rest.split_whitespace().next().map(str::to_owned)
    };
    text.lines().filter_map(uri).collect()
}

/// Stanzas with `Types: deb` and `URIs:`, without those that are switched off.
fn of_stanzas(text: &str) -> Vec<String> {
    let mut uris = Vec::new();
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).peekable();
    while lines.peek().is_some() {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        let mut key = String::new();
        for line in lines.by_ref().take_while(|line| !line.trim().is_empty()) {
            let value = match line.split_once(':') {
                _ if line.starts_with([' ', '\t']) => line,
                Some((name, value)) => {
                    key = name.trim().to_ascii_lowercase();
                    value
                }
                None => continue,
            };
            let field = fields.entry(key.clone()).or_default();
            field.push(' ');
            field.push_str(value);
        }
        let words = |key: &str| fields.get(key).map(String::as_str).unwrap_or_default().split_whitespace();
        // The words that apt takes for `no` (StringToBool in apt-pkg).
        let off = |word: &str| {
            ["no", "false", "without", "off", "disable", "0"].contains(&word.to_lowercase().as_str())
        };
        if !words("enabled").any(off) && words("types").any(|word| word == "deb") {
            uris.extend(words("uris").map(str::to_owned));
        }
    }
    uris
}

/// `mirror+file:/path` names a file with an address on each line, as Debian's cloud images have it (apt-transport-mirror(1)).
fn listed(uri: String) -> Vec<String> {
    let Some(rest) = uri.strip_prefix("mirror+file:") else { return vec![uri] };
    let path = crate::mirrors::local_path(rest).unwrap_or(rest);
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

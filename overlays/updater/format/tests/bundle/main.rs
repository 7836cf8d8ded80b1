//! The index of a bundle: what is read, and what is refused with which words.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io;

use geminios_update_format::bundle::{BLOCK, BundleError, Entry, FILES, header, index, padding};

/// A bundle, as its writer makes it.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        bytes.extend(header(name, content.len() as u64).unwrap());
        bytes.extend(*content);
        bytes.extend(&[0; BLOCK][..padding(content.len() as u64)]);
    }
    bytes.extend([0; 2 * BLOCK]);
    bytes
}

fn small() -> Vec<u8> {
    tar(&[("metadata/timestamp.json", b"{}"), ("blobs/ab/full", &[7; 2 * BLOCK]), ("blobs/cd/empty", b"")])
}

/// The index, and how many bytes were read for it.
fn counted(bytes: &[u8]) -> (Result<BTreeMap<String, Entry>, BundleError>, usize) {
    let mut read = 0;
    let mut read_at = |at: u64, buffer: &mut [u8]| {
        read += buffer.len();
        buffer.copy_from_slice(&bytes[at as usize..at as usize + buffer.len()]);
        Ok(())
    };
    let entries = index(bytes.len() as u64, &mut read_at);
    (entries, read)
}

fn refusal(bytes: &[u8]) -> String {
    counted(bytes).0.unwrap_err().to_string()
}

#[test]
fn files_are_found_without_reading_them() {
    let content = vec![1; 1 << 20];
    let bytes = tar(&[("a", &content), ("b/c", b"x"), ("empty", b"")]);
    let (entries, read) = counted(&bytes);
    let entries: Vec<(String, u64, u64)> =
        entries.unwrap().into_iter().map(|(name, entry)| (name, entry.offset, entry.size)).collect();
    let (first, second) = (512, 512 + (1 << 20) + 512);
    assert_eq!(
        entries,
        [("a".into(), first, 1 << 20), ("b/c".into(), second, 1), ("empty".into(), second + 512 + 512, 0)]
    );
    assert_eq!(read, 5 * BLOCK + 511);
}

#[test]
fn a_cut_is_seen_wherever_it_is_and_the_file_is_named() {
    let bytes = small();
    let mut said: Vec<String> = Vec::new();
    for cut in 0..bytes.len() {
        let error = refusal(&bytes[..cut]);
        let within = error.strip_prefix(&format!("it is cut at byte {cut}, within ")).unwrap();
        said.push(within.lines().next().unwrap().to_owned());
    }
    said.dedup();
    assert_eq!(
        said,
        [
            "the header after its begin",
            "metadata/timestamp.json",
            "the header after metadata/timestamp.json",
            "blobs/ab/full",
            "the header after blobs/ab/full",
            "the header after blobs/cd/empty",
            "its end",
        ]
    );
}

#[test]
fn a_flipped_bit_outside_of_contents_is_seen() {
    let bytes = small();
    let entries = counted(&bytes).0.unwrap();
    let content = |at: usize| {
        entries.values().any(|entry| (entry.offset..entry.offset + entry.size).contains(&(at as u64)))
    };
    for at in (0..bytes.len()).filter(|at| !content(*at)) {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(counted(&flipped).0.is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn what_is_no_bundle_is_refused() {
    let good = small();
    let mut padded = good.clone();
    padded[BLOCK + 2] = 1;
    let cases: [(Vec<u8>, &str); 9] = [
        (vec![b'x'; 5000], "the header at byte 0, after its begin, is none of a bundle"),
        (vec![], "it is cut at byte 0, within the header after its begin"),
        (tar(&[("../etc/passwd", b"x")]), "../etc/passwd: a relative path without empty parts"),
        (tar(&[("/etc/passwd", b"x")]), "/etc/passwd: a relative path"),
        (tar(&[("a\nb", b"x")]), "a\\nb: a path of ASCII letters"),
        (tar(&[("a", b"x"), ("a", b"y")]), "a: each name once"),
        (padded, "metadata/timestamp.json: the padding after it is not zero"),
        ([&good[..], b"x"].concat(), &format!("bytes follow its end at byte {}", good.len() - BLOCK)),
        ([&good[..good.len() - BLOCK], &good[..]].concat(), "bytes follow its end"),
    ];
    for (bytes, expected) in cases {
        let said = refusal(&bytes);
        assert!(said.starts_with(expected), "{expected}\n{said}");
        assert!(said.contains("\n  help: "), "{said}");
    }
}

/// Sizes as their headers say; no such bytes are there.
#[test]
fn a_file_that_claims_more_than_there_is_and_too_many_files() {
    let mut bytes = header("blobs/ab/huge", (1 << 33) - 1).unwrap().to_vec();
    bytes.extend([0; 2 * BLOCK]);
    assert!(refusal(&bytes).starts_with("it is cut at byte 1536, within blobs/ab/huge"));

    let mut many = |at: u64, buffer: &mut [u8]| {
        buffer.copy_from_slice(&header(&format!("f{at}"), 0).unwrap());
        Ok(())
    };
    let error = index(u64::MAX, &mut many).unwrap_err().to_string();
    assert!(error.starts_with(&format!("more than {FILES} files")), "{error}");
}

#[test]
fn an_unreadable_medium_names_the_place() {
    let bytes = small();
    let mut read_at = |at: u64, buffer: &mut [u8]| {
        if at > BLOCK as u64 + 2 {
            return Err(io::Error::other("I/O error"));
        }
        buffer.copy_from_slice(&bytes[at as usize..at as usize + buffer.len()]);
        Ok(())
    };
    let error = index(bytes.len() as u64, &mut read_at).unwrap_err().to_string();
    assert!(
        error.starts_with("the header after metadata/timestamp.json cannot be read: I/O error\n  help: "),
        "{error}"
    );
}

//! Where mirrors come from.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::Mirrors;

/// /etc/apt with these files.
fn apt(files: &[(&str, &str)]) -> TempDir {
    let apt = TempDir::new().unwrap();
    fs::create_dir(apt.path().join("sources.list.d")).unwrap();
    for (name, text) in files {
        fs::write(apt.path().join(name), text).unwrap();
    }
    apt
}

fn of_apt(files: &[(&str, &str)], archive: &str) -> Vec<String> {
    Mirrors::discover(&[], None, apt(files).path()).unwrap().of(archive).unwrap_or_default()
}

fn given(arguments: &[&str], environment: &str, archive: &str) -> Vec<String> {
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    let apt = apt(&[(
        "sources.list",
        "deb http://apt.example/debian trixie main\ndeb http://apt.example/debian-security x main",
    )]);
    Mirrors::discover(&arguments, Some(environment), apt.path()).unwrap().of(archive).unwrap()
}

#[test]
fn the_command_line_counts_before_the_environment_before_apt() {
    for (arguments, environment, archive, mirrors) in [
        (
            &["http://a.example/debian"][..],
            "http://b.example/debian",
            "debian",
            vec!["http://a.example/debian"],
        ),
        (
            &[],
            "http://b.example/debian/ https://c.example/x/debian",
            "debian",
            vec!["http://b.example/debian", "https://c.example/x/debian"],
        ),
        (&[], "", "debian", vec!["http://apt.example/debian"]),
        // A plain address stands for the archives beside it.
        (
            &["http://a.example/mirror/debian"],
            "",
            "debian-security",
            vec!["http://a.example/mirror/debian-security"],
        ),
        (&["http://a.example/deb"], "", "debian", vec!["http://a.example/deb"]),
        // One archive's own comes first; the others have theirs from the next place.
        (
            &["http://a.example/debian", "debian-security=http://s.example/"],
            "",
            "debian-security",
            vec!["http://s.example", "http://a.example/debian-security"],
        ),
        (
            &["debian=http://a.example/debian"],
            "",
            "debian-security",
            vec!["http://apt.example/debian-security"],
        ),
        (&["file:///srv/debian"], "", "debian-security", vec!["file:///srv/debian-security"]),
        (&["HTTP://a.example/debian//"], "", "debian", vec!["http://a.example/debian"]),
    ] {
        assert_eq!(given(arguments, environment, archive), mirrors, "{arguments:?} {environment}");
    }
}

#[test]
fn what_is_no_address_is_refused_with_its_place() {
    for word in [
        "mirror.example/debian",
        "ftp://a.example/debian",
        "http://",
        "http:///debian",
        "http://a.example",
        "debian=",
        "http://a.example/debian?x",
        "http://a.example/de bian",
        "file://host/debian",
        "",
    ] {
        let error = Mirrors::discover(&[word.to_owned()], None, Path::new("/nonexistent")).unwrap_err();
        assert!(
            error.to_string().starts_with(&format!("`{word}` in --mirror is not a mirror\n  help: ")),
            "{error}"
        );
    }
    let error =
        Mirrors::discover(&[], Some("http://me:secret@a.example"), Path::new("/nonexistent")).unwrap_err();
    assert!(
        error.to_string().starts_with("`http://a.example` in GEMINIOS_MIRROR is not a mirror"),
        "{error}"
    );
}

#[test]
fn without_any_mirror_the_error_says_how_to_name_one() {
    let mirrors = Mirrors::discover(&[], None, Path::new("/nonexistent")).unwrap();
    let words = mirrors.of("debian").unwrap_err().to_string();
    assert!(
        words.contains("`debian`") && words.contains("--mirror") && words.contains("GEMINIOS_MIRROR"),
        "{words}"
    );
    assert!(words.contains("your Debian mirror"), "{words}");
}

#[test]
fn one_line_sources() {
    for (line, mirrors) in [
        ("deb http://a.example/debian trixie main contrib", vec!["http://a.example/debian"]),
        ("  deb\thttp://a.example/debian/  trixie main # ours", vec!["http://a.example/debian"]),
        (
            "deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://a.example/debian trixie main",
            vec!["https://a.example/debian"],
        ),
        ("deb [ arch=amd64 ] file:/srv/debian trixie main", vec!["file:/srv/debian"]),
        (
            "deb http://a.example/debian a main\ndeb http://b.example/debian a main\ndeb http://a.example/debian b main",
            vec!["http://a.example/debian", "http://b.example/debian"],
        ),
        ("# deb http://a.example/debian trixie main", vec![]),
        ("deb-src http://a.example/debian trixie main", vec![]),
        ("deb cdrom:[Debian]/ trixie main", vec![]),
        ("deb http://a.example/ubuntu noble main", vec![]),
        ("deb http://a.example/ trixie main", vec![]),
        ("deb [arch=amd64", vec![]),
        ("deb", vec![]),
        ("debhttp://a.example/debian", vec![]),
    ] {
        assert_eq!(of_apt(&[("sources.list", line)], "debian"), mirrors, "{line}");
    }
}

#[test]
fn deb822_sources() {
    for (text, mirrors) in [
        (
            "Types: deb\nURIs: http://a.example/debian\nSuites: trixie\nComponents: main\n",
            vec!["http://a.example/debian"],
        ),
        (
            "# ours\nTypes: deb deb-src\n# not http://c.example/debian\nURIs:\n http://a.example/debian\n http://b.example/debian/\nSuites: trixie\n",
            vec!["http://a.example/debian", "http://b.example/debian"],
        ),
        ("types: deb\nuris: http://a.example/debian\nenabled: yes\n", vec!["http://a.example/debian"]),
        (
            "\n\nTypes: deb\nURIs: http://a.example/debian\n\n \nTypes: deb\nURIs: http://b.example/debian",
            vec!["http://a.example/debian", "http://b.example/debian"],
        ),
        (
            "Types: deb\r\nURIs: http://a.example/debian\r\n\r\nTypes: deb\r\nURIs: http://b.example/debian\r\nEnabled: no\r\n",
            vec!["http://a.example/debian"],
        ),
        ("Types: deb\nURIs: http://a.example/debian\nEnabled: No\n", vec![]),
        ("Types: deb\nURIs: http://a.example/debian\nEnabled: off\n", vec![]),
        ("Types: deb-src\nURIs: http://a.example/debian\n", vec![]),
        ("URIs: http://a.example/debian\n", vec![]),
        ("Types: deb\nURIs: http://a.example/debian-security\n", vec![]),
        (
            "Types: deb\nURIs: http://a.example/debian\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ: http://x.example/debian\n",
            vec!["http://a.example/debian"],
        ),
    ] {
        assert_eq!(of_apt(&[("sources.list.d/debian.sources", text)], "debian"), mirrors, "{text}");
    }
}

#[test]
fn apt_reads_only_files_with_its_names_in_their_order() {
    let deb = |host: &str| format!("deb http://{host}.example/debian trixie main\n");
    let texts = ["main", "a", "b", "save", "space", "hidden"].map(deb);
    let files = [
        ("sources.list.d/b.list", texts[2].as_str()),
        ("sources.list.d/a.list", texts[1].as_str()),
        ("sources.list", texts[0].as_str()),
        ("sources.list.d/a.list.save", texts[3].as_str()),
        ("sources.list.d/a b.list", texts[4].as_str()),
        ("sources.list.d/.c.list", texts[5].as_str()),
        ("sources.list.d/d.list", "\u{0}\u{fffd} deb"),
    ];
    let all = ["http://main.example/debian", "http://a.example/debian", "http://b.example/debian"];
    assert_eq!(of_apt(&files, "debian"), all);
}

#[test]
fn a_list_of_mirrors_as_cloud_images_have_it() {
    let folder =
        apt(&[("debian.list", "# near\nhttp://a.example/debian\tpriority:1\nhttp://b.example/debian\n")]);
    let list = folder.path().join("debian.list");
    let text = format!("Types: deb\nURIs: mirror+file://{}\nSuites: trixie\n", list.display());
    assert_eq!(
        of_apt(&[("sources.list.d/debian.sources", &text)], "debian"),
        ["http://a.example/debian", "http://b.example/debian"]
    );
}

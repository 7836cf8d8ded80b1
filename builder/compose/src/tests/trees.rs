use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::world::{D, EPOCH, F, H, L, World, load};

#[test]
fn an_image_without_overlays_is_packages_and_fixups() {
    let world = World::new();
    insta::assert_snapshot!(world.assembled(|a| a.root.listing()));
    insta::assert_snapshot!(world.text("/usr/lib/os-release"), @r#"
    PRETTY_NAME="GeminiOS 1.0 (edge)"
    NAME="GeminiOS"
    ID=geminios
    ID_LIKE=debian
    VERSION_ID="1.0"
    IMAGE_ID="edge"
    IMAGE_VERSION="1.0"
    BUILD_ID="439067569fe4"
    "#);
    insta::assert_snapshot!(world.text("/usr/share/geminios/packages"), @r"
    base-files 1 amd64
    base-passwd 1 amd64
    linux-image-6.12.57-amd64 1 amd64
    systemd-boot-efi 1 amd64
    ");
}

#[test]
fn the_image_tells_the_updater_what_it_is_and_which_data_it_has() {
    let mut world = World::new();
    world.overlay("base", "[data]\npostgresql = 17\nkubernetes-minor = 37\n", &[]);
    insta::assert_snapshot!(world.text("/usr/lib/geminios/image.json"));
}

#[test]
fn members_follow_the_links_of_the_usr_merge() {
    let mut world = World::new();
    world.package(
        "old",
        &[
            ("/bin", D(0o755)),
            ("/bin/tool", F(0o4755, "tool")),
            ("/lib/udev/rules.d/x.rules", F(0o644, "x")),
            ("/usr/bin/tool2", H("/bin/tool")),
        ],
    );
    insta::assert_snapshot!(world.listing(&["/bin", "/lib", "/usr/bin", "/usr/lib/udev"]), @r"
    /bin: link -> usr/bin
    /lib: link -> usr/lib
    /usr/bin: 0755 0:0 folder
    /usr/bin/tool: 4755 0:0 4
    /usr/bin/tool2: 0644 0:0 4
    /usr/lib/udev: 0755 0:0 folder
    /usr/lib/udev/rules.d: 0755 0:0 folder
    /usr/lib/udev/rules.d/x.rules: 0644 0:0 1
    ");
    assert_eq!(world.text("/usr/bin/tool2"), "tool", "a hard link has the file's content");
}

#[test]
fn a_package_that_replaces_another_has_the_file() {
    for (replaces, expected) in [("old (<< 2)", "new"), ("old (<< 1), other", "error")] {
        let mut world = World::new();
        let new = world.package("a-new", &[("/usr/bin/x", F(0o755, "new"))]);
        new.1.control.fields.insert("Replaces".into(), replaces.into());
        world.package("old", &[("/usr/bin/x", F(0o755, "old"))]);
        let text = world.with_inputs(|inputs| match crate::compose::assemble(inputs) {
            Ok(_) => world.text("/usr/bin/x"),
            Err(_) => "error".into(),
        });
        assert_eq!(text, expected, "{replaces}");
    }
}

#[test]
fn accounts_come_from_base_passwd_and_overlays() {
    let mut world = World::new();
    world.overlay(
        "db",
        r#"
        [[group]]
        name = "ssl-cert"
        gid = 950
        [[user]]
        name = "postgres"
        uid = 900
        groups = ["ssl-cert", "staff"]
        home = "/var/lib/postgresql"
        shell = "/bin/bash"
        comment = "PostgreSQL"
        [[user]]
        name = "guest"
        uid = 901
        group = "staff"
        "#,
        &[],
    );
    insta::assert_snapshot!(world.text("/etc/passwd"), @r"
    root:x:0:0:root:/root:/bin/bash
    postgres:x:900:900:PostgreSQL:/var/lib/postgresql:/bin/bash
    guest:x:901:50::/nonexistent:/usr/sbin/nologin
    ");
    insta::assert_snapshot!(world.text("/etc/group"), @r"
    root:x:0:
    shadow:x:42:
    staff:x:50:postgres
    postgres:x:900:
    ssl-cert:x:950:postgres
    ");
    insta::assert_snapshot!(world.text("/etc/shadow"), @r"
    root:*:1:0:99999:7:::
    postgres:*:1:0:99999:7:::
    guest:*:1:0:99999:7:::
    ");
    insta::assert_snapshot!(world.text("/etc/gshadow"), @r"
    root:*::
    shadow:*::
    staff:*::postgres
    postgres:*::
    ssl-cert:*::postgres
    ");
}

#[test]
fn overlays_lay_files_folders_links_programs_and_owners() {
    let mut world = World::new();
    world.package(
        "mawk",
        &[
            ("/usr/bin/mawk", F(0o755, "mawk")),
            ("/usr/bin/helper", F(0o755, "helper")),
            ("/etc/issue", F(0o600, "Debian")),
        ],
    );
    world.overlay(
        "base",
        r#"
        [[replace]]
        path = "/etc/issue"
        reason = "ours"
        [[directory]]
        path = "/etc/secret"
        mode = "0750"
        group = "shadow"
        [[link]]
        path = "/etc/localtime"
        target = "/usr/share/zoneinfo/UTC"
        [[alternative]]
        link = "/usr/bin/awk"
        path = "/usr/bin/mawk"
        [[owner]]
        path = "/usr/bin/helper"
        user = "root"
        group = "shadow"
        mode = "2755"
        reason = "reads shadow"
        [[program]]
        source = "agent"
        binary = "agent"
        path = "/usr/lib/geminios/agent"
        place = "root"
        "#,
        &[
            ("etc/issue", "GeminiOS"),
            ("etc/mine/run", "#!/bin/sh\n"),
            ("etc/mine/conf", "x"),
            ("etc/mine/link", "-> conf"),
        ],
    );
    insta::assert_snapshot!(world.listing(&["/etc/issue", "/etc/mine", "/etc/secret", "/etc/localtime", "/usr/bin", "/usr/lib/geminios"]), @r"
    /etc/issue: 0644 0:0 8
    /etc/localtime: link -> /usr/share/zoneinfo/UTC
    /etc/mine: 0755 0:0 folder
    /etc/mine/conf: 0644 0:0 1
    /etc/mine/link: link -> conf
    /etc/mine/run: 0755 0:0 10
    /etc/secret: 0750 0:42 folder
    /usr/bin: 0755 0:0 folder
    /usr/bin/awk: link -> /usr/bin/mawk
    /usr/bin/helper: 2755 0:42 6
    /usr/bin/mawk: 0755 0:0 4
    /usr/lib/geminios: 0755 0:0 folder
    /usr/lib/geminios/agent: 0755 0:0 7
    /usr/lib/geminios/image.json: 0644 0:0 227
    ");
}

#[test]
fn pruning_leaves_what_is_kept_and_no_empty_folders() {
    let mut world = World::new();
    world.package(
        "doc",
        &[
            ("/usr/share/doc", D(0o755)),
            ("/usr/share/doc/a", D(0o755)),
            ("/usr/share/doc/a/copyright", F(0o644, "mine")),
            ("/usr/share/doc/a/changelog", F(0o644, "long")),
            ("/usr/share/doc/b/changelog", F(0o644, "long")),
            ("/usr/share/man/man1/x.1", F(0o644, "x")),
            ("/usr/share/spool", D(0o755)),
            ("/usr/share/doc-base/x", F(0o644, "x")),
        ],
    );
    world.overlay(
        "base",
        r#"
        [[prune]]
        path = "/usr/share/doc/**"
        keep = ["/usr/share/doc/*/copyright"]
        reason = "nobody reads it there"
        [[prune]]
        path = "/usr/share/man/*/*"
        reason = "nobody reads it there"
        "#,
        &[],
    );
    insta::assert_snapshot!(world.listing(&["/usr/share/doc", "/usr/share/man", "/usr/share/spool", "/usr/share/doc-base"]), @r"
    /usr/share/doc: 0755 0:0 folder
    /usr/share/doc-base: 0755 0:0 folder
    /usr/share/doc-base/x: 0644 0:0 1
    /usr/share/doc/a: 0755 0:0 folder
    /usr/share/doc/a/copyright: 0644 0:0 4
    /usr/share/spool: 0755 0:0 folder
    ");
}

#[test]
fn what_stands_below_var_is_made_on_the_device() {
    let mut world = World::new();
    world.package(
        "things",
        &[
            ("/var", D(0o755)),
            ("/var/lib/things", D(0o750)),
            ("/var/lib/things/a file", F(0o640, "100%")),
            ("/var/lib/link", L("/run/things")),
            ("/var/log", D(0o755)),
            (
                "/usr/lib/tmpfiles.d/var.conf",
                F(0o644, "# systemd\nd /var/log 0755 - - -\nd /var/lib 0755 - - -\n"),
            ),
        ],
    );
    world.overlay(
        "base",
        "[[directory]]\npath = \"/var/lib/ours\"\nmode = \"0700\"\ngroup = \"staff\"\n",
        &[],
    );
    let (listing, snippet) = world.assembled(|a| {
        let mut root = a.root.clone();
        crate::var::to_tmpfiles(&mut root, &a.accounts, EPOCH).unwrap();
        let path = geminios_model::TreePath::new("/usr/lib/tmpfiles.d/geminios-var.conf").unwrap();
        let text = root.get(&path).unwrap().content().unwrap().read().unwrap();
        (root.listing(), String::from_utf8(text).unwrap())
    });
    insta::assert_snapshot!(snippet, @r"
    # What packages and overlays ship below /var, made anew where it is missing.
    L /var/lib/link - - - - /run/things
    d /var/lib/ours 0700 root staff -
    d /var/lib/things 0750 root root -
    C /var/lib/things/a\x20file 0640 root root -
    d /var/tmp 1777 root root -
    ");
    let left: Vec<&str> =
        listing.lines().filter(|l| l.starts_with("/var") || l.contains("/factory/")).collect();
    assert_eq!(
        left,
        [
            "/usr/share/factory/var: 0755 0:0 folder",
            "/usr/share/factory/var/lib: 0755 0:0 folder",
            "/usr/share/factory/var/lib/things: 0755 0:0 folder",
            "/usr/share/factory/var/lib/things/a file: 0640 0:0 4",
            "/var: 0755 0:0 folder",
            "/var/tmp: 1777 0:0 folder",
        ]
    );
}

#[test]
fn certificates_become_one_bundle_even_if_they_are_pruned() {
    let mut world = World::new();
    let dir = "/usr/share/ca-certificates/mozilla";
    world.package(
        "ca-certificates",
        &[(&format!("{dir}/Főtanúsítvány.crt"), F(0o644, "F")), (&format!("{dir}/A.crt"), F(0o644, "A\n"))],
    );
    world.overlay("base", "[[prune]]\npath = \"/usr/share/ca-certificates/**\"\nreason = \"bundled\"\n", &[]);
    assert_eq!(world.text("/etc/ssl/certs/ca-certificates.crt"), "A\nF\n");
}

#[test]
fn the_order_of_packages_umask_and_times_of_files_do_not_matter() {
    let describe = |world: &World| world.assembled(|a| (a.root.digest(), a.root.listing()));
    let mut world = World::new();
    world.package("a", &[("/usr/share/both", D(0o750)), ("/usr/share/both/a", F(0o644, "a"))]);
    world.package("b", &[("/usr/share/both", D(0o700)), ("/usr/share/both/b", F(0o644, "b"))]);
    world.overlay("base", "", &[("etc/hosts", "x"), ("etc/run", "#!x")]);
    let first = describe(&world);
    world.packages.reverse();
    let rootfs = world.dir.path().join("base/rootfs/etc");
    for (name, mode) in [("hosts", 0o660), ("run", 0o711)] {
        let file = fs::File::options().write(true).open(rootfs.join(name)).unwrap();
        file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    fs::set_permissions(&rootfs, fs::Permissions::from_mode(0o700)).unwrap();
    world.overlays[0] = load("base", "", &world.dir.path().join("base"));
    assert_eq!(describe(&world), first);
    world.assembled(|a| {
        let late = a.root.iter().filter(|(_, entry)| entry.mtime > EPOCH).count();
        assert_eq!(late, 0, "nothing is younger than the lock");
    });
}

#[test]
fn a_digest_tells_apart_all_that_an_image_holds() {
    let path = || geminios_model::TreePath::new("/usr/bin/x").unwrap();
    let mut world = World::new();
    world.package("x", &[("/usr/bin/x", F(0o755, "x"))]);
    let tree = world.assembled(|a| a.root.clone());
    type Change = fn(&mut crate::Entry);
    let changes: [(&str, Change); 6] = [
        ("mode", |e| e.mode = 0o700),
        ("uid", |e| e.uid = 7),
        ("gid", |e| e.gid = 7),
        ("mtime", |e| e.mtime = 7),
        ("content", |e| e.node = crate::Node::File("y".into())),
        ("kind", |e| e.node = crate::Node::Symlink("x".into())),
    ];
    for (what, change) in changes {
        let mut other = tree.clone();
        assert_eq!(other.digest(), tree.digest());
        change(other.get_mut(&path()).unwrap());
        assert_ne!(other.digest(), tree.digest(), "{what}");
    }
}

//! What a user sees for each mistake in overlays, packages and the table of scripts.

use geminios_model::ScriptKind;

use super::world::{F, World};

/// A world with one overlay, `base`, that is described so.
fn told(body: &str, files: &[(&str, &str)]) -> String {
    let mut world = World::new();
    world.package("tools", &[("/usr/bin/tool", F(0o755, "tool")), ("/etc/tool.conf", F(0o644, "conf"))]);
    world.package(
        "systemd",
        &[
            ("/usr/lib/systemd/system/getty@.service", F(0o644, "[Install]\nWantedBy=getty.target\n")),
            ("/usr/lib/systemd/system/multi-user.target", F(0o644, "")),
            ("/usr/lib/systemd/system/systemd-networkd.service", F(0o644, "")),
        ],
    );
    world.overlay("base", body, files);
    world.error()
}

/// Several messages as one text.
fn all<const N: usize>(messages: [String; N]) -> String {
    messages.join("\n----\n")
}

#[test]
fn two_overlays_that_own_one_path() {
    let mut world = World::new();
    world.overlay("base", "", &[("etc/hosts", "a")]);
    world.overlay("network", "", &[("etc/hosts", "a")]);
    let told0 = world.error();

    let mut world = World::new();
    world.overlay("base", "[[link]]\npath = \"/etc/hosts\"\ntarget = \"x\"\n", &[]);
    world.overlay("network", "[[directory]]\npath = \"/etc/hosts\"\n", &[]);
    insta::assert_snapshot!(all([told0, world.error()]));
}

#[test]
fn two_overlays_that_keep_the_same_data() {
    let mut world = World::new();
    world.overlay("base", "[data]\npostgresql = 17\n", &[]);
    world.overlay("network", "[data]\npostgresql = 18\n", &[]);
    insta::assert_snapshot!(world.error());
}

#[test]
fn an_overlay_that_makes_a_path_twice() {
    insta::assert_snapshot!(told("[[link]]\npath = \"/etc/x\"\ntarget = \"y\"\n", &[("etc/x", "x")]));
}

#[test]
fn a_file_over_a_packages_without_replace() {
    insta::assert_snapshot!(all([
        told("", &[("etc/tool.conf", "ours")]),
        told("", &[("etc/passwd", "ours")]),
    ]));
}

#[test]
fn a_replace_that_replaces_nothing() {
    let replace = "[[replace]]\npath = \"/etc/tool.cfg\"\nreason = \"r\"\n";
    insta::assert_snapshot!(all([told(replace, &[]), told(replace, &[("etc/tool.cfg", "ours")]),]));
}

#[test]
fn a_file_below_a_link() {
    insta::assert_snapshot!(told("", &[("lib/x", "x")]));
}

#[test]
fn a_file_where_a_folder_is() {
    insta::assert_snapshot!(all([
        told("[[replace]]\npath = \"/usr/bin\"\nreason = \"r\"\n", &[("usr/bin", "x")]),
        told("", &[("usr/bin/tool/x", "x")]),
    ]));
}

#[test]
fn two_packages_with_one_file() {
    let mut world = World::new();
    world.package("one", &[("/usr/bin/x", F(0o755, "x"))]);
    world.package("same", &[("/usr/bin/x", F(0o755, "x"))]);
    world.assembled(|_| ());
    world.package("two", &[("/usr/bin/x", F(0o755, "y"))]);
    insta::assert_snapshot!(world.error());
}

#[test]
fn units_that_are_not_there() {
    insta::assert_snapshot!(all([
        told("[units]\nenable = [\"systemd-networkd.servcie\"]\n", &[]),
        told("[units]\nenable = [\"getty@tty1.service\"]\nmask = [\"nothing.service\"]\n", &[]),
        told("[units]\ndefault = \"kiosk.target\"\n", &[]),
    ]));
}

#[test]
fn units_with_two_wishes() {
    let both = "[units]\nenable = [\"systemd-networkd.service\"]\nmask = [\"systemd-networkd.service\"]\n";
    let told0 = told(both, &[]);

    let mut world = World::new();
    world.package("systemd", &[("/usr/lib/systemd/system/multi-user.target", F(0o644, ""))]);
    for name in ["base", "kiosk"] {
        world.overlay(name, "[units]\ndefault = \"multi-user.target\"\n", &[]);
    }
    insta::assert_snapshot!(all([told0, world.error()]));
}

#[test]
fn numbers_and_names_that_are_taken() {
    insta::assert_snapshot!(all([
        told(
            "[[user]]\nname = \"a\"\nuid = 900\n[[user]]\nname = \"b\"\nuid = 900\ngroup = \"staff\"\n",
            &[]
        ),
        told("[[group]]\nname = \"a\"\ngid = 42\n", &[]),
        told("[[user]]\nname = \"root\"\nuid = 900\ngroup = \"staff\"\n", &[]),
        told("[[user]]\nname = \"a\"\nuid = 900\ngroups = [\"wheel\"]\n", &[]),
        told("[[user]]\nname = \"a:b\"\nuid = 900\n", &[]),
    ]));
}

#[test]
fn a_prune_or_a_keep_that_matches_nothing() {
    let prune =
        |path: &str, keep: &str| format!("[[prune]]\npath = \"{path}\"\nkeep = [{keep}]\nreason = \"r\"\n");
    insta::assert_snapshot!(all([
        told(&prune("/usr/share/nothing/**", ""), &[]),
        told(&prune("/usr/bin/*", "\"/usr/bin/other\""), &[]),
        told(&prune("/usr/bin", ""), &[]),
    ]));
}

#[test]
fn an_alternative_an_owner_a_directory_of_nothing() {
    let owner = |path, user| {
        format!(
            "[[owner]]\npath = \"{path}\"\nuser = \"{user}\"\ngroup = \"root\"\nmode = \"755\"\nreason = \"r\"\n"
        )
    };
    insta::assert_snapshot!(all([
        told("[[alternative]]\nlink = \"/usr/bin/awk\"\npath = \"/usr/bin/gawk\"\n", &[]),
        told(&owner("/usr/bin/toll", "root"), &[]),
        told(&owner("/usr/bin/tool", "nobody-knows"), &[]),
        told(&owner("/bin", "root"), &[]),
        told("[[directory]]\npath = \"/etc/x\"\ngroup = \"wheel\"\n", &[]),
    ]));
}

#[test]
fn a_user_of_sysusers_without_a_number() {
    let mut world = World::new();
    let conf = "# Type Name ID\nu messagebus - \"Bus\" /\ng staff -\ng bus -\nm messagebus bus\n";
    world.package("dbus", &[("/usr/lib/sysusers.d/dbus.conf", F(0o644, conf))]);
    insta::assert_snapshot!(world.error());
}

#[test]
fn scripts_nobody_looked_at() {
    let mut world = World::new();
    world.package("mawk", &[]);
    world.script(ScriptKind::Preinst, "dpkg-divert --add /usr/bin/awk\n");
    world.script(ScriptKind::Prerm, "runs only at removal\n");
    world.package("openssl", &[]);
    world.script(ScriptKind::Postinst, "openssl genrsa\n");
    insta::assert_snapshot!(world.error());
}

#[test]
fn a_script_that_changed() {
    let mut world = World::new();
    world.package("linux-image-6.12.58-amd64-extra", &[]);
    world.script(ScriptKind::Postinst, "rm -rf /new\n");
    world.scripts = format!(
        "[[script]]\npackage = \"linux-image-6.12*\"\nscript = \"postinst\"\nsha256 = [\"{}\"]\ndoes = \"d\"\ninstead = \"i\"\n",
        geminios_model::Digest::of("old")
    );
    insta::assert_snapshot!(world.error());
    let now = geminios_model::Digest::of(geminios_unpack::written_part(b"rm -rf /new\n").unwrap());
    world.scripts = world.scripts.replace(&geminios_model::Digest::of("old").to_string(), &now.to_string());
    world.assembled(|_| ());
}

#[test]
fn a_script_that_is_not_the_locks() {
    let mut world = World::new();
    let (_, package) = world.package("sly", &[]);
    package.control.scripts.insert(ScriptKind::Postrm, b"not in the lock\n".to_vec());
    insta::assert_snapshot!(world.error());
}

#[test]
fn no_kernel_or_two() {
    let mut world = World::new();
    world.packages.retain(|(locked, _)| !locked.name.starts_with("linux-image"));
    let told0 = world.error();

    let mut world = World::new();
    world.package("linux-image-7", &[("/usr/lib/modules/7/modules.builtin", F(0o644, ""))]);
    let told1 = world.error();

    let mut world = World::new();
    world.packages.retain(|(locked, _)| locked.name != "systemd-boot-efi");
    insta::assert_snapshot!(all([told0, told1, world.error()]));
}

#[test]
fn a_device_in_a_rootfs_folder() {
    let dir = tempfile::TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("rootfs")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("rootfs/sock")).unwrap();
    let world = {
        let mut world = World::new();
        world.overlay("base", "", &[]);
        world
    };
    let base = world.overlays[0].clone();
    let error = crate::OverlaySource::load(base.overlay, base.source, dir.path()).unwrap_err().to_string();
    assert!(error.ends_with(
        "rootfs/sock cannot be part of an overlay: it is no file, folder or link\n  help: only files, folders and links can; devices and sockets are made on the device"
    ), "{error}");
}

#[test]
fn a_program_that_was_not_built() {
    let mut world = World::new();
    world.overlay(
        "agent",
        "[[program]]\nsource = \"agent\"\nbinary = \"agent\"\npath = \"/usr/bin/agent\"\nplace = \"root\"\n",
        &[],
    );
    let error = world.with_inputs(|inputs| {
        let without = crate::Inputs { programs: &[], ..*inputs };
        crate::compose::assemble(&without).err().expect("it was composed").to_string()
    });
    insta::assert_snapshot!(error);
}

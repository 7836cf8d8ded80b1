//! Where PostgreSQL is. This machine's own if it has one that is new enough; else the image's: the tests then run again with its root as
//! theirs, in a namespace of mounts that goes with them.

use std::{
    convert::Infallible,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};
use geminios_failover_trials::image::Source;

/// Names a folder with the programs of PostgreSQL 16 or later.
const VARIABLE: &str = "GEMINIOS_POSTGRES";

/// Its root with a writable layer over it, which is gone afterwards.
const PLACE: &str = "\
mount --make-rprivate /
mount -t tmpfs -o mode=755 place /mnt
cd /mnt
mkdir image upper work root opt
mount $MOUNT image
cp \"$PROGRAM\" opt/pair
mount -t overlay overlay -o lowerdir=image,upperdir=upper,workdir=work root
mount -t proc proc root/proc
mount --rbind /dev root/dev
mount -t tmpfs -o mode=1777 tmp root/tmp
mount --bind -o ro opt root/opt
mkdir -p root/run/postgresql
exec chroot root /opt/pair \"$@\"";

/// The programs of a PostgreSQL that can be tested with.
pub fn binaries() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> Option<PathBuf> {
    let debian = (16..30).rev().map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")));
    let given = std::env::var_os(VARIABLE).map(PathBuf::from);
    if let Some(there) = given.or_else(|| debian.into_iter().find(|folder| folder.join("postgres").exists()))
    {
        return Some(there);
    }
    let Err(why) = move_into_the_image();
    let required = std::env::var("GEMINIOS_ORACLES").is_ok_and(|value| value == "required");
    assert!(!required, "no PostgreSQL 16 or later here, and not in the image's root: {why:#}");
    eprintln!("NOT TESTED: no PostgreSQL 16 or later here, and not in the image's root: {why:#}");
    None
}

/// Does not return if it can be done: this process becomes another one, which begins with the first test.
fn move_into_the_image() -> Result<Infallible> {
    ensure!(rustix::process::geteuid().is_root(), "changing the root needs root");
    let mount = match Source::find()? {
        Source::Folder(root) => format!("--bind {}", root.display()),
        Source::File(path, offset) => format!("-t erofs -o ro,loop,offset={offset} {}", path.display()),
    };
    let program = std::env::current_exe()?;
    let mut words: Vec<_> = std::env::args_os().skip(1).collect();
    if !words.iter().any(|word| word.to_string_lossy().starts_with("--test-threads")) {
        // They wait more than they work.
        words.push("--test-threads=6".into());
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", PLACE, "pair"]).args(words);
    command.env("MOUNT", mount).env("PROGRAM", &program).env(VARIABLE, "/usr/lib/postgresql/17/bin");
    command.env("TMPDIR", "/tmp").current_dir(Path::new("/"));
    Err(command.exec()).context("unshare")
}

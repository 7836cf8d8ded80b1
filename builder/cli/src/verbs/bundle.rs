use std::fs::Permissions;
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use geminios_release::bundle::{Wanted, write};
use geminios_release::{Held, Repository};

use crate::args::release::Bundle as Args;
use crate::project::list;
use crate::session::Session;
use crate::terminal::megabytes;

/// Writes a release as one file.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    let repository = Repository::open(&args.repo)?;
    let held = repository.held()?;
    let release = chosen(&held, args)?;
    let older: Vec<_> =
        held.iter().filter(|old| old.is_before(release)).map(|old| old.version.clone()).collect();
    let wanted = Wanted {
        profile: &release.profile,
        board: &release.board,
        version: &release.version,
        deltas: &older,
    };
    let folder = args.output.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let context = || format!("{} cannot be written", args.output.display());
    let mut options = tempfile::Builder::new();
    let options = options.permissions(Permissions::from_mode(0o644));
    let file = options.tempfile_in(folder).with_context(context)?;
    let mut out = BufWriter::with_capacity(1 << 20, file.as_file());
    let size = write(&repository, &wanted, &mut out)?;
    drop(out);
    file.as_file().sync_all().with_context(context)?;
    file.persist(&args.output).with_context(context)?;
    session.terminal.say(&format!(
        "{} has {} of {} for {}, {}\non a device: geminios-updater install --from FILE, or `usb` for a stick with it",
        args.output.display(),
        release.version,
        release.profile,
        release.board,
        megabytes(size)
    ));
    Ok(())
}

/// The wished release, the newest if no version is.
fn chosen<'a>(held: &'a [Held], args: &Args) -> Result<&'a Held> {
    let fits = |held: &&Held| {
        args.profile.as_ref().is_none_or(|profile| *profile == held.profile)
            && args.board.as_ref().is_none_or(|board| *board == held.board)
            && args.version.as_ref().is_none_or(|version| *version == held.version)
    };
    let found: Vec<&Held> = held.iter().filter(fits).collect();
    let Some(newest) = found.iter().max_by_key(|held| &held.version) else {
        let all = list(held.iter().map(ToString::to_string).collect::<Vec<_>>().iter().map(String::as_str));
        bail!("{} has no such release\n  help: releases there: {all}", args.repo.display());
    };
    if let Some(other) =
        found.iter().find(|other| other.profile != newest.profile || other.board != newest.board)
    {
        bail!("both {newest} and {other} are meant\n  help: give --profile and --board");
    }
    Ok(newest)
}

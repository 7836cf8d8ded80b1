//! `geminios-updater check`: what is offered, what it costs, and whether it would be taken. Fetches nothing of it.

use geminios_slots::plan::{Policy, plan_install};
use geminios_slots::{Refusal, plan_recover};

use crate::config::shown;
use crate::supply::{choose, notes};
use crate::verbs::session::{FILES, Problem, Session, Wanted, for_slots, status, written};

/// Lines of release notes.
const NOTES: usize = 8;

/// Says it, line by line, and gives the exit status.
///
/// # Errors
/// The repository is not believed or not reached, or the release is refused.
pub fn check(session: &mut Session<'_>, wanted: &Wanted) -> Result<u8, Problem> {
    let web = session.web(wanted, Some(FILES));
    let (mut supply, offer) = session.find(wanted, &web)?;
    let tell = session.tell.clone();
    let image = session.image;
    tell(&format!("running    {} ({}, board {}, {})", image.version, image.profile, image.board, image.arch));
    let Some(offer) = offer else {
        let channel = &session.config.channel;
        tell(&format!("offered    nothing in channel {channel} of {}", supply.place()));
        return Ok(status::DONE);
    };
    let channels = offer.listed.channels.join(", ");
    tell(&format!("offered    {}, channel {channels}, by {}", offer.release.version, offer.place));
    if offer.release.version == image.version {
        tell("nothing is to be done");
        return Ok(status::DONE);
    }
    session.fits(wanted, &offer)?;
    let seen = session.observe()?;
    let release = for_slots(&offer.release);
    // What a cut left is cleaned up by `install`, which this only foresees.
    let settled = plan_recover(&seen, session.backend)?.is_empty();
    let plan = settled.then(|| plan_install(&seen, session.backend, &release, Policy { force: false }));
    if let Some(Err(Refusal::AlreadyArmed { version, slot })) = plan {
        tell(&format!("{version} is in slot {slot}, and starts with the next restart"));
        return Ok(status::DONE);
    }
    let chosen =
        choose(&offer.release, &mut session.old(&seen), written(&seen, &release), &mut *supply, false)?;
    tell(&format!("to fetch   {chosen}"));
    if let Some(left) = web.meter.borrow().left_of(session.config.budget) {
        tell(&format!("budget     {} are left for automatic runs today", shown(left)));
    }
    let lines = notes(&mut *supply, offer.release.notes.as_ref(), NOTES);
    // The release may be installed without them.
    let lines = lines.unwrap_or_else(|error| vec![error.to_string().lines().take(1).collect()]);
    for (number, line) in lines.iter().enumerate() {
        tell(&format!("{:10} {line}", if number == 0 { "notes" } else { "" }));
    }
    plan.transpose()?;
    Ok(status::AVAILABLE)
}

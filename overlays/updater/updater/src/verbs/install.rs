//! `geminios-updater install`: a release from wherever it lies into the slot that does not run.

use geminios_slots::plan::{Policy, plan_install};
use geminios_slots::{Event, Image as Part, Refusal, Step, run};

use crate::config::{Automatic, shown};
use crate::supply::{Offer, Stream, Supply, Tell, Web, choose};
use crate::verbs::check::check;
use crate::verbs::session::{Problem, Session, Wanted, for_slots, status, written};

/// What was asked for besides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub wanted: Wanted,
    /// A version that failed here before, too.
    pub force: bool,
    /// Restart when it is armed.
    pub restart: bool,
}

/// How it ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Exit status.
    pub status: u8,
    /// The caller is to restart the machine now.
    pub restart: bool,
}

const NOTHING: Installed = Installed { status: status::DONE, restart: false };
const LATER: Installed = Installed { status: status::LATER, restart: false };

/// Takes a snapshot of the data for the version that is about to be armed. The error is for people.
pub type Snapshot<'a> = &'a mut dyn FnMut(&str) -> Result<(), String>;

/// Installs, and says line by line what it does. Run again after any cut, it goes on.
///
/// # Errors
/// Why not. The running system was not touched.
pub fn install(
    session: &mut Session<'_>,
    options: &Options,
    snapshot: Snapshot<'_>,
) -> Result<Installed, Problem> {
    let wanted = &options.wanted;
    match session.config.automatic {
        _ if !wanted.automatic => {}
        Automatic::Off => {
            (session.tell)("automatic is `off` in this device's settings");
            return Ok(NOTHING);
        }
        Automatic::Check => return check(session, wanted).map(|_| NOTHING),
        Automatic::Install | Automatic::InstallAndRestart => {}
    }
    if session.open_for(wanted).is_none() {
        let windows: Vec<String> = session.config.windows.iter().map(ToString::to_string).collect();
        (session.tell)(&format!("waiting for a maintenance window: {} (UTC)", windows.join("; ")));
        return Ok(LATER);
    }
    session.recover()?;
    let web = session.web(wanted, session.limits.failures);
    let (mut supply, offer) = session.find(wanted, &web)?;
    let Some(offer) = offer else {
        (session.tell)(&format!("{} has nothing in channel {}", supply.place(), session.config.channel));
        return Ok(NOTHING);
    };
    if offer.release.version == session.image.version {
        (session.tell)(&format!(
            "{} runs, and is the newest that {} has",
            offer.release.version, offer.place
        ));
        return Ok(NOTHING);
    }
    session.fits(wanted, &offer)?;
    let restart =
        options.restart || (wanted.automatic && session.config.automatic == Automatic::InstallAndRestart);
    let armed = put(session, options, &offer, &mut *supply, &web, snapshot)?;
    (session.tell)(&armed);
    if !restart {
        (session.tell)("to start it: systemctl reboot");
    }
    Ok(Installed { status: status::DONE, restart })
}

/// Plans, fetches and writes. Gives the last word.
fn put(
    session: &mut Session<'_>,
    options: &Options,
    offer: &Offer,
    supply: &mut dyn Supply,
    web: &Web,
    snapshot: Snapshot<'_>,
) -> Result<String, Problem> {
    let seen = session.observe()?;
    let release = for_slots(&offer.release);
    let steps = match plan_install(&seen, session.backend, &release, Policy { force: options.force }) {
        Err(Refusal::AlreadyArmed { version, slot }) => {
            return Ok(format!("{version} is in slot {slot} already, and starts with the next restart"));
        }
        steps => steps?,
    };
    let mut old = session.old(&seen);
    let chosen = choose(&offer.release, &mut old, written(&seen, &release), supply, true)?;
    (session.tell)(&format!("{} from {}: {chosen}", offer.release.version, offer.place));
    let tell = session.tell.clone();
    let mut progress = Progress::new(tell.clone());
    let on_progress = Box::new(move |image, done, all| progress.at(image, done, all));
    let mut stream = Stream::new(&offer.release, chosen, &mut old, supply, tell.clone(), on_progress);
    // The data as late as possible, and before anything could start the new system.
    let switch = steps.iter().position(|step| *step == Step::Record(Event::Verified)).map_or(0, |at| at + 1);
    run(&steps[..switch], session.device, &mut stream).map_err(Problem::of_step)?;
    snapshot(&release.version).map_err(Problem::Snapshot)?;
    run(&steps[switch..], session.device, &mut stream).map_err(Problem::of_step)?;
    let (received, failures) = (web.meter.borrow().received(), web.meter.borrow().failures());
    let times = if failures == 1 { "once".to_owned() } else { format!("{failures} times") };
    let failed = if failures > 0 { format!("; the link failed {times}") } else { String::new() };
    if received > 0 {
        tell(&format!("fetched {}{failed}", shown(received)));
    }
    let slot = seen.running_slot().map_or(String::new(), |running| running.other().to_string());
    Ok(format!("{} is in slot {slot}, and starts with the next restart", release.version))
}

/// A line for each tenth of an image.
struct Progress {
    tell: Tell,
    last: Option<(Part, u64)>,
}

impl Progress {
    fn new(tell: Tell) -> Self {
        Progress { tell, last: None }
    }

    fn at(&mut self, image: Part, done: u64, all: u64) {
        let tenth = done * 10 / all.max(1);
        if self.last != Some((image, tenth)) {
            self.last = Some((image, tenth));
            let name = if image == Part::Uki { "kernel".to_owned() } else { image.to_string() };
            (self.tell)(&format!("{name}: {} of {}", shown(done), shown(all)));
        }
    }
}

//! Switches the other node off when the core wants it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use geminios_failover_hands::Cancel;
use geminios_failover_hands::fence::{Chip, Command, Fence, Gpio, Line, Login, Redfish, System, Trust};

use super::Happened;
use super::settings::{self, Settings};

/// How long a reset line is held before the other board counts as off.
const HOLD: Duration = Duration::from_millis(500);

pub struct Fencing {
    means: Arc<dyn Fence>,
    deadline: Duration,
    events: Sender<Happened>,
}

impl Fencing {
    /// # Errors
    /// Settings that cannot be.
    pub fn new(settings: &Settings, events: &Sender<Happened>) -> Result<Option<Self>, String> {
        let means: Arc<dyn Fence> = match &settings.fence {
            None => return Ok(None),
            Some(settings::Fence::Redfish(redfish)) => Arc::new(Redfish::new(system(redfish)?)?),
            Some(settings::Fence::Command { program, arguments }) => {
                Arc::new(Command::new(program, arguments))
            }
            Some(settings::Fence::Gpio { chip, line, active_low }) => {
                let line = Line { chip: chip.clone(), offset: *line, active_low: *active_low };
                Arc::new(Gpio::new(Chip::new(line, None)?, HOLD))
            }
        };
        let deadline = Duration::from_millis(settings.times.fence);
        Ok(Some(Fencing { means, deadline, events: events.clone() }))
    }

    pub fn off(&self) {
        let (means, deadline, events) = (Arc::clone(&self.means), self.deadline, self.events.clone());
        std::thread::spawn(move || {
            let off = match Cancel::new() {
                Ok(cancel) => {
                    let attempt = means.off(deadline, &cancel);
                    for phase in &attempt.phases {
                        let line = format!(
                            "fence: {} after {} ms: {}",
                            phase.name,
                            phase.took.as_millis(),
                            phase.result
                        );
                        let _ = events.send(Happened::Told(line));
                    }
                    let _ = events.send(Happened::Told(format!("fence: {:?}", attempt.outcome)));
                    attempt.seen_off()
                }
                Err(error) => {
                    let _ = events.send(Happened::Told(format!("fence: {error}")));
                    false
                }
            };
            let _ = events.send(Happened::Fenced(off));
        });
    }

    /// It is on disk that this node leads alone: the other one may start again, and will follow.
    pub fn release(&self) {
        self.means.release();
    }
}

fn system(redfish: &settings::Redfish) -> Result<System, String> {
    let trust = match (&redfish.authority, &redfish.public_key) {
        (Some(authority), None) => Trust::Authority(authority.clone()),
        (None, Some(key)) => Trust::PublicKey(key.clone()),
        _ => {
            return Err(
                "[fence.redfish]: exactly one of `authority` and `public_key` says how the BMC is known"
                    .into(),
            );
        }
    };
    let login = if redfish.session { Login::Session } else { Login::Basic };
    Ok(System {
        origin: redfish.origin.clone(),
        path: redfish.system.clone(),
        trust,
        login,
        credentials: redfish.credentials.clone(),
        curl: PathBuf::from("curl"),
    })
}

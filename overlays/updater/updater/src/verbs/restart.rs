//! Starts the machine anew.

use std::time::Duration;

use crate::machine::{Command, Host};
use crate::supply::Tell;

/// The gentle way first, and how long each gets. The last does not need systemd to be well.
const WAYS: [(&[&str], Duration); 3] = [
    (&["reboot"], Duration::from_secs(600)),
    (&["reboot", "--force"], Duration::from_secs(120)),
    (&["reboot", "--force", "--force"], Duration::from_secs(120)),
];

/// Comes back only if nothing helped.
pub(super) fn restart(host: &Host, tell: &Tell) {
    for (arguments, patience) in WAYS {
        let command = Command::new("systemctl", Duration::from_secs(60)).args(arguments);
        tell(&format!("restarting: {command}"));
        let outcome = host.commands.run(&command);
        if outcome.is_success() {
            host.clock.sleep(patience);
        } else {
            tell(&format!("{command}: {}", outcome.told()));
        }
    }
}

//! A status as people read it.

use geminios_slots::{State, Step};
use geminios_update_format::time;

use crate::config::shown;
use crate::health::{Phase, Report};
use crate::verbs::status::{SlotStatus, Status};

const WIDTH: usize = 14;

pub(super) fn lines(status: &Status) -> Vec<String> {
    let Status { version, profile, board, built, .. } = status;
    let mut lines = vec![
        format!("GeminiOS {version}: {profile} for {board}, built {}", time::format(*built)),
        String::new(),
    ];
    match (&status.slots, &status.busy) {
        (Some(slots), _) => lines.extend(slots.iter().map(slot)),
        (None, holder) => {
            let holder = holder.as_deref().unwrap_or("another process");
            lines.push(format!("slots cannot be looked at while another updater works: {holder}"));
        }
    }
    lines.push(String::new());
    let mut tell = |name: &str, text: &str| {
        for (number, line) in text.lines().enumerate() {
            lines.push(format!("{:WIDTH$}{}", if number == 0 { name } else { "" }, line.trim_start()));
        }
    };
    if let Some(work) = &status.work {
        let (version, slot) = (&work.version, work.slot);
        let (written, size) = (shown(work.written), shown(work.size));
        tell("installing", &format!("{version} into slot {slot}: {written} of {size} are on the disk"));
    }
    tell("health", &health(status.health.as_ref(), has_other(status)));
    if !status.counter_moved {
        tell(
            "boot counter",
            "was never seen to move: no update is armed until it was (`geminios-updater probe`)",
        );
    }
    if let Some(last) = &status.last {
        let at = last.time.map_or(String::new(), |at| format!(", {}", time::format(at)));
        tell("last event", &format!("{}{at}", last.event));
    }
    for (number, (version, failed)) in status.failed.iter().rev().enumerate() {
        let mut text = format!("{version}: {}", failed.reason);
        if let Some(problem) = failed.last_report.as_ref().and_then(last_words) {
            text.push_str(&problem);
        }
        tell(if number == 0 { "failed" } else { "" }, &text);
    }
    if let Some(problem) = &status.problem {
        tell("problem", problem);
    }
    lines
}

/// Whether there is a version to fall back to.
fn has_other(status: &Status) -> bool {
    status.slots.iter().flatten().any(|slot| !slot.running && slot.state == State::Blessed.to_string())
}

fn slot(status: &SlotStatus) -> String {
    let version = status.version.as_deref().unwrap_or("-");
    let running = if status.running { "  (runs)" } else { "" };
    format!("slot {}        {version:<16}{}{running}", status.slot, status.state)
}

fn health(report: Option<&Report>, has_other: bool) -> String {
    let Some(report) = report else {
        return "not looked at yet; see `systemctl status geminios-updater`".to_owned();
    };
    let at = time::format(report.time);
    let failed = report.checks.iter().find_map(|check| Some((&check.name, check.problem.as_ref()?)));
    match (report.phase, failed) {
        (Phase::Healthy, _) => format!("all checks passed for the set time, {at}"),
        (Phase::GivenUp, Some((check, problem))) => format!("given up, {at}: check {check}: {problem}"),
        (Phase::GivenUp, None) => format!("given up, {at}"),
        (Phase::Waiting, failed) => {
            let mut text = match failed {
                Some((check, problem)) => format!("waits for check {check}: {problem}"),
                None if report.checks.is_empty() => "the first checks are being made".to_owned(),
                None => "all checks pass; they have to for a while".to_owned(),
            };
            if let Some(deadline) = report.deadline {
                text.push_str(&if has_other {
                    format!(
                        "\nif it is not healthy by {}, the other version comes back",
                        time::format(deadline)
                    )
                } else {
                    "\nthere is no other version to fall back to: it stays on trial until it is healthy"
                        .to_owned()
                });
            }
            text
        }
    }
}

/// What a version that failed said of itself, if its own reason does not have it.
fn last_words(report: &Report) -> Option<String> {
    if report.phase == Phase::GivenUp {
        return None;
    }
    let at = time::format(report.time);
    let failed = report.checks.iter().find_map(|check| Some((&check.name, check.problem.as_ref()?)));
    Some(match failed {
        Some((check, problem)) => format!("\nits last words, {at}: check {check}: {problem}"),
        None => format!("\nits last words, {at}: no check had failed"),
    })
}

/// None if there is nothing but news to be written down.
pub(super) fn to_clean_up(steps: &[Step]) -> Option<String> {
    let steps: Vec<&Step> = steps.iter().filter(|step| !matches!(step, Step::Record(_))).collect();
    let first = steps.first()?;
    let more = match steps.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more steps"),
    };
    Some(format!("a cut left things to be cleaned up: {first}{more}\nhelp: run `geminios-updater recover`"))
}

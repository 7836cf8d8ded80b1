//! What happened on this device.

use geminios_slots::device::JournalFile as _;
use geminios_slots::{Journal, journal};
use geminios_update_format::time;
use serde_json::json;

use crate::args::Format;
use crate::machine::{Host, JournalOnVar, io};
use crate::supply::Tell;
use crate::verbs::Failure;

/// Reads the journal only, so it works while another updater does.
///
/// # Errors
/// The journal cannot be read.
pub fn run(host: &Host, format: Format, tell: &Tell) -> Result<(), Failure> {
    let folder = host.paths.state();
    let mut file = JournalOnVar::in_folder(&folder);
    if file.read().map_err(io("read", &folder.join("journal")))?.is_none() {
        tell(if format == Format::Json { "[]" } else { "nothing has happened yet" });
        return Ok(());
    }
    let journal = journal::load(&mut file).map_err(io("read", &folder.join("journal")))?;
    let journal = journal.map_err(|error| {
        format!("the history is lost: {error}\n  help: updates go on without it; a new one begins with the next of them")
    });
    let journal = journal.map_err(|message| Failure::Other(message.into()))?;
    match format {
        Format::Text => lines(&journal).iter().for_each(|line| tell(line)),
        Format::Json => {
            let events = journal.history.iter().map(|told| {
                json!({ "sequence": told.sequence, "time": told.time.map(time::format), "event": told.event })
            });
            tell(&format!("{:#}", serde_json::Value::Array(events.collect())));
        }
    }
    Ok(())
}

fn lines(journal: &Journal) -> Vec<String> {
    let at = |time: Option<u64>| time.map_or("?".to_owned(), time::format);
    journal.history.iter().map(|told| format!("{:<20}  {}", at(told.time), told.event)).collect()
}

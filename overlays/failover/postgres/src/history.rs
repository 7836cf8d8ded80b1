//! Where timelines left each other.

use crate::Lsn;

/// A line of a history file: this timeline was left at this place.
type Left = (u32, Lsn);

/// The ancestors of a timeline, from its history file ("Timelines" in PostgreSQL's manual, `timeline.c`): number, place, reason.
pub(crate) fn parse(text: &str) -> Vec<Left> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.parse().ok()?, Lsn::parse(words.next()?)?))
    };
    text.lines().filter_map(line).collect()
}

/// Where this history left the timeline; nothing if it never was on it.
pub(crate) fn left(history: &[Left], timeline: u32) -> Option<Lsn> {
    history.iter().find(|(number, _)| *number == timeline).map(|(_, at)| *at)
}

//! Description files, by the first byte: profile, board, overlay, script table, tools; and complaints about any place.
#![no_main]

use geminios_model::{Board, Document, Overlay, Profile, ScriptTable, Source, ToolTable, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, usize, usize, &str)| {
    let (kind, start, end, text) = input;
    let source = Source::new("x.toml", text);
    match kind % 5 {
        0 => read::<Profile>(&source),
        1 => read::<Board>(&source),
        2 => read::<Overlay>(&source),
        3 => read::<ScriptTable>(&source),
        _ => read::<ToolTable>(&source),
    }
    source.complain(start..end, "wrong").label("here").help("none").render(true);
});

fn read<D: Document>(source: &Source) {
    if let Err(complaint) = parse::<D>(source) {
        drop((complaint.line(), complaint.render(false)));
    }
}

use std::io::Write;

use anyhow::Result;
use geminios_model::{Board, Overlay, Profile, ScriptTable, ToolTable, schema};

use crate::args::{SchemaKind, SchemaOf};

/// Prints a JSON schema.
pub fn run(args: &SchemaOf) -> Result<()> {
    let schema = match args.kind {
        SchemaKind::Profile => schema::<Profile>(),
        SchemaKind::Board => schema::<Board>(),
        SchemaKind::Overlay => schema::<Overlay>(),
        SchemaKind::Scripts => schema::<ScriptTable>(),
        SchemaKind::Tools => schema::<ToolTable>(),
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&schema)?)?;
    Ok(())
}

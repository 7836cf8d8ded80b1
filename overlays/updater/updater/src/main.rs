//! The command on the device.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(2)
}

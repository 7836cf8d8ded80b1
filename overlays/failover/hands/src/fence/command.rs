use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Attempt, Fence, Outcome, Power, Timeline};
use crate::Cancel;
use crate::process::{End, Limits, Ran, excerpt, run};

/// Kept of each of the program's outputs, in bytes.
const OUTPUT: usize = 16 << 10;

/// A program of the site's: a PDU, a smart plug, a hypervisor.
///
/// It is run as `PROGRAM ARGUMENTS… off` and `PROGRAM ARGUMENTS… state`, without input, with the environment
/// variable `FENCE_SECONDS`: so long it has, rounded down. Then it is killed, with its process group; children that left the group
/// are not.
///
/// | exit | `off` | `state` |
/// |---|---|---|
/// | 0 | the other node *was seen* to be off: power measured, or its state asked for after the switch | off |
/// | 1 | it is not off | on |
/// | other, a signal, the deadline | not known | not known |
///
/// What it writes goes into the message, up to a line. It may be run again at any time, also while an earlier run was killed halfway.
#[derive(Clone, Debug)]
pub struct Command {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Command {
    pub fn new(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        Command { program: program.into(), arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// Its exit code, or why there is none that counts.
    fn run(&self, verb: &str, deadline: Duration, cancel: &Cancel) -> Result<(i32, String), String> {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments).arg(verb).env("FENCE_SECONDS", deadline.as_secs().to_string());
        let limits = Limits { until: Instant::now() + deadline, output: OUTPUT, strict: false };
        let name = self.program.display();
        let Ran { end, stdout, stderr } = run(command, b"", &limits, cancel)
            .map_err(|error| format!("{name} cannot be run: {error}; is it there and executable?"))?;
        let said = excerpt(&[stderr, stdout].concat());
        match end {
            End::Exited(status) => match status.code() {
                Some(code) => Ok((code, said)),
                None => Err(format!("{name} {verb} was ended by {status}: {said}")),
            },
            End::Cancelled => Err(format!("{name} {verb} was killed: it is not wanted any more")),
            End::Deadline | End::TooMuch => {
                Err(format!("{name} {verb} was killed: it ran for {} s: {said}", deadline.as_secs_f32()))
            }
        }
    }
}

impl Fence for Command {
    fn off(&self, deadline: Duration, cancel: &Cancel) -> Attempt {
        let mut line = Timeline::begin();
        let ran = self.run("off", deadline, cancel);
        let name = self.program.display();
        let outcome = match ran {
            Ok((0, said)) => {
                line.phase("command", said);
                return line.end(Outcome::SeenOff);
            }
            Ok((1, said)) => {
                Outcome::Failed(format!("{name} off says that the other node is not off: {said}"))
            }
            Ok((code, said)) => Outcome::Unknown(format!("{name} off ended with {code}: {said}")),
            Err(why) => Outcome::Unknown(why),
        };
        line.phase("command", "not seen off");
        line.end(outcome)
    }

    fn state(&self, deadline: Duration, cancel: &Cancel) -> Power {
        match self.run("state", deadline, cancel) {
            Ok((0, _)) => Power::Off,
            Ok((1, _)) => Power::On,
            Ok((code, said)) => {
                Power::Unknown(format!("{} state ended with {code}: {said}", self.program.display()))
            }
            Err(why) => Power::Unknown(why),
        }
    }
}

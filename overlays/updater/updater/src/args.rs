//! What can be asked.

use std::ffi::OsString;

/// Text of `--help`.
pub const HELP: &str = "\
geminios-updater: signed updates of this device, from slot to slot

usage: geminios-updater VERB [OPTIONS]

verbs:
  status     what runs, what is in both slots, what health waits for, which versions failed and why
  check      ask whether there is a newer release; changes nothing
  install    fetch a release, write it to the slot that does not run, and arm it; restart to try it
  rollback   go back to the older version in the other slot; restart to start it
  bless      run the health checks and, if all pass for the set time, keep the running version for good
  history    what happened on this device
  recover    clean up after a power cut; the service geminios-updater does it at every start
  probe      find out at the next restart whether this firmware's boot counter moves
  watch      what the service geminios-updater runs: recover, then health, then bless or fall back

options of check and install:
      --from SOURCE    a repository's address, a folder, a bundle's file, or `usb`
      --version V      this version, even if it is not the newest of the channel
      --allow-older    one that is older than what runs, too
options of install:
      --force          even if it failed on this device before, or no snapshot of the data can be taken
      --restart        restart the machine when it is armed
      --automatic      as the timer does: only within the maintenance windows and the byte budget
options of bless:
      --now            run the checks once rather than wait until they have passed for the set time
options of status and history:
      --format json    for programs rather than people

  -h, --help           print this
  -V, --version        print the version of this program

Pulling the plug is safe at any time; the next start goes on where this one stopped.

exit status: 0 done, or nothing to do; 1 failed; 2 wrong arguments; 3 refused; 4 not now, by the budget or the
maintenance windows; 10 `check` found a release to install. A message says why.";

/// How a verb prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// A command line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    Help,
    Version,
    Status { format: Format },
    Check(Check),
    Install(Install),
    Rollback,
    Bless { now: bool },
    History { format: Format },
    Recover,
    Probe,
    Watch,
}

/// What `check` is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    pub from: Option<String>,
    pub version: Option<String>,
    pub allow_older: bool,
}

/// What `install` is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Install {
    pub from: Option<String>,
    pub version: Option<String>,
    pub allow_older: bool,
    pub force: bool,
    pub restart: bool,
    pub automatic: bool,
}

impl Verb {
    /// As it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Help => "--help",
            Verb::Version => "--version",
            Verb::Status { .. } => "status",
            Verb::Check(_) => "check",
            Verb::Install(_) => "install",
            Verb::Rollback => "rollback",
            Verb::Bless { .. } => "bless",
            Verb::History { .. } => "history",
            Verb::Recover => "recover",
            Verb::Probe => "probe",
            Verb::Watch => "watch",
        }
    }
}

const VERBS: [&str; 9] =
    ["status", "check", "install", "rollback", "bless", "history", "recover", "probe", "watch"];

#[derive(Default)]
struct Options {
    from: Option<String>,
    version: Option<String>,
    format: Option<Format>,
    allow_older: bool,
    force: bool,
    restart: bool,
    automatic: bool,
    now: bool,
}

/// Reads the arguments behind the program's name; the error is a sentence for people.
///
/// # Errors
/// It was not understood.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Verb, String> {
    let mut args = args.into_iter().map(|arg| arg.to_string_lossy().into_owned());
    let verb = match args.next() {
        None => return Err("say what to do, such as `geminios-updater status`".to_owned()),
        Some(arg) if arg == "-h" || arg == "--help" || arg == "help" => return Ok(Verb::Help),
        Some(arg) if arg == "-V" || arg == "--version" => return Ok(Verb::Version),
        Some(arg) => arg,
    };
    if !VERBS.contains(&verb.as_str()) {
        return Err(format!("{verb:?} is no verb; there are {}", VERBS.join(", ")));
    }
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(value.to_owned())),
            _ => (arg, None),
        };
        let takes = taken_by(&name).ok_or_else(|| format!("{name:?} is not an option"))?;
        if matches!(name.as_str(), "-h" | "--help") {
            return Ok(Verb::Help);
        }
        if !takes.contains(&verb.as_str()) {
            return Err(format!("{name} is an option of {}, not of {verb}", takes.join(" and ")));
        }
        if !matches!(name.as_str(), "--from" | "--version" | "--format") && inline.is_some() {
            return Err(format!("{name} takes no value"));
        }
        let mut value = || {
            let value = inline.clone().or_else(|| args.next()).filter(|value| !value.is_empty());
            value.ok_or_else(|| format!("{name} needs a value"))
        };
        match name.as_str() {
            "--from" => options.from = Some(value()?),
            "--version" => options.version = Some(value()?),
            "--format" => options.format = Some(format_of(&value()?)?),
            "--allow-older" => options.allow_older = true,
            "--force" => options.force = true,
            "--restart" => options.restart = true,
            "--automatic" => options.automatic = true,
            _ => options.now = true,
        }
    }
    verb_of(&verb, options)
}

/// The verbs that take an option.
fn taken_by(option: &str) -> Option<&'static [&'static str]> {
    Some(match option {
        "--from" | "--version" | "--allow-older" => &["check", "install"],
        "--force" | "--restart" | "--automatic" => &["install"],
        "--now" => &["bless"],
        "--format" => &["status", "history"],
        "-h" | "--help" => &VERBS,
        _ => return None,
    })
}

fn format_of(text: &str) -> Result<Format, String> {
    match text {
        "json" => Ok(Format::Json),
        "text" => Ok(Format::Text),
        _ => Err(format!("--format {text}: must be text or json")),
    }
}

fn verb_of(verb: &str, options: Options) -> Result<Verb, String> {
    let Options { from, version, format, allow_older, force, restart, automatic, now } = options;
    let format = format.unwrap_or_default();
    if automatic && (from.is_some() || version.is_some() || allow_older || force || restart) {
        return Err("--automatic follows the settings of this device; leave the other options out".to_owned());
    }
    Ok(match verb {
        "status" => Verb::Status { format },
        "check" => Verb::Check(Check { from, version, allow_older }),
        "install" => Verb::Install(Install { from, version, allow_older, force, restart, automatic }),
        "rollback" => Verb::Rollback,
        "bless" => Verb::Bless { now },
        "history" => Verb::History { format },
        "recover" => Verb::Recover,
        "probe" => Verb::Probe,
        _ => Verb::Watch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Verb, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn what_is_understood() {
        let install = |install: Install| Ok(Verb::Install(install));
        let none = Install::default;
        let some = |text: &str| Some(text.to_owned());
        let cases = [
            ("status", Ok(Verb::Status { format: Format::Text })),
            ("status --format json", Ok(Verb::Status { format: Format::Json })),
            ("history --format=text", Ok(Verb::History { format: Format::Text })),
            ("check --from usb", Ok(Verb::Check(Check { from: some("usb"), ..Check::default() }))),
            ("install", install(none())),
            (
                "install --from=/a.bundle --force",
                install(Install { from: some("/a.bundle"), force: true, ..none() }),
            ),
            ("install --automatic", install(Install { automatic: true, ..none() })),
            (
                "install --version 1.2.0 --restart",
                install(Install { version: some("1.2.0"), restart: true, ..none() }),
            ),
            ("install --allow-older", install(Install { allow_older: true, ..none() })),
            ("bless", Ok(Verb::Bless { now: false })),
            ("bless --now", Ok(Verb::Bless { now: true })),
            ("rollback", Ok(Verb::Rollback)),
            ("recover", Ok(Verb::Recover)),
            ("probe", Ok(Verb::Probe)),
            ("watch", Ok(Verb::Watch)),
            ("watch --help", Ok(Verb::Help)),
            ("--version", Ok(Verb::Version)),
        ];
        for (line, expected) in cases {
            assert_eq!(parsed(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_not() {
        let cases = [
            ("", "say what to do"),
            ("update", "\"update\" is no verb; there are status, check,"),
            ("install --from", "--from needs a value"),
            ("install --from=", "--from needs a value"),
            ("install --force=yes", "--force takes no value"),
            ("install --now", "--now is an option of bless, not of install"),
            ("status --format yaml", "--format yaml: must be text or json"),
            ("check --format json", "--format is an option of status and history, not of check"),
            ("status extra", "\"extra\" is not an option"),
            ("install --automatic --force", "--automatic follows the settings"),
        ];
        for (line, expected) in cases {
            let message = parsed(line).unwrap_err();
            assert!(message.starts_with(expected), "{line}: {message}");
        }
    }

    #[test]
    fn help_names_every_verb_and_option() {
        let options = [
            "--from",
            "--version",
            "--allow-older",
            "--force",
            "--restart",
            "--automatic",
            "--now",
            "--format",
        ];
        for text in VERBS.iter().chain(&options) {
            assert!(HELP.contains(text), "{text}");
        }
    }
}

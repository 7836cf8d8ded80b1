//! The agent's sockets: one line asks, one line answers (metrics: until the end). Whoever may open root's may do everything; the one for
//! the management port takes no `lead`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use geminios_failover_core::Refusal;

use super::Happened;

/// Bytes of the longest question.
const LONGEST: u64 = 256;
const PATIENCE: Duration = Duration::from_secs(10);
/// What a person has to say to make a node lead without proof.
pub const VOUCH: &str = "the-other-node-is-off";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    Status,
    Story,
    Metrics,
    HandOver,
    /// The person has vouched for it.
    Lead,
}

/// # Errors
/// What it should have been.
pub fn parse(line: &str) -> Result<Question, String> {
    let mut words = line.split_ascii_whitespace();
    let question = match (words.next(), words.next(), words.next()) {
        (Some("status"), None, _) => Question::Status,
        (Some("story"), None, _) => Question::Story,
        (Some("metrics"), None, _) => Question::Metrics,
        (Some("hand-over"), None, _) => Question::HandOver,
        (Some("lead"), Some(VOUCH), None) => Question::Lead,
        (Some("lead"), _, _) => {
            return Err(format!("`lead` needs the word {VOUCH}: nothing else keeps both nodes from leading"));
        }
        _ => return Err("questions are status, story, metrics, hand-over and lead".to_owned()),
    };
    Ok(question)
}

/// Who may open a socket, and what they may ask for there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Root's.
    Own,
    /// That of the folder's group: whoever asks there is not on the spot.
    Remote,
}

impl Door {
    fn mode(self) -> u32 {
        match self {
            Door::Own => 0o600,
            Door::Remote => 0o660,
        }
    }

    fn parse(self, line: &str) -> Result<Question, String> {
        match (self, parse(line)?) {
            (Door::Remote, Question::Lead) => {
                Err("`lead` is said on the node itself, by whoever sees that the other one is off".to_owned())
            }
            (_, question) => Ok(question),
        }
    }
}

pub fn why(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotLeading => "this node does not lead; ask the other one",
        Refusal::PeerNotReady => {
            "the other node is not heard, does not follow, or may lack what was acknowledged"
        }
        Refusal::Leading => "this node has the role already",
        Refusal::Undecided => "something is being decided on; try again in a moment",
    }
}

/// # Errors
/// The socket cannot be made.
pub fn listen(path: &Path, door: Door, events: Sender<Happened>) -> Result<(), String> {
    let at = |error: std::io::Error| format!("{}: {error}", path.display());
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(at)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(door.mode())).map_err(at)?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let events = events.clone();
            std::thread::spawn(move || serve(stream, door, &events));
        }
    });
    Ok(())
}

fn serve(mut stream: UnixStream, door: Door, events: &Sender<Happened>) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let mut line = String::new();
    if BufReader::new(&stream).take(LONGEST).read_line(&mut line).is_err() {
        return;
    }
    let answer = door.parse(&line).and_then(|question| {
        let (reply, answer) = channel();
        events.send(Happened::Asked(question, reply)).map_err(|_| "the agent is ending".to_owned())?;
        answer
            .recv_timeout(PATIENCE)
            .map_err(|_| "the agent does not answer: it hangs, or waits for its disk".to_owned())
    });
    let text = answer.unwrap_or_else(|error| format!("{{\"error\":{error:?}}}"));
    let _ = writeln!(stream, "{}", text.trim_end());
}

/// Asks the agent of this machine.
///
/// # Errors
/// It does not run, or does not answer.
pub fn ask(path: &Path, question: &str) -> Result<String, String> {
    let at = |error: std::io::Error| {
        format!(
            "{}: {error}\n  help: is the agent running? `systemctl status geminios-failover`",
            path.display()
        )
    };
    let mut stream = UnixStream::connect(path).map_err(at)?;
    stream.set_read_timeout(Some(PATIENCE + Duration::from_secs(1))).map_err(at)?;
    writeln!(stream, "{question}").map_err(at)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(at)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_made_on_the_spot_alone() {
        let lead = format!("lead {VOUCH}");
        assert_eq!(Door::Own.parse(&lead), Ok(Question::Lead));
        assert!(Door::Own.parse("lead").unwrap_err().contains(VOUCH));
        assert!(Door::Remote.parse(&lead).unwrap_err().contains("on the node itself"));
        for (line, question) in [
            ("status", Question::Status),
            ("story", Question::Story),
            ("metrics", Question::Metrics),
            ("hand-over", Question::HandOver),
        ] {
            assert_eq!(Door::Remote.parse(line), Ok(question));
        }
        assert!(Door::Remote.parse("stop").is_err());
    }

    #[test]
    fn who_may_open_which() {
        let folder = std::env::temp_dir().join(format!("geminios-doors-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (events, happened) = channel();
        for (door, name, mode) in [(Door::Own, "own", 0o600), (Door::Remote, "remote", 0o660)] {
            let path = folder.join(name);
            listen(&path, door, events.clone()).unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, mode);
        }
        let answer = ask(&folder.join("remote"), &format!("lead {VOUCH}")).unwrap();
        assert!(answer.starts_with("{\"error\":"), "{answer}");
        assert!(happened.try_recv().is_err(), "it reached the agent");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

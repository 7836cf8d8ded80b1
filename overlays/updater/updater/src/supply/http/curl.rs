//! The program curl: started with a list of requests, its output read as it comes.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::supply::SupplyError;
use crate::supply::http::Stop;

pub const LINK: &str =
    "check the network and the server; what came is kept, and the next run goes on from there";

/// What a link must be able to do.
#[derive(Clone, Debug)]
pub struct Limits {
    pub program: PathBuf,
    pub connect: Duration,
    /// Below `lowest` bytes a second for so long, a link is taken for dead.
    pub stall: Duration,
    pub lowest: u64,
    /// Between two tries: at first, and at most.
    pub pause: [Duration; 2],
    /// Failures in a row after which a release is given up. None: never.
    pub failures: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            program: PathBuf::from("curl"),
            connect: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            lowest: 256,
            pause: [Duration::from_secs(1), Duration::from_secs(300)],
            failures: None,
        }
    }
}

/// Bytes `from` to `to` of a file, both included; without `to` up to its end.
#[derive(Clone, Debug)]
pub struct Request {
    pub url: String,
    pub from: u64,
    pub to: Option<u64>,
}

/// A running process. It is killed when this goes.
pub struct Transfer {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Transfer {
    pub fn start(limits: &Limits, requests: &[Request]) -> io::Result<Self> {
        // `-q` comes first: no settings of anybody else.
        let mut child = Command::new(&limits.program)
            .args(["-q", "--config", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (input, out) = (child.stdin.take(), child.stdout.take());
        let (Some(mut input), Some(out)) = (input, out) else {
            return Err(io::Error::other("it has no input or output"));
        };
        // If it ended already, its status says why.
        let _ = input.write_all(settings(limits, requests).as_bytes());
        Ok(Transfer { child, out: BufReader::with_capacity(super::READ, out) })
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.out.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// A line with its end, at most so many bytes.
    pub fn line(&mut self, line: &mut Vec<u8>, most: u64) -> io::Result<()> {
        io::Read::take(&mut self.out, most).read_until(b'\n', line).map(drop)
    }

    /// How it ended, after its output did: its status and what it said.
    pub fn end(&mut self) -> (Option<i32>, String) {
        let mut said = Vec::new();
        if let Some(errors) = self.child.stderr.take() {
            let _ = errors.take(4096).read_to_end(&mut said);
        }
        let status = self.child.wait().ok().and_then(|status| status.code());
        let said = String::from_utf8_lossy(&said);
        let said = said.lines().next().unwrap_or("it said nothing").trim_start_matches("curl: ");
        (status, said.chars().filter(|c| !c.is_control()).take(200).collect())
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One block a request; `next` begins each anew. `fail-early` ends all with the first that fails: what follows a cut body must
/// not be taken for its rest.
fn settings(limits: &Limits, requests: &[Request]) -> String {
    let mut text = String::from("fail-early\n");
    for (at, request) in requests.iter().enumerate() {
        if at > 0 {
            text.push_str("next\n");
        }
        let redirect = if request.url.starts_with("https:") { "=https" } else { "=http,https" };
        let (connect, stall) = (limits.connect.as_secs_f64(), limits.stall.as_secs().max(1));
        // Nothing here can fail: it is written to a string.
        let _ = write!(
            text,
            "url = \"{}\"\ninclude\nlocation\ngloboff\nsilent\nshow-error\nno-buffer\nsuppress-connect-headers\n\
             proto = \"=http,https\"\nproto-redir = \"{redirect}\"\nmax-redirs = 5\nconnect-timeout = {connect}\n\
             speed-limit = {}\nspeed-time = {stall}\nuser-agent = \"geminios-updater/{}\"\n",
            request.url,
            limits.lowest,
            env!("CARGO_PKG_VERSION"),
        );
        match (request.from, request.to) {
            (0, None) => {}
            (from, None) => drop(writeln!(text, "range = \"{from}-\"")),
            (from, Some(to)) => drop(writeln!(text, "range = \"{from}-{to}\"")),
        }
    }
    text
}

/// What curl's status means (curl(1), "EXIT CODES").
pub fn ended((status, said): (Option<i32>, String), url: &str) -> Stop {
    let link = |problem, help| SupplyError::Link { url: url.to_owned(), problem, help };
    // Its own text begins with its status.
    match status {
        Some(0) => Stop::Again(link("the answer ended early".to_owned(), LINK)),
        // What came behind the body before was taken for an answer.
        Some(1) if said.contains("HTTP/0.9") => Stop::Again(link(said, LINK)),
        Some(1 | 3 | 47) => Stop::Final(link(
            said,
            "the server sends elsewhere than to a web server; check its address and settings",
        )),
        Some(60) => Stop::Final(link(
            said,
            "check the clock, the server's certificate and the image's certificates; a repository is signed, so plain http will do",
        )),
        Some(2 | 27 | 77) => Stop::Final(link(said, "the image's curl does not work; install from a stick")),
        _ => Stop::Again(link(said, LINK)),
    }
}

/// An answer that is none of those expected.
pub fn status(status: u16, url: &str) -> Stop {
    let error = |help| SupplyError::Status { url: url.to_owned(), status, help };
    match status {
        408 | 425 | 429 | 500..=599 => Stop::Again(error("the server is not well; try again later")),
        401 | 403 | 407 => {
            Stop::Final(error("the server lets nobody in; see its settings, or those of a proxy between"))
        }
        _ => Stop::Final(error("check the address of the repository")),
    }
}

//! HTTPS by the device's curl: it has a TLS library already, and its own updates.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use serde_json::Value;

use crate::Cancel;
use crate::process::{End, Limits, excerpt, run};

/// An answer of a BMC is some kilobytes; more than this is no answer.
const ANSWER: usize = 1 << 20;
const HEADERS: usize = 64;
/// What curl gets on its input fits into a pipe.
const CONFIG: usize = 4096;

/// By what the BMC is known to be the right one.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Its certificate is signed by one of this PEM file, or is in it, and has the name of the address.
    Authority(PathBuf),
    /// It has this public key, `sha256//BASE64` as curl's --pinnedpubkey has it; name and dates are not looked at.
    PublicKey(String),
    /// Whoever answers is believed, and gets the password. Only if the site file says so in words.
    Anybody,
}

/// How the BMC knows us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// RFC 7617, with each request.
    Basic,
    /// A session (DSP0266, "Redfish session login authentication"), ended after each use.
    Session,
}

#[derive(Debug)]
pub(super) struct Credentials {
    pub name: String,
    pub password: String,
}

impl Credentials {
    /// Two lines, name and password, in a file that only its owner can read.
    pub fn read(path: &Path) -> Result<Self, String> {
        let at = path.display();
        let wrong = |error: &dyn std::fmt::Display| {
            format!("{at}: {error}; it has a line with the name and one with the password")
        };
        let file =
            open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|error| wrong(&error))?;
        let file = std::fs::File::from(file);
        let mode = file.metadata().map_err(|error| wrong(&error))?.mode();
        if mode & 0o077 != 0 {
            return Err(format!("{at} can be read by others (mode {:o}): chmod 0600 {at}", mode & 0o7777));
        }
        let text = io::read_to_string(io::Read::take(file, 2048)).map_err(|error| wrong(&error))?;
        let mut lines = text.lines();
        let (Some(name), Some(password), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(wrong(&"it has not two lines"));
        };
        if name.is_empty() || name.contains(':') || text.contains('\0') {
            return Err(wrong(&"the name is empty or has a colon, or there is a NUL"));
        }
        Ok(Credentials { name: name.to_owned(), password: password.to_owned() })
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// Trying again gives the same: whoever answers is not the one that is trusted, or nothing can be asked.
    Final(String),
    /// It may have been carried out, or not.
    Lost(String),
}

#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub token: Option<String>,
    pub body: Vec<u8>,
}

impl Answer {
    /// # Errors
    /// It is no JSON: cut, or not from a BMC.
    pub fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("its answer is no JSON ({error}): {}", excerpt(&self.body)))
    }
}

/// How a request shows who sends it.
#[derive(Clone, Copy)]
pub(super) enum As<'a> {
    Nobody,
    Basic(&'a Credentials),
    Token(&'a str),
}

/// One that asks at one BMC until a time.
pub(super) struct Curl<'a> {
    pub program: &'a Path,
    /// `https://ADDRESS[:PORT]`
    pub origin: &'a str,
    pub trust: &'a Trust,
    pub until: Instant,
    /// For each request.
    pub patience: Duration,
    pub cancel: &'a Cancel,
}

impl Curl<'_> {
    pub fn request(
        &self,
        method: &str,
        path: &str,
        by: As<'_>,
        body: Option<&Value>,
    ) -> Result<Answer, NoAnswer> {
        let left = self.until.saturating_duration_since(Instant::now()).min(self.patience);
        let config = self.config(method, path, by, body, left).map_err(NoAnswer::Final)?;
        let mut command = Command::new(self.program);
        // Nothing of the environment: it could name a proxy, other authorities, or a file for the session's keys.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(["--disable", "--config", "-"]); // --disable counts only as the first: no ~/.curlrc
        // curl's own limit is a little earlier, as it says more.
        let until = Instant::now() + left + Duration::from_millis(200);
        let limits = Limits { until, output: ANSWER, strict: true };
        let ran = run(command, config.as_bytes(), &limits, self.cancel).map_err(|error| {
            NoAnswer::Final(format!(
                "{} cannot be run: {error}; is curl in the image?",
                self.program.display()
            ))
        })?;
        let said = excerpt(&ran.stderr);
        let of = |what: &str| format!("{method} {}{path}: {what}", self.origin);
        match ran.end {
            End::Exited(status) => match status.code() {
                Some(0) => parse(&ran.stdout).map_err(|what| NoAnswer::Lost(of(&what))),
                Some(code) if is_final(code) => Err(NoAnswer::Final(of(&said))),
                _ => Err(NoAnswer::Lost(of(&said))),
            },
            End::Deadline => Err(NoAnswer::Lost(of("no answer in time"))),
            End::Cancelled => Err(NoAnswer::Lost(of("cancelled"))),
            End::TooMuch => Err(NoAnswer::Lost(of("its answer does not end"))),
        }
    }

    /// curl(1), --config: all on its input, so that nothing secret is in the list of processes.
    fn config(
        &self,
        method: &str,
        path: &str,
        by: As<'_>,
        body: Option<&Value>,
        left: Duration,
    ) -> Result<String, String> {
        let mut lines = String::from(
            "silent\nshow-error\ninclude\ngloboff\nhttp1.1\nnoproxy = \"*\"\nproto = \"=https\"\n",
        );
        let mut set = |name: &str, value: &str| {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let quoted = quoted.replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t");
            lines.push_str(&format!("{name} = \"{quoted}\"\n"));
        };
        set("url", &format!("{}{path}", self.origin));
        set("request", method);
        set("max-time", &format!("{:.3}", left.as_secs_f64().max(0.001)));
        set("header", "Accept: application/json");
        set("header", "OData-Version: 4.0");
        match by {
            As::Nobody => {}
            As::Basic(by) => set("user", &format!("{}:{}", by.name, by.password)),
            As::Token(token) => set("header", &format!("X-Auth-Token: {token}")),
        }
        if let Some(body) = body {
            set("header", "Content-Type: application/json");
            set("header", "Expect:");
            set("data-raw", &body.to_string());
        }
        match self.trust {
            Trust::Authority(file) => {
                set("cacert", file.to_str().ok_or("the name of the CA file is no UTF-8")?);
                // Else the host's own authorities count too, where curl is built with a folder of them.
                set("capath", "/dev/null");
            }
            Trust::PublicKey(pin) => {
                set("pinnedpubkey", pin);
                // The pin is checked nevertheless; a BMC's certificate rarely has the right name.
                lines.push_str("insecure\n");
            }
            Trust::Anybody => lines.push_str("insecure\n"),
        }
        if lines.len() > CONFIG { Err("the request is too long".to_owned()) } else { Ok(lines) }
    }
}

/// curl's exit codes (curl(1)) that say: not with this file, this certificate, this address. 2 and 4: this curl cannot do it;
/// 3: no URL; 53 to 60, 66, 77, 80 to 83, 90, 91: TLS itself.
fn is_final(code: i32) -> bool {
    matches!(code, 2..=4 | 53 | 54 | 58..=60 | 66 | 77 | 80 | 82 | 83 | 90 | 91)
}

fn parse(output: &[u8]) -> Result<Answer, String> {
    let mut rest = output;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        let length = match answer.parse(rest) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Err("its answer is cut".to_owned()),
            Err(error) => return Err(format!("its answer is no HTTP: {error}")),
        };
        let status = answer.code.unwrap_or_default();
        rest = &rest[length..];
        // "100 Continue" and the like come before the answer.
        if (100..200).contains(&status) {
            continue;
        }
        let header = |name: &str| {
            let found = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            Some(std::str::from_utf8(found.value).ok()?.trim().to_owned())
        };
        return Ok(Answer {
            status,
            location: header("location"),
            token: header("x-auth-token"),
            body: rest.to_vec(),
        });
    }
}

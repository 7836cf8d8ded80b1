//! One file from one mirror.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};

use geminios_model::Digest;
use ureq::Agent;

use crate::error::Fault;
use crate::http;
use crate::part::Part;
use crate::patience::Patience;
use crate::registry::Pull;
use crate::store::StoreError;

/// Where a file is on a mirror, and how it is asked for.
pub(crate) enum Source<'a> {
    Http { agent: &'a Agent, address: String, pull: Option<Pull<'a>> },
    Local { path: std::path::PathBuf },
}

/// Why a download ended.
pub(crate) enum End {
    /// The mirror's fault; another may do better.
    Fault(Fault),
    /// This host's fault.
    Host(StoreError),
    /// Another download failed for good.
    Stopped,
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        End::Fault(fault)
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        End::Host(error)
    }
}

/// What a download tells, and is told, while it runs.
pub(crate) struct Wire<'a> {
    pub patience: &'a Patience,
    pub stop: &'a AtomicBool,
    /// The part has so many bytes now.
    pub reached: &'a dyn Fn(u64),
    pub warn: &'a dyn Fn(&str),
}

enum Step {
    /// All bytes are there.
    Complete,
    /// It does not go on where we were cut.
    NoRange,
}

impl Source<'_> {
    /// Brings `part` to the file of that digest and size, or says what is wrong with this mirror.
    ///
    /// Bytes of another run or another mirror may spoil good ones: with such in it a wrong digest is no proof
    /// against the mirror, and all bytes are fetched from it before it is blamed.
    pub fn complete(&self, part: &mut Part, digest: Digest, size: u64, wire: &Wire) -> Result<(), End> {
        if part.len() > size {
            part.restart()?;
        }
        part.mixed = part.len() > 0;
        let mut best = part.len();
        let mut failures = 0;
        loop {
            if part.len() == size {
                let found = part.digest();
                if found == digest {
                    return Ok(());
                }
                let mixed = part.mixed;
                part.restart()?;
                if !mixed {
                    return Err(Fault::WrongBytes { expected: digest, found }.into());
                }
            }
            let fault = match self.attempt(part, size, wire) {
                Ok(Step::Complete) => continue,
                Ok(Step::NoRange) => {
                    part.restart()?;
                    continue;
                }
                Err(End::Fault(fault)) if fault.may_pass() => fault,
                Err(end) => return Err(end),
            };
            let moved = part.len() >= best + Patience::STEP;
            best = best.max(part.len());
            failures = if moved { 1 } else { failures + 1 };
            if failures >= wire.patience.tries {
                return Err(fault.into());
            }
            (wire.warn)(&format!("{self}: {fault}; trying again"));
            std::thread::sleep(wire.patience.pause_after(failures));
        }
    }

    /// Asks once, and takes what comes.
    fn attempt(&self, part: &mut Part, size: u64, wire: &Wire) -> Result<Step, End> {
        let from = part.len();
        match self {
            Source::Local { path } => {
                let (mut file, found) = open_local(path)?;
                if found != size {
                    return Err(Fault::WrongSize { expected: size, found }.into());
                }
                let sought = file.seek(SeekFrom::Start(from));
                sought.map_err(|error| Fault::Refused(error.to_string()))?;
                receive(&mut file, part, size, wire)
            }
            Source::Http { agent, address, pull } => {
                let mut response = http::get(agent, address, from, wire.patience, pull.as_ref())?;
                match response.status().as_u16() {
                    200 => {
                        if let Some(found) = http::length(&response).filter(|found| *found != size) {
                            return Err(Fault::WrongSize { expected: size, found }.into());
                        }
                        if from > 0 {
                            part.restart()?;
                        }
                    }
                    206 if from > 0 && http::continues(&response, from, size) => {}
                    206 | 416 if from > 0 => return Ok(Step::NoRange),
                    other => {
                        return Err(Fault::Refused(format!(
                            "it answered with status {other} to a plain request"
                        ))
                        .into());
                    }
                }
                receive(&mut response.body_mut().as_reader(), part, size, wire)
            }
        }
    }

    /// A file whose size and digest are not known beforehand.
    pub fn small(&self, limit: u64, patience: &Patience, warn: &dyn Fn(&str)) -> Result<Vec<u8>, Fault> {
        let mut failures = 0;
        loop {
            let fault = match self.attempt_small(limit, patience) {
                Err(fault) if fault.may_pass() => fault,
                end => return end,
            };
            failures += 1;
            if failures >= patience.tries {
                return Err(fault);
            }
            warn(&format!("{self}: {fault}; trying again"));
            std::thread::sleep(patience.pause_after(failures));
        }
    }

    fn attempt_small(&self, limit: u64, patience: &Patience) -> Result<Vec<u8>, Fault> {
        match self {
            Source::Local { path } => http::whole(&mut open_local(path)?.0, limit, patience),
            Source::Http { agent, address, pull } => {
                http::small(agent, address, limit, patience, pull.as_ref())
            }
        }
    }
}

/// Appends what `body` gives, up to `size` bytes in all and not one more.
fn receive(body: &mut dyn Read, part: &mut Part, size: u64, wire: &Wire) -> Result<Step, End> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        if wire.stop.load(Ordering::Relaxed) {
            return Err(End::Stopped);
        }
        let got = part.len();
        let n = match body.read(&mut buffer) {
            Ok(0) if got == size => return Ok(Step::Complete),
            Ok(0) => return Err(Fault::Cut { got, size, reason: "the answer ended".into() }.into()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(Fault::Cut { got, size, reason: http::cut(&error, wire.patience) }.into());
            }
        };
        if n as u64 > size - got {
            part.restart()?;
            return Err(Fault::TooLong(size).into());
        }
        part.append(&buffer[..n])?;
        (wire.reached)(part.len());
    }
}

fn open_local(path: &std::path::Path) -> Result<(File, u64), Fault> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Fault::NotThere,
        _ => Fault::Refused(error.to_string()),
    })?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok((file, metadata.len())),
        Ok(_) => Err(Fault::Refused("it is not a file".into())),
        Err(error) => Err(Fault::Refused(error.to_string())),
    }
}

impl std::fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Http { address, .. } => f.write_str(&crate::mirrors::without_password(address)),
            Source::Local { path } => write!(f, "{}", path.display()),
        }
    }
}

//! A repository on a web server, by the image's curl.
//!
//! Blobs come many in one process, so that one connection brings them without a pause. What a cut leaves is kept in memory and
//! gone on from by Range. Of nothing more is read than it may have. Nothing of it is believed: digests are checked by others.

mod curl;
mod head;
mod parts;
mod patience;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::supply::{Meter, Supply, SupplyError, Tell, Want, Web};

pub use curl::Limits;
pub use patience::Patience;

use curl::{Request, Transfer};
use head::Head;
use parts::Parts;

/// Most stretches that one process is told of.
const BATCH: usize = 256;
/// Bytes read at once.
const READ: usize = 64 << 10;

/// The server, and what runs.
pub struct Http {
    base: String,
    limits: Limits,
    /// For files, and for blobs.
    patience: [Patience; 2],
    meter: Rc<RefCell<Meter>>,
    parts: Parts,
    tell: Tell,
    expected: VecDeque<Want>,
    running: Option<Running>,
    /// Stretches that one process is told of.
    batch: usize,
}

/// A process, and what it still brings.
struct Running {
    transfer: Transfer,
    queue: VecDeque<Want>,
}

/// One try to bring what is missing in the buffer.
type Attempt<'a, T> = &'a dyn Fn(&mut Http, &mut Vec<u8>) -> Result<T, Stop>;

/// Why a transfer ended early.
enum Stop {
    /// The link; after a while it may work.
    Again(SupplyError),
    Final(SupplyError),
}

impl From<SupplyError> for Stop {
    fn from(error: SupplyError) -> Self {
        Stop::Final(error)
    }
}

impl Http {
    /// `base` is the address of the repository.
    pub fn new(base: &str, web: &Web, tell: Tell) -> Self {
        Http {
            base: base.trim_end_matches('/').to_owned(),
            limits: web.limits.clone(),
            patience: [web.files, web.blobs],
            meter: web.meter.clone(),
            parts: Parts::in_file(web.part.clone()),
            tell,
            expected: VecDeque::new(),
            running: None,
            batch: BATCH,
        }
    }

    fn check(&self) -> Result<(), SupplyError> {
        self.patience.iter().try_for_each(Patience::check)
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }

    fn start(&self, requests: &[Request]) -> Result<Transfer, SupplyError> {
        self.check()?;
        self.meter.borrow().left()?;
        Transfer::start(&self.limits, requests).map_err(|error| {
            let program = self.limits.program.display().to_string();
            SupplyError::NoCurl { program, error }
        })
    }

    /// The next answer's head. A process that ended instead says why.
    fn head(&self, transfer: &mut Transfer, url: &str) -> Result<Head, Stop> {
        let mut size = 0;
        let head = Head::read(&mut |line: &mut Vec<u8>, most: u64| transfer.line(line, most), &mut size);
        self.meter.borrow_mut().count(size);
        match head {
            Ok(Some(head)) => Ok(head),
            Ok(None) => Err(curl::ended(transfer.end(), url)),
            Err(problem) => Err(Stop::Again(link(url, problem))),
        }
    }

    /// Up to `buffer` bytes of an answer; 0 at its end.
    fn read(&self, transfer: &mut Transfer, buffer: &mut [u8], url: &str) -> Result<usize, Stop> {
        self.check()?;
        let most = self.meter.borrow().left()?.min(buffer.len() as u64) as usize;
        let count = transfer.read(&mut buffer[..most]);
        let count = count.map_err(|error| Stop::Again(link(url, error.to_string())))?;
        self.meter.borrow_mut().count(count as u64);
        Ok(count)
    }

    /// Tries until it works, as long as patience lasts. It begins anew whenever more came than ever before.
    fn patiently<T>(
        &mut self,
        have: &mut Vec<u8>,
        patience: Patience,
        attempt: Attempt<'_, T>,
    ) -> Result<T, SupplyError> {
        let (mut failures, mut best) = (0, 0);
        loop {
            let error = match attempt(self, have) {
                Ok(done) => return Ok(done),
                Err(Stop::Final(error)) => {
                    self.running = None;
                    return Err(error);
                }
                Err(Stop::Again(error)) => error,
            };
            self.running = None;
            self.meter.borrow_mut().failed();
            failures = if have.len() > best { 1 } else { failures + 1 };
            best = best.max(have.len());
            patience.wait(failures, error, &self.tell)?;
        }
    }
}

fn link(url: &str, problem: impl Into<String>) -> SupplyError {
    SupplyError::Link { url: url.to_owned(), problem: problem.into(), help: curl::LINK }
}

impl Supply for Http {
    fn place(&self) -> String {
        self.base.clone()
    }

    fn file(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, SupplyError> {
        self.running = None;
        // This one alone changes: two halves of it might be of two files.
        let changes = name.ends_with("/timestamp.json");
        let mut have = Vec::new();
        let there = self.patiently(&mut have, self.patience[0], &|http, have| {
            if changes {
                have.clear();
            }
            http.file_once(name, most, have)
        })?;
        Ok(there.then_some(have))
    }

    fn expect(&mut self, wants: VecDeque<Want>) {
        self.expected = wants;
    }

    fn stretch(&mut self, want: &Want) -> Result<Vec<u8>, SupplyError> {
        let mut have = self.parts.take(want);
        let brought =
            self.patiently(&mut have, self.patience[1], &|http, have| http.stretch_once(want, have));
        brought.inspect_err(|_| self.parts.keep(want, &have))?;
        Ok(have)
    }
}

impl Http {
    /// Whether it is there.
    fn file_once(&mut self, name: &str, most: u64, have: &mut Vec<u8>) -> Result<bool, Stop> {
        let url = self.url(name);
        let mut transfer = self.start(&[Request { url: url.clone(), from: have.len() as u64, to: None }])?;
        let head = self.head(&mut transfer, &url)?;
        match head.status {
            200 => have.clear(),
            206 if head.start == Some(have.len() as u64) => {}
            404 | 410 => return Ok(false),
            // So some stores answer when a file is not there; every poll asks for a root that is not there yet.
            403 if name.ends_with(".root.json") => return Ok(false),
            // It was shorter than what came of it before the cut: another file now.
            416 => {
                have.clear();
                return Err(Stop::Again(link(&url, "the file changed in between")));
            }
            _ => return Err(curl::status(head.status, &url)),
        }
        refuse_encoded(&head, &url)?;
        let too_long = || SupplyError::TooLong { file: name.to_owned(), place: self.base.clone(), most };
        if head.length.is_some_and(|length| length.saturating_add(have.len() as u64) > most) {
            return Err(too_long().into());
        }
        let mut buffer = [0; READ];
        loop {
            match self.read(&mut transfer, &mut buffer, &url)? {
                0 => break,
                count => have.extend_from_slice(&buffer[..count]),
            }
            if have.len() as u64 > most {
                return Err(too_long().into());
            }
        }
        match transfer.end() {
            (Some(0), _) => Ok(true),
            ended => Err(curl::ended(ended, &url)),
        }
    }

    fn stretch_once(&mut self, want: &Want, have: &mut Vec<u8>) -> Result<(), Stop> {
        let Running { mut transfer, mut queue } = self.transfer_with(want, have.len() as u64)?;
        queue.pop_front();
        let (url, before) = (self.url(&want.blob.path()), have.len());
        let head = self.head(&mut transfer, &url)?;
        if head.length.is_none() && !queue.is_empty() {
            // Nobody says where its body ends and the next answer begins: from now on one by one.
            self.batch = 1;
            return self.stretch_once(want, have);
        }
        let mut skip = self.placed(&head, want, have.len() as u64, &url)?;
        let mut buffer = vec![0; READ];
        while (have.len() as u64) < want.range.length {
            let missing = skip + want.range.length - have.len() as u64;
            let most = missing.min(READ as u64) as usize;
            let count = self.read(&mut transfer, &mut buffer[..most], &url)?;
            if count == 0 {
                let ended = transfer.end();
                // Its server thinks that this was all, now and the time before.
                if ended.0 == Some(0) && have.len() == before {
                    return Err(self.length(want, have.len() as u64).into());
                }
                return Err(curl::ended(ended, &url));
            }
            let skipped = skip.min(count as u64);
            skip -= skipped;
            have.extend_from_slice(&buffer[skipped as usize..count]);
        }
        if let Some(at) = self.expected.iter().position(|expected| expected == want) {
            self.expected.drain(..=at);
        }
        if !queue.is_empty() {
            self.running = Some(Running { transfer, queue });
        }
        Ok(())
    }

    /// The process that brings this next; a new one if there is none, which then brings what is expected after it.
    fn transfer_with(&mut self, want: &Want, from: u64) -> Result<Running, SupplyError> {
        match self.running.take() {
            Some(running) if from == 0 && running.queue.front() == Some(want) => return Ok(running),
            _ => {}
        }
        let after = self.expected.iter().skip_while(|expected| *expected != want).skip(1);
        let queue: VecDeque<Want> = std::iter::once(want).chain(after).take(self.batch).copied().collect();
        let request = |(at, want): (usize, &Want)| {
            let from = want.range.offset + if at == 0 { from } else { 0 };
            let end = want.range.offset + want.range.length;
            let whole = from == 0 && end == want.blob.size;
            Request { url: self.url(&want.blob.path()), from, to: (!whole).then(|| end - 1) }
        };
        let requests: Vec<Request> = queue.iter().enumerate().map(request).collect();
        Ok(Running { transfer: self.start(&requests)?, queue })
    }

    /// Bytes of the answer that come before the wanted ones.
    fn placed(&self, head: &Head, want: &Want, have: u64, url: &str) -> Result<u64, Stop> {
        let (from, missing) = (want.range.offset + have, want.range.length - have);
        let (total, skip) = match head.status {
            200 => (head.length, from),
            206 if head.start == Some(from) && head.length.is_none_or(|length| length == missing) => {
                (head.total, 0)
            }
            206 => return Err(Stop::Again(link(url, format!("asked for bytes from {from}, got others")))),
            404 | 410 => {
                let (file, place) = (want.blob.path(), self.base.clone());
                return Err(SupplyError::Missing { file, place }.into());
            }
            416 => return Err(self.length(want, from).into()),
            status => return Err(curl::status(status, url)),
        };
        refuse_encoded(head, url)?;
        if let Some(seen) = total.filter(|total| *total != want.blob.size) {
            return Err(self.length(want, seen).into());
        }
        if skip > 0 && !want.is_all() {
            return Err(SupplyError::NoRanges(url.to_owned()).into());
        }
        Ok(skip)
    }
}

impl Http {
    fn length(&self, want: &Want, seen: u64) -> SupplyError {
        let (file, place) = (want.blob.path(), self.base.clone());
        SupplyError::Length { file, place, expected: want.blob.size, seen }
    }
}

fn refuse_encoded(head: &Head, url: &str) -> Result<(), SupplyError> {
    match &head.encoding {
        Some(encoding) => Err(SupplyError::Encoded { url: url.to_owned(), encoding: encoding.clone() }),
        None => Ok(()),
    }
}

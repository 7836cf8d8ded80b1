//! The witness as an object on an S3 store that honours `If-Match` on `PUT` ("How to prevent object overwrites with conditional
//! writes", Amazon S3 User Guide). Many other stores do; one that ignores it is found out before the first swap.

mod carry;
mod sign;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use geminios_failover_core::Record;

use crate::rule::{Fit, fits};
use crate::tag::{self, Seen};
use crate::time::{Deadline, basic};
use crate::{Error, Held, Kept, Register, Swapped};
use carry::{Carrier, Response};
pub use sign::Secret;
use sign::{Request, escape, sign};

/// Where the object is.
#[derive(Clone, Debug)]
pub struct Place {
    /// `https://host` or `http://host:port`, without a path.
    pub endpoint: String,
    pub region: String,
    pub bucket: String,
    pub object: String,
    /// Certificates to trust instead of the system's.
    pub trusted: Option<PathBuf>,
}

pub struct S3 {
    place: Place,
    secret: Secret,
    site: String,
    carrier: Carrier,
    seen: Seen,
    /// The ETag that goes with a tag: what is there as far as this client knows.
    known: Option<(Held, String)>,
    /// The store refused a `PUT` whose condition does not hold.
    honours: bool,
    /// What the store's clock says, less what ours does: signatures are good for 15 minutes.
    ahead: Skew,
}

#[derive(Clone, Copy, Default)]
struct Skew {
    ahead: Duration,
    behind: Duration,
}

enum Condition {
    None,
    /// The object is still the one with this ETag.
    Match(String),
    /// There is no object.
    Absent,
}

const ACCESS: &str =
    "check access key, secret and the bucket's policy: GET and PUT of this object and of OBJECT.probe";

impl S3 {
    pub fn new(place: Place, secret: Secret, site: &str) -> Self {
        let carrier = match place.endpoint.starts_with("https://") {
            true => Carrier::Curl(PathBuf::from("curl"), place.trusted.clone()),
            false => Carrier::plain(),
        };
        let (known, honours, ahead) = (None, false, Skew::default());
        S3 { place, secret, site: site.to_owned(), carrier, seen: Seen::default(), known, honours, ahead }
    }

    /// Makes the register of a new site. One that is there is left, and is an error.
    pub fn create(&mut self, deadline: Duration) -> Result<(), Error> {
        let deadline = Deadline::after(deadline);
        self.probe(deadline)?;
        let object = self.place.object.clone();
        let kept = Kept::empty(&self.site).ok_or_else(|| self.not_kept())?;
        let answer = self.send(&object, Some(&kept.to_text()), Condition::Absent, deadline)?;
        match answer.status {
            200 => Ok(()),
            412 => Err(Error::not_kept(&self.url(), "a register is there already")),
            _ => Err(self.failed(&answer)),
        }
    }

    fn get(&mut self, deadline: Deadline) -> Result<Held, Error> {
        let object = self.place.object.clone();
        let answer = self.send(&object, None, Condition::None, deadline)?;
        if answer.status != 200 {
            return Err(self.failed(&answer));
        }
        let kept =
            Kept::parse(&self.site, &answer.body).map_err(|error| Error::damaged(&self.url(), error))?;
        let etag = answer.etag.ok_or_else(|| self.unfit("it gives no ETag"))?;
        self.seen.see(&self.url(), kept.tag)?;
        self.known = Some((kept.held(), etag));
        Ok(kept.held())
    }

    /// A store that ignores conditions would let both nodes win.
    fn probe(&mut self, deadline: Deadline) -> Result<(), Error> {
        if self.honours {
            return Ok(());
        }
        let object = format!("{}.probe", self.place.object);
        let never = Condition::Match("\"00000000000000000000000000000000\"".to_owned());
        let answer = self.send(&object, Some("must not be written\n"), never, deadline)?;
        match answer.status {
            // There is no such object, so its ETag is not this one.
            404 if contains(&answer.body, b"NoSuchKey") => self.honours = true,
            412 => self.honours = true,
            200..=299 | 400 | 501 => return Err(self.unfit("it does not honour `If-Match` on `PUT`")),
            _ => return Err(self.failed(&answer)),
        }
        Ok(())
    }

    fn send(
        &mut self,
        object: &str,
        body: Option<&str>,
        condition: Condition,
        deadline: Deadline,
    ) -> Result<Response, Error> {
        let answer = self.send_once(object, body, &condition, deadline)?;
        let skewed = answer.status == 403 && contains(&answer.body, b"RequestTimeTooSkewed");
        let theirs = answer.date.as_deref().and_then(|date| httpdate::parse_http_date(date).ok());
        let Some(theirs) = theirs.filter(|_| skewed) else { return Ok(answer) };
        // A machine with a wrong clock has a witness all the same. Who lies about the time gets no more than a signature that is
        // good for another quarter of an hour, of a request that does no harm twice.
        let ours = SystemTime::now();
        self.ahead = Skew {
            ahead: theirs.duration_since(ours).unwrap_or_default(),
            behind: ours.duration_since(theirs).unwrap_or_default(),
        };
        self.send_once(object, body, &condition, deadline)
    }

    fn send_once(
        &self,
        object: &str,
        body: Option<&str>,
        condition: &Condition,
        deadline: Deadline,
    ) -> Result<Response, Error> {
        let host = self.place.endpoint.split_once("://").map_or("", |(_, host)| host).to_owned();
        let mut headers = vec![("host", host)];
        match condition {
            Condition::None => {}
            Condition::Match(etag) => headers.push(("if-match", etag.clone())),
            Condition::Absent => headers.push(("if-none-match", "*".to_owned())),
        }
        let path = escape(&format!("/{}/{object}", self.place.bucket));
        let method = if body.is_some() { "PUT" } else { "GET" };
        let mut request = Request { method, path: &path, headers, body: body.unwrap_or_default().as_bytes() };
        let now = basic(SystemTime::now() + self.ahead.ahead - self.ahead.behind);
        sign(&mut request, &self.secret, &self.place.region, &now);
        let sent = self.carrier.send(&self.place.endpoint, &request, deadline);
        sent.map_err(|problem| Error::unreachable(&self.url(), problem))
    }

    fn failed(&self, answer: &Response) -> Error {
        // The document names the error: <Code>AccessDenied</Code>.
        let text = String::from_utf8_lossy(&answer.body);
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        let code = code.map_or("", |(code, _)| code);
        let problem = format!("status {} {code}", answer.status).trim_end().to_owned();
        match answer.status {
            404 if code == "NoSuchKey" => Error::missing(&self.url()),
            401 | 403 => Error::Refused { place: self.url(), problem, help: ACCESS },
            404 | 400 | 405 | 501 => self.unfit(&problem),
            507 => Error::not_kept(&self.url(), problem),
            _ => Error::unreachable(&self.url(), problem),
        }
    }

    fn not_kept(&self) -> Error {
        Error::not_kept(&self.url(), "its count is used up, or the system gives no randomness")
    }

    fn unfit(&self, problem: &str) -> Error {
        let help = "check the bucket's name; use a store with conditional writes, or our own service";
        Error::Unfit { place: self.url(), problem: problem.to_owned(), help }
    }

    fn url(&self) -> String {
        format!("{}/{}/{}", self.place.endpoint, self.place.bucket, self.place.object)
    }
}

impl Register for S3 {
    fn read(&mut self, deadline: Duration) -> Result<Held, Error> {
        self.get(Deadline::after(deadline))
    }

    fn swap(&mut self, expected: u64, record: Record, deadline: Duration) -> Result<Swapped, Error> {
        let deadline = Deadline::after(deadline);
        self.probe(deadline)?;
        let known = self.known.clone().filter(|(held, _)| held.tag == expected);
        let (now, etag) = match known {
            Some(known) => known,
            None => {
                let held = self.get(deadline)?;
                match self.known.clone().filter(|(held, _)| held.tag == expected) {
                    Some(known) => known,
                    None => return Ok(Swapped { done: false, held }),
                }
            }
        };
        match fits(&now.record, &record) {
            Fit::Yes => {}
            Fit::Older => return Ok(Swapped { done: false, held: self.get(deadline)? }),
            Fit::New => return Err(Error::New { place: self.url() }),
        }
        let tag = tag::next(expected, self.seen.greatest).ok_or_else(|| self.not_kept())?;
        let held = Held { tag, record };
        let (object, text) = (self.place.object.clone(), Kept::new(&self.site, held).to_text());
        let answer = self.send(&object, Some(&text), Condition::Match(etag), deadline)?;
        match answer.status {
            200 => {
                self.seen.see(&self.url(), tag)?;
                self.known = answer.etag.map(|etag| (held, etag));
                Ok(Swapped { done: true, held })
            }
            // Somebody else was first, or is at it (409, ConditionalRequestConflict).
            412 | 409 => {
                self.known = None;
                Ok(Swapped { done: false, held: self.get(deadline)? })
            }
            _ => Err(self.failed(&answer)),
        }
    }

    fn take_what_is_there(&mut self) {
        self.known = None;
        self.seen.take_what_is_there();
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

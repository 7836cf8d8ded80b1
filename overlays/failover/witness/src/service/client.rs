use std::time::Duration;

use geminios_failover_core::Record;

use crate::tag::Seen;
use crate::wire::{self, Ask, Question, Reply, Signed};
use crate::{Error, Held, Key, Register, Swapped};

/// A register that our own service keeps.
pub struct Remote {
    agent: ureq::Agent,
    /// `host:port`
    address: String,
    site: String,
    key: Key,
    seen: Seen,
}

const KEY: &str = "the key of this site must be the same on the witness and on both nodes";

impl Remote {
    /// Connects with the first question.
    pub fn new(address: &str, site: &str, key: Key) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .max_idle_connections(1)
            // The service's own patience is 60 s: a connection is left before it.
            .max_idle_age(Duration::from_secs(30));
        Remote {
            agent: config.build().new_agent(),
            address: address.to_owned(),
            site: site.to_owned(),
            key,
            seen: Seen::default(),
        }
    }

    fn ask(&mut self, ask: Ask, deadline: Duration) -> Result<Swapped, Error> {
        let unreachable = |problem: String| Error::unreachable(&self.address, problem);
        let question = Question::new(&self.site, ask)
            .and_then(|question| serde_json::to_vec(&question).ok())
            .ok_or_else(|| unreachable("the system gives no randomness".to_owned()))?;
        let question = wire::sign_question(&self.key, question);
        let reply = self.post(&question, deadline)?;
        if !wire::is_reply(&self.key, &question.mac, &reply) {
            return Err(
                self.refused("its answer is not signed with this site's key, or belongs to another question")
            );
        }
        let reply = serde_json::from_slice(&reply.body).map_err(|error| unreachable(error.to_string()))?;
        let place = format!("{} (site {})", self.address, self.site);
        match reply {
            Reply::Held { done, tag, record } => {
                self.seen.see(&place, tag)?;
                Ok(Swapped { done, held: Held { tag, record } })
            }
            Reply::New => Err(Error::New { place }),
            Reply::Damaged(problem) => Err(Error::Damaged { place, problem }),
            Reply::NotKept(problem) => Err(Error::NotKept { place, problem }),
            Reply::NotUnderstood(problem) => {
                let help = "give both nodes and the witness programs that speak the same version";
                Err(Error::Unfit { place, problem, help })
            }
        }
    }

    fn post(&self, question: &Signed, deadline: Duration) -> Result<Signed, Error> {
        let failed = |error: ureq::Error| Error::unreachable(&self.address, error);
        let url = format!("http://{}{}", self.address, wire::PATH);
        let request = self.agent.post(&url).header(wire::MAC, hex::encode(question.mac));
        let request = request.content_type("application/json");
        let request = request.config().timeout_global(Some(deadline)).build();
        let mut response = request.send(&question.body[..]).map_err(failed)?;
        match response.status().as_u16() {
            200 => {}
            403 => return Err(self.refused("it knows no such site with this key")),
            status => {
                return Err(Error::unreachable(&self.address, format!("it answers with status {status}")));
            }
        }
        let mac = response.headers().get(wire::MAC).and_then(|mac| wire::parse_mac(mac.as_bytes()));
        let mac = mac.ok_or_else(|| self.refused("its answer is not signed"))?;
        let body =
            response.body_mut().with_config().limit(wire::MOST as u64).read_to_vec().map_err(failed)?;
        Ok(Signed { body, mac })
    }

    fn refused(&self, problem: &str) -> Error {
        Error::Refused {
            place: self.address.clone(),
            problem: format!("site {}: {problem}", self.site),
            help: KEY,
        }
    }
}

impl Register for Remote {
    fn read(&mut self, deadline: Duration) -> Result<Held, Error> {
        self.ask(Ask::Read, deadline).map(|read| read.held)
    }

    fn swap(&mut self, expected: u64, record: Record, deadline: Duration) -> Result<Swapped, Error> {
        self.ask(Ask::Swap { expected, seen: self.seen.greatest, record }, deadline)
    }

    fn take_what_is_there(&mut self) {
        self.seen.take_what_is_there();
    }
}

//! Asks the witness, one question at a time; of those that wait only the newest counts, as for the core.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use geminios_failover_core::{Answer, Asked, Request};
use geminios_failover_witness::{Error, Register};

use super::Happened;

pub struct Asker {
    requests: Sender<Request>,
    leads: Arc<AtomicBool>,
}

impl Asker {
    /// `deadline`: of one question; the core asks again after that.
    pub fn start(register: Box<dyn Register>, deadline: Duration, events: Sender<Happened>) -> Self {
        let (requests, inbox) = channel();
        let leads = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&leads);
        std::thread::spawn(move || work(register, deadline, &inbox, &events, &flag));
        Asker { requests, leads }
    }

    pub fn ask(&self, request: Request) {
        let _ = self.requests.send(request);
    }

    /// Only a leader puts its record over an old state of the witness.
    pub fn leads(&self, leads: bool) {
        self.leads.store(leads, Ordering::Relaxed);
    }
}

fn work(
    mut register: Box<dyn Register>,
    deadline: Duration,
    inbox: &Receiver<Request>,
    events: &Sender<Happened>,
    leads: &AtomicBool,
) {
    let mut trouble = String::new();
    while let Ok(mut request) = inbox.recv() {
        while let Ok(newer) = inbox.try_recv() {
            request = newer;
        }
        let asked = match request.asked {
            Asked::Read => register.read(deadline).map(|held| (false, held)),
            Asked::Swap { tag, record } => {
                register.swap(tag, record, deadline).map(|swapped| (swapped.done, swapped.held))
            }
        };
        let said = match asked {
            Ok((done, held)) => {
                let answer = Answer { id: request.id, done, tag: held.tag, record: held.record };
                if events.send(Happened::Witness(answer)).is_err() {
                    return;
                }
                String::new()
            }
            Err(error) => {
                if matches!(error, Error::SetBack { .. }) && leads.load(Ordering::Relaxed) {
                    register.take_what_is_there();
                }
                error.to_string()
            }
        };
        if said != trouble {
            let line = if said.is_empty() {
                "witness: it answers again".to_owned()
            } else {
                format!("witness: {said}")
            };
            let _ = events.send(Happened::Told(line));
            trouble = said;
        }
    }
}

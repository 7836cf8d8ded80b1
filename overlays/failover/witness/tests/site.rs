//! Two cores and a register: a lost register that was made anew lets nobody lead without what a lone leader acknowledged.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use geminios_failover_core::{
    Action, Answer, Asked, By, Config, Decides, Event, Goal, Heartbeat, Node, Postgres, Side, Stored,
};
use geminios_failover_witness::{Error, Folder, Register};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(60);
const STEP: u64 = 100;

/// A node's machine: its disk, and the agent on it while it has power.
struct Machine {
    side: Side,
    disk: Stored,
    node: Option<Node>,
    postgres: Postgres,
    register: Box<dyn Register>,
    refused: u32,
    said: Vec<Heartbeat>,
}

struct Site {
    folder: TempDir,
    now: u64,
    machines: [Machine; 2],
}

fn config(me: Side) -> Config {
    Config {
        me,
        decides: Decides::Witness,
        heartbeat: 250,
        promise: 2000,
        drift: 40,
        loss: 1000,
        start: 30_000,
        watchdog: 0,
        fence_delay: 2000,
    }
}

impl Machine {
    fn power(&mut self, on: bool, now: u64) {
        self.node = on.then(|| Node::start(config(self.side), self.disk, now, now));
        self.postgres = Postgres::Stopped;
    }

    fn step(&mut self, now: u64, event: Event) {
        let Some(node) = &mut self.node else { return };
        let mut answers = Vec::new();
        for action in node.step(now, event) {
            match action {
                Action::Persist(stored) => self.disk = stored,
                Action::Send(heartbeat) => self.said.push(heartbeat),
                Action::Ask(request) => {
                    let answer = match request.asked {
                        Asked::Read => self.register.read(LONG).map(|held| (false, held)),
                        Asked::Swap { tag, record } => {
                            let swapped = self.register.swap(tag, record, LONG);
                            swapped.map(|swapped| (swapped.done, swapped.held))
                        }
                    };
                    self.refused += u32::from(matches!(answer, Err(Error::New { .. })));
                    // An error is an answer that was lost.
                    answers.extend(answer.map(|(done, held)| Answer {
                        id: request.id,
                        done,
                        tag: held.tag,
                        record: held.record,
                    }));
                }
                _ => {}
            }
        }
        for answer in answers {
            self.step(now, Event::Witness(answer));
        }
    }

    fn goal(&self) -> Option<Goal> {
        // What the core asked for shows in its record: PostgreSQL here obeys at once.
        let serves = self.node.as_ref()?.stored().record;
        Some(if serves.leader == self.side {
            Goal::Lead { epoch: serves.epoch, sync: true }
        } else {
            Goal::Follow { epoch: serves.epoch }
        })
    }
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let first = Stored::first(Side::A);
        let machine = |side| Machine {
            side,
            disk: first,
            node: None,
            postgres: Postgres::Stopped,
            register: Box::new(Folder::new(folder.path(), "site")),
            refused: 0,
            said: Vec::new(),
        };
        let machines = [machine(Side::A), machine(Side::B)];
        Folder::new(folder.path(), "site").create().unwrap();
        Site { folder, now: 1000, machines }
    }

    fn power(&mut self, side: Side, on: bool) {
        self.machines[side as usize].power(on, self.now);
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 1000 / STEP {
            self.now += STEP;
            let both = self.machines.iter().all(|machine| machine.node.is_some());
            for at in 0..2 {
                self.machines[at].step(self.now, Event::Tick);
                let said = std::mem::take(&mut self.machines[at].said);
                for heartbeat in said {
                    self.machines[1 - at].step(self.now, Event::Heard(heartbeat));
                }
                let machine = &mut self.machines[at];
                machine.postgres = match machine.goal() {
                    Some(Goal::Lead { .. }) => Postgres::Primary { covered: both },
                    Some(_) => Postgres::Standby { streams: both },
                    None => Postgres::Stopped,
                };
                let postgres = machine.postgres;
                machine.step(self.now, Event::Postgres(postgres));
            }
        }
    }

    fn leads(&self) -> Vec<Side> {
        let serving =
            self.machines.iter().filter(|m| m.node.as_ref().is_some_and(|node| node.serves().is_some()));
        serving.map(|machine| machine.side).collect()
    }

    /// What held the register is lost, and somebody makes a new one.
    fn lose_the_register(&mut self) {
        std::fs::remove_dir_all(self.folder.path().join("site")).unwrap();
        Folder::new(self.folder.path(), "site").create().unwrap();
        for machine in &mut self.machines {
            machine.register = Box::new(Folder::new(self.folder.path(), "site"));
        }
    }
}

#[test]
fn a_new_register_makes_no_standby_lead() {
    let mut site = Site::new();
    for side in [Side::A, Side::B] {
        site.power(side, true);
    }
    site.run(20);
    assert_eq!(site.leads(), [Side::A]);
    assert!(!site.machines[0].disk.record.alone, "{:?}", site.machines[0].disk);

    // B is off; A goes on alone, and is off before B is on again.
    site.power(Side::B, false);
    site.run(20);
    assert_eq!(site.leads(), [Side::A]);
    let alone = site.machines[0].disk.record;
    assert!(alone.alone && alone.by == By::Witness);
    site.power(Side::A, false);
    site.power(Side::B, true);
    site.run(20);
    assert_eq!(site.leads(), [], "B read that A is alone");

    // As before, but B had not read it; and what it would read is lost.
    let standby =
        geminios_failover_core::Record { number: alone.number - 1, by: By::Both, alone: false, ..alone };
    site.power(Side::B, false);
    site.machines[1].disk = Stored { record: standby, decided: true, claim: None, empty: false };
    site.lose_the_register();
    site.power(Side::B, true);
    site.run(60);
    assert_eq!(site.leads(), [], "{:?}", site.machines[1].disk);
    assert!(site.machines[1].refused > 0, "it did not try");

    // A is on again: both find together, although B's claim is not answered and A's own record cannot be the first.
    site.power(Side::A, true);
    site.run(60);
    assert_eq!(site.leads(), [Side::A]);
    let [ours, theirs] = [0, 1].map(|at| site.machines[at].disk);
    assert!(ours == theirs && !ours.record.alone && ours.claim.is_none(), "{ours:?} {theirs:?}");
    let held = Folder::new(site.folder.path(), "site").read(LONG).unwrap();
    assert_eq!(held.record, ours.record);

    // From now on it decides.
    site.power(Side::A, false);
    site.run(20);
    assert_eq!(site.leads(), [Side::B]);
}

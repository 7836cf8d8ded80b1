//! What an agent has done: each thing in its order, and a write takes its time.

use std::collections::VecDeque;

use geminios_failover::{Ended, Hands, Input, Told};
use geminios_failover_core::{Asked, By, Goal, Instant, Request, Side};

use crate::faults::Moment;
use crate::machine::Given;
use crate::time::{Event, MS, SECOND};
use crate::witness::told;
use crate::world::World;

#[derive(Clone, Debug)]
pub enum Effect {
    Persist(Vec<u8>),
    Send(Vec<u8>),
    Ask(Request),
    Fence,
    Postgres(Goal),
    Serve(Option<u64>),
    Feed(Option<Instant>),
    Leads(u64, Side),
    Tell(Told),
}

struct Recorder {
    effects: VecDeque<Effect>,
    full: bool,
}

impl Hands for Recorder {
    type Error = &'static str;

    fn persist(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        if self.full {
            return Err("no space left on device");
        }
        self.effects.push_back(Effect::Persist(bytes.to_vec()));
        Ok(())
    }
    fn send(&mut self, datagram: &[u8]) {
        self.effects.push_back(Effect::Send(datagram.to_vec()));
    }
    fn ask(&mut self, request: Request) {
        self.effects.push_back(Effect::Ask(request));
    }
    fn fence(&mut self) {
        self.effects.push_back(Effect::Fence);
    }
    fn postgres(&mut self, goal: Goal) {
        self.effects.push_back(Effect::Postgres(goal));
    }
    fn serve(&mut self, epoch: Option<u64>) {
        self.effects.push_back(Effect::Serve(epoch));
    }
    fn feed(&mut self, until: Option<Instant>) {
        self.effects.push_back(Effect::Feed(until));
    }
    fn leads(&mut self, epoch: u64, side: Side, _: By) {
        self.effects.push_back(Effect::Leads(epoch, side));
    }
    fn tell(&mut self, told: Told) {
        self.effects.push_back(Effect::Tell(told));
    }
}

impl World {
    /// Void if the agent that this is for does not run any more.
    pub fn give(&mut self, side: Side, start: u64, given: Given) {
        let machine = self.machine_mut(side);
        if machine.agent.is_none() || machine.start != start {
            return;
        }
        if machine.busy || machine.frozen || machine.paused {
            machine.inbox.push_back(given);
            return;
        }
        self.step(side, &given);
        self.go_on(side);
    }

    fn step(&mut self, side: Side, given: &Given) {
        let time = self.time;
        let machine = self.machine_mut(side);
        let input = match given {
            Given::Tick => Input::Tick,
            Given::Datagram(bytes) => Input::Datagram(bytes),
            Given::Witness(answer) => Input::Witness(*answer),
            Given::Fenced(off) => Input::Fenced(*off),
            Given::Postgres(goal, _) if *goal != machine.postgres.goals => return,
            Given::Postgres(_, postgres) => Input::Postgres(*postgres),
            Given::Uplink(uplink) => Input::Uplink(*uplink),
            Given::Command(command) => Input::Command(*command),
        };
        let Some(agent) = &mut machine.agent else { return };
        let full = time < machine.disk.full;
        let mut hands = Recorder { effects: std::mem::take(&mut machine.effects), full };
        let done = agent.step(machine.clock.now(time), input, &mut hands);
        machine.effects = hands.effects;
        machine.busy = true;
        if let Err(Ended(why)) = done {
            machine.ended = true;
            self.story(side, || format!("the agent will end: {why}"));
        }
    }

    /// Carries out what the agent wants until it has to wait for the disk, or sleeps.
    pub fn go_on(&mut self, side: Side) {
        let start = self.machine(side).start;
        loop {
            let machine = self.machine_mut(side);
            if machine.agent.is_none() || machine.start != start {
                return;
            }
            if machine.frozen || machine.paused {
                machine.held.push(Event::Continue { side, start });
                return;
            }
            match machine.effects.pop_front() {
                Some(Effect::Persist(bytes)) => {
                    machine.disk.writing = Some(bytes);
                    let slow = self.time < self.machine(side).disk.slow && self.chance(50);
                    let longest = if slow { 5 * SECOND } else { 20 * MS };
                    let takes = self.between(MS, longest);
                    self.after(takes, Event::Continue { side, start });
                    self.ambush(side, Moment::Writes);
                    return;
                }
                Some(effect) => self.perform(side, effect),
                None if machine.ended => {
                    self.story(side, || "the agent ends".to_owned());
                    self.lose_agent(side);
                    self.start_agent_after(side, SECOND);
                    return;
                }
                None => {
                    machine.busy = false;
                    let Some(given) = machine.inbox.pop_front() else { break };
                    self.step(side, &given);
                }
            }
        }
        self.set_timer(side);
    }

    pub fn continues(&mut self, side: Side) {
        if let Some(bytes) = self.machine_mut(side).disk.writing.take() {
            self.write_record(side, bytes);
        }
        self.go_on(side);
    }

    pub fn write_record(&mut self, side: Side, bytes: Vec<u8>) {
        let before = self.machine(side).disk.stored(side);
        self.machine_mut(side).disk.record = Some(bytes);
        let after = self.machine(side).disk.stored(side);
        self.judge.recorded(side, &before, &after);
    }

    fn set_timer(&mut self, side: Side) {
        let late = self.between(0, MS);
        let time = self.time;
        let machine = self.machine_mut(side);
        let Some(agent) = &machine.agent else { return };
        machine.timer += 1;
        let (start, timer) = (machine.start, machine.timer);
        let due = machine.clock.when(agent.wake(machine.clock.now(time)));
        self.queue.push(due.max(time) + late, Event::Wake { side, start, timer });
    }

    fn perform(&mut self, side: Side, effect: Effect) {
        match effect {
            Effect::Persist(_) => {}
            Effect::Send(bytes) => {
                let body = bytes.len() - 32;
                self.story_fine(side, || format!("sends {}", String::from_utf8_lossy(&bytes[..body])));
                self.transmit(side, &bytes);
            }
            Effect::Ask(request) => {
                self.story_fine(side, || format!("asks {request:?}"));
                let mine = self.machine(side).disk.stored(side).record;
                let claims = matches!(request.asked, Asked::Swap { record, .. } if record > mine && record.leader == side);
                self.ask(side, request);
                self.ambush(side, if claims { Moment::Claims } else { Moment::Asks });
            }
            Effect::Fence => {
                self.fence(side);
                self.ambush(side, Moment::Fences);
            }
            Effect::Postgres(goal) => {
                self.set_goal(side, goal);
                self.ambush(side, Moment::Goal);
            }
            Effect::Serve(epoch) => {
                self.machine_mut(side).address = epoch;
                if let Some(epoch) = epoch {
                    self.judge.served(side, epoch);
                    self.announce(side);
                }
                self.ambush(side, if epoch.is_some() { Moment::Serves } else { Moment::StopsServing });
            }
            Effect::Feed(until) => self.feed(side, until),
            Effect::Leads(epoch, leader) => {
                self.story(side, || format!("Kine goes to {leader:?}, epoch {epoch}"));
            }
            Effect::Tell(Told::Decided(stored)) => self.story(side, || {
                format!(
                    "on disk: {}{}{}{}",
                    told(&stored.record),
                    if stored.decided { "" } else { ", proposed" },
                    stored.claim.map_or(String::new(), |tag| format!(", claims at tag {tag}")),
                    if stored.empty { ", empty" } else { "" },
                )
            }),
            Effect::Tell(Told::Datagram(refused)) => {
                self.judge.refused += 1;
                self.story_fine(side, || format!("refuses a datagram: {refused}"));
            }
            Effect::Tell(told) => self.story(side, || format!("{told:?}")),
        }
    }
}

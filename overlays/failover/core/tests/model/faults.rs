//! What may happen next, and what may go wrong.

use geminios_failover_core::{Command, Decides, Event, Side};

use crate::world::{Next, SIDES, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// What comes next.
    Go,
    /// A client writes, or wants to.
    Write(Side),
    /// A person wants the other one to lead.
    HandOver(Side),
    PowerOn(Side),
    Thaw(Side),
    Mend(Side),
    MendWitness(Side),
    Late(usize),
    LateQuestion(usize),

    /// From here on all cost a fault. What comes next, but the power goes after so many actions of it.
    Cut(usize),
    PowerOff(Side),
    /// The agent dies, and starts again while PostgreSQL goes on.
    Agent(Side),
    Hang(Side),
    /// What is sent to this side is lost; or to both.
    Deafen(Side),
    CutCable,
    /// The message that comes next is lost; or comes later, perhaps twice.
    Lose,
    Delay,
    Twice,
    /// This side does not reach the witness; its question comes there later; its answer is lost.
    DeafenWitness(Side),
    DelayQuestion,
    FenceFails,
    Break(Side),
    Ahead(Side),
    /// A machine gives place to a new one with an empty disk.
    Replace(Side),
}

/// Steps that a write to the disk may be among: none has more actions.
const ACTIONS: usize = 5;

impl World {
    pub fn steps(&self, faults: bool) -> Vec<Step> {
        let mut steps = vec![Step::Go];
        let next = self.next();
        // What is no fault comes between two ticks: it is enough to find it at some moment of each.
        if next.is_none() {
            for side in SIDES {
                let machine = self.machine(side);
                if machine.serves() && self.writes < 2 {
                    steps.push(Step::Write(side));
                }
                if machine.node.is_none() {
                    steps.push(Step::PowerOn(side));
                }
                if machine.hung {
                    steps.push(Step::Thaw(side));
                }
                if !self.hears[side as usize] {
                    steps.push(Step::Mend(side));
                }
                if !self.witness.reached[side as usize] {
                    steps.push(Step::MendWitness(side));
                }
            }
            steps.extend((0..self.late.len()).map(Step::Late));
            steps.extend((0..self.late_asked.len()).map(Step::LateQuestion));
        }
        if !faults {
            return steps;
        }
        if let Some(Next::Arrives | Next::Witness | Next::Fence | Next::Told(_) | Next::Tick(_)) = next {
            steps.extend((0..ACTIONS).map(Step::Cut));
        }
        match next {
            Some(Next::Arrives) => steps.extend([Step::Lose, Step::Delay, Step::Twice]),
            Some(Next::Witness) => steps.push(Step::DelayQuestion),
            Some(Next::Fence) => steps.push(Step::FenceFails),
            _ => {}
        }
        if next.is_none() {
            if self.hears == [true; 2] {
                steps.push(Step::CutCable);
            }
            for side in SIDES {
                let machine = self.machine(side);
                if machine.node.is_some() {
                    steps.extend([Step::PowerOff(side), Step::Agent(side)]);
                    if !machine.hung {
                        steps.push(Step::Hang(side));
                    }
                    if !machine.broken {
                        steps.push(Step::Break(side));
                    }
                    if machine.serves() {
                        steps.push(Step::HandOver(side));
                    }
                }
                if self.hears[side as usize] {
                    steps.push(Step::Deafen(side));
                }
                if self.decides == Decides::Witness && self.witness.reached[side as usize] {
                    steps.push(Step::DeafenWitness(side));
                }
                if machine.ahead == 0 {
                    steps.push(Step::Ahead(side));
                }
                // With a leader that is alone goes what nobody else has.
                let last = machine.disk.record;
                if self.replaced.is_none() && !(last.alone && last.leader == side) {
                    steps.push(Step::Replace(side));
                }
            }
        }
        steps
    }

    pub fn take(&mut self, step: Step) {
        let costs = !matches!(
            step,
            Step::Go
                | Step::Write(_)
                | Step::PowerOn(_)
                | Step::Thaw(_)
                | Step::Mend(_)
                | Step::MendWitness(_)
                | Step::Late(_)
                | Step::LateQuestion(_)
        );
        self.faults += u8::from(costs);
        match step {
            Step::Go => self.go(None),
            Step::Write(side) => self.write(side),
            Step::HandOver(side) => self.command(side, Command::HandOver),
            Step::PowerOn(side) => self.power_on(side),
            Step::Thaw(side) => self.machine_mut(side).hung = false,
            Step::Mend(side) => self.hears[side as usize] = true,
            Step::MendWitness(side) => self.witness.reached[side as usize] = true,
            Step::Late(at) => {
                let (side, heartbeat) = self.late.remove(at);
                self.arrive(side, heartbeat, None);
            }
            Step::LateQuestion(at) => {
                let question = self.late_asked.remove(at);
                self.witnessed(question, None);
            }
            Step::Cut(count) => self.go(Some(count)),
            Step::PowerOff(side) => self.power_off(side),
            Step::Agent(side) => self.restart_agent(side),
            Step::Hang(side) => self.machine_mut(side).hung = true,
            Step::Deafen(side) => {
                self.hears[side as usize] = false;
            }
            Step::CutCable => self.hears = [false; 2],
            Step::Lose => {
                self.sent.remove(0);
            }
            Step::Delay => {
                let message = self.sent.remove(0);
                self.late.push(message);
            }
            Step::Twice => {
                let message = self.sent[0];
                self.late.push(message);
            }
            Step::DeafenWitness(side) => self.witness.reached[side as usize] = false,
            Step::DelayQuestion => {
                let question = self.asked.remove(0);
                self.late_asked.push(question);
            }
            Step::FenceFails => {
                let (from, boot) = self.fences.remove(0);
                if self.machine(from).boot == boot {
                    self.run(from, Event::Fenced(false), None);
                }
            }
            Step::Break(side) => self.machine_mut(side).broken = true,
            Step::Ahead(side) => self.machine_mut(side).ahead = 1,
            Step::Replace(side) => self.replace(side),
        }
    }
}

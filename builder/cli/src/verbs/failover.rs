use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::Serialize;

use super::status::phases;
use crate::args::site::Failover as Args;
use crate::report::{self, Report};
use crate::session::Session;
use crate::site::{Credentials, Node, Pair, Phase};

/// A leader's PostgreSQL stops within 20 s, or the hand-over is none.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

#[derive(Serialize)]
struct Done {
    from: String,
    to: String,
    epoch: u64,
    /// From the request until the other node was seen to serve.
    milliseconds: u128,
    /// As the node that leads now saw them.
    phases: Vec<Phase>,
}

/// Has the leader hand over, and waits until the other node serves.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    let credentials = Credentials::read(&args.site.credentials)?;
    let pair = Pair::ask(&args.site.node, args.site.other.as_deref(), &credentials)?;
    let (leader, other) = ready(&pair)?;
    session.terminal.say(&format!("asks {} to hand over to {}", leader.name, other.name));
    let begun = Instant::now();
    let epoch = leader.port.hand_over()?.epoch;
    let (epoch, phases) = wait(other, epoch, begun)?;
    let done = Done {
        from: leader.name.clone(),
        to: other.name.clone(),
        epoch,
        milliseconds: begun.elapsed().as_millis(),
        phases,
    };
    report::print(&done, session.global.format)
}

/// The leader, and the other one if it may lead next. The leader itself has the last word.
fn ready<'a, 'b>(pair: &'a Pair<'b>) -> Result<(&'a Node<'b>, &'a Node<'b>)> {
    for node in &pair.nodes {
        if let Err(trouble) = &node.seen {
            bail!(
                "{} gives no answer, so that nobody would see whether it leads: {trouble}\n  \
                 help: if only this host does not reach it, name it as this host does",
                node.name
            );
        }
    }
    let Some((leader, other)) = pair.leader() else {
        bail!(
            "no node leads now, so none can hand over\n  help: `geminios status` shows both; docs/two-nodes.md what decides then"
        );
    };
    for (node, wanted) in [(leader, "leader"), (other, "standby")] {
        if let Ok(seen) = &node.seen
            && seen.agent.role != wanted
        {
            bail!(
                "{} is {}: what was acknowledged may not be on {}, so it cannot lead\n  \
                 help: wait until `geminios status` says that it may lead next",
                node.name,
                seen.role(),
                other.name
            );
        }
    }
    Ok((leader, other))
}

/// The epoch in which the other node serves.
fn wait(other: &Node<'_>, epoch: u64, begun: Instant) -> Result<(u64, Vec<Phase>)> {
    let mut last = None;
    while begun.elapsed() < PATIENCE {
        match other.port.status() {
            Ok(seen) => {
                if let Some(serves) = seen.agent.serves.filter(|serves| *serves > epoch) {
                    return Ok((serves, seen.change().map(|change| change.phases()).unwrap_or_default()));
                }
                last = Some(seen.role().to_owned());
            }
            // Its port may hang while the role moves.
            Err(trouble) => last = Some(trouble.to_string()),
        }
        std::thread::sleep(POLL);
    }
    bail!(
        "{} does not lead after {} s: {}\n  help: `geminios status` tells who does; on the nodes: geminios-failover story",
        other.name,
        PATIENCE.as_secs(),
        last.unwrap_or_default()
    )
}

impl Report for Done {
    fn text(&self) -> String {
        let steps = match self.phases.is_empty() {
            true => String::new(),
            false => format!("  {}\n", phases(&self.phases)),
        };
        format!(
            "{} leads in epoch {}: {} ms after it was asked for\n{steps}",
            self.to, self.epoch, self.milliseconds
        )
    }
}

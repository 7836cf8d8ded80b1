//! What may be said of PostgreSQL.

use geminios_failover_core::Postgres;

use crate::{Lsn, Metrics, conf::Wait, plan::Server, sql::Answer};

/// That commits wait in this run of the server: one was seen to, and all before it is before this place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub started: String,
    pub from: Lsn,
}

/// Each commit waits for the standby, and it has all that was committed before.
pub(crate) fn covered(answer: &Answer, proof: Option<&Proof>, peer: &str) -> bool {
    let Some(proof) = proof.filter(|proof| proof.started == answer.started) else { return false };
    let Some(standby) = &answer.standby else { return false };
    !answer.recovery
        && answer.durable
        && Wait::of(&answer.names, peer) == Some(Wait::Peer)
        && standby.streams
        && standby.sync
        && standby.flushed >= proof.from
}

/// `was` is what was said before; `may_lead`: it was started or promoted to take writes.
pub(crate) fn postgres(
    server: Server,
    covered: bool,
    was: Option<Postgres>,
    may_lead: bool,
) -> Option<Postgres> {
    let primary = Postgres::Primary { covered: false };
    let standby = Postgres::Standby { streams: false };
    match (server, was) {
        (Server::Gone, _) => Some(Postgres::Stopped),
        (Server::Primary(_), _) => Some(Postgres::Primary { covered }),
        (Server::Standby(seen), _) => Some(Postgres::Standby { streams: seen.streams }),
        // Nobody knows what it is: the worst that it can be.
        (_, Some(Postgres::Primary { .. })) => Some(primary),
        (Server::Silent { .. }, Some(_)) if may_lead => Some(primary),
        (_, Some(_)) => Some(standby),
        // It was there before this driver, and what it is will be seen.
        (_, None) => None,
    }
}

pub(crate) fn metrics(answer: &Answer, peer: &str) -> Metrics {
    let standby = answer.standby.as_ref();
    let behind = if answer.recovery { Some(answer.replayed) } else { standby.map(|standby| standby.flushed) };
    Metrics {
        timeline: answer.timeline,
        end: answer.end,
        replayed: answer.replayed,
        standby_flushed: standby.map(|standby| standby.flushed),
        standby_replayed: standby.map(|standby| standby.replayed),
        lag: behind.map_or(0, |behind| answer.end.0.saturating_sub(behind.0)),
        sync: !answer.recovery
            && Wait::of(&answer.names, peer) == Some(Wait::Peer)
            && standby.is_some_and(|s| s.sync),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Standby;

    fn covering() -> (Answer, Proof) {
        let standby = Standby { streams: true, sync: true, flushed: Lsn(100), replayed: Lsn(0) };
        let answer = Answer {
            started: "now".into(),
            names: Wait::Peer.names("b"),
            durable: true,
            standby: Some(standby),
            ..Answer::default()
        };
        (answer, Proof { started: "now".into(), from: Lsn(100) })
    }

    #[test]
    fn covered_needs_all_of_it() {
        let (good, proof) = covering();
        assert!(covered(&good, Some(&proof), "b"));
        assert!(!covered(&good, None, "b"), "no commit was seen to wait");
        type Change = fn(&mut Answer);
        let wrong: [(&str, Change); 8] = [
            ("an earlier run", |a| a.started = "later".into()),
            ("it replays", |a| a.recovery = true),
            ("roles that do not wait", |a| a.durable = false),
            ("commits pass", |a| a.names = String::new()),
            ("any standby will do", |a| a.names = "*".into()),
            ("no standby", |a| a.standby = None),
            ("not synchronous", |a| a.standby.as_mut().unwrap().sync = false),
            ("it lacks a byte", |a| a.standby.as_mut().unwrap().flushed = Lsn(99)),
        ];
        for (what, spoil) in wrong {
            let mut answer = good.clone();
            spoil(&mut answer);
            assert!(!covered(&answer, Some(&proof), "b"), "{what}");
        }
    }

    #[test]
    fn who_does_not_answer_is_not_called_stopped() {
        let primary = Some(Postgres::Primary { covered: false });
        let standby = Some(Postgres::Standby { streams: false });
        for server in [Server::Silent { hung: true }, Server::Silent { hung: false }, Server::Unready] {
            assert_eq!(postgres(server, true, Some(Postgres::Primary { covered: true }), true), primary);
            assert_eq!(postgres(server, true, Some(Postgres::Standby { streams: true }), false), standby);
            assert_eq!(postgres(server, true, Some(Postgres::Stopped), false), standby);
            assert_eq!(postgres(server, true, None, false), None);
        }
        let promoted =
            postgres(Server::Silent { hung: false }, false, Some(Postgres::Standby { streams: true }), true);
        assert_eq!(promoted, primary);
    }
}

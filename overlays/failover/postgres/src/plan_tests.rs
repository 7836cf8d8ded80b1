use geminios_failover_core::Goal;

use crate::{
    Lsn, Stop,
    conf::Wait,
    job::Kind,
    leader::{Fork, Need},
    plan::{Data, Leading, Primary, Seen, Server, Standby, Step, plan},
};

const FOLLOW: Goal = Goal::Follow { epoch: 2 };
const ALONE: Goal = Goal::Lead { epoch: 2, sync: false };
const SYNC: Goal = Goal::Lead { epoch: 2, sync: true };
const FORK: Need = Need::Rewind { fork: Some(Fork { timeline: 1, from: Lsn(7) }) };

fn gone() -> Seen {
    Seen {
        server: Server::Gone,
        data: Data::Cluster { standby: true },
        job: None,
        stopping: None,
        leading: Leading::Unknown,
        ask_due: false,
    }
}

fn standby() -> Standby {
    Standby {
        streams: true,
        need: Need::Nothing,
        wait: Some(Wait::Strict),
        epoch: Some(2),
        strict: true,
        slot: false,
        promoted: false,
    }
}

fn as_standby(standby: Standby) -> Seen {
    Seen { server: Server::Standby(standby), ..gone() }
}

fn as_primary(wait: Wait, proven: bool) -> Seen {
    let primary = Primary { wait: Some(wait), epoch: Some(2), proven, ready: true };
    Seen { server: Server::Primary(primary), data: Data::Cluster { standby: false }, ..gone() }
}

#[test]
fn commits_wait_in_each_state_but_that_of_a_leader_alone() {
    let start = |goal, standby| plan(goal, &Seen { data: Data::Cluster { standby }, ..gone() });
    assert_eq!(start(SYNC, false), Step::Start { standby: false, wait: Wait::Strict, epoch: 2 });
    assert_eq!(start(SYNC, true), Step::Start { standby: true, wait: Wait::Strict, epoch: 2 });
    assert_eq!(start(ALONE, false), Step::Start { standby: false, wait: Wait::Nothing, epoch: 2 });
    let nobody = Seen { leading: Leading::Nobody, ..gone() };
    assert_eq!(plan(FOLLOW, &nobody), Step::Start { standby: true, wait: Wait::Strict, epoch: 2 });

    assert_eq!(plan(SYNC, &as_primary(Wait::Nothing, false)), Step::Configure(Wait::Strict, 2));
    assert_eq!(plan(SYNC, &as_primary(Wait::Strict, false)), Step::Prove);
    assert_eq!(plan(SYNC, &as_primary(Wait::Peer, false)), Step::Configure(Wait::Strict, 2));
    assert_eq!(plan(SYNC, &as_primary(Wait::Strict, true)), Step::Configure(Wait::Peer, 2));
    assert_eq!(plan(SYNC, &as_primary(Wait::Peer, true)), Step::Rest);
    assert_eq!(plan(ALONE, &as_primary(Wait::Peer, true)), Step::Configure(Wait::Nothing, 2));
}

#[test]
fn a_standby_is_promoted_to_wait_only_if_it_was_started_so() {
    assert_eq!(plan(SYNC, &as_standby(standby())), Step::Promote);
    assert_eq!(plan(SYNC, &as_standby(Standby { strict: false, ..standby() })), Step::Stop(Stop::Fast));
    let lax = Standby { wait: Some(Wait::Nothing), ..standby() };
    assert_eq!(plan(SYNC, &as_standby(lax)), Step::Stop(Stop::Fast));
    assert_eq!(plan(ALONE, &as_standby(lax)), Step::Promote);
    assert_eq!(plan(ALONE, &as_standby(standby())), Step::Configure(Wait::Nothing, 2));
    // Followers would not take its history.
    assert_eq!(
        plan(SYNC, &as_standby(Standby { epoch: Some(1), ..standby() })),
        Step::Configure(Wait::Strict, 2)
    );
}

#[test]
fn a_half_rewound_cluster_is_never_started() {
    let there = Leading::There { need: Need::Nothing, slot: true };
    for goal in [FOLLOW, ALONE, SYNC, Goal::Stopped { clean: false }, Goal::Stopped { clean: true }] {
        for leading in [Leading::Unknown, Leading::Nobody, there] {
            for ask_due in [false, true] {
                let step = plan(goal, &Seen { data: Data::HalfRewound, leading, ask_due, ..gone() });
                assert!(
                    !matches!(step, Step::Start { .. } | Step::Rewind(_) | Step::Promote),
                    "{goal:?} {leading:?} {step:?}"
                );
            }
        }
    }
    let copied = plan(FOLLOW, &Seen { data: Data::HalfRewound, leading: there, ..gone() });
    assert_eq!(copied, Step::Copy(Need::Nothing));
}

#[test]
fn only_the_first_leader_makes_a_cluster() {
    let missing = Seen { data: Data::Missing, ..gone() };
    assert_eq!(plan(Goal::Lead { epoch: 1, sync: false }, &missing), Step::InitDb);
    assert_eq!(plan(ALONE, &missing), Step::NoData);
    assert_eq!(plan(FOLLOW, &Seen { leading: Leading::Nobody, ..missing }), Step::Rest);
}

#[test]
fn data_is_changed_only_when_nothing_runs_and_the_leader_keeps_what_is_needed() {
    let there = |slot| Leading::There { need: FORK, slot };
    assert_eq!(plan(FOLLOW, &Seen { leading: there(true), ..gone() }), Step::Rewind(FORK));
    assert_eq!(plan(FOLLOW, &Seen { leading: there(false), ..gone() }), Step::Rest);
    for server in [Server::Unready, Server::Silent { hung: false }, Server::Silent { hung: true }] {
        let step = plan(FOLLOW, &Seen { server, leading: there(true), ..gone() });
        assert!(!matches!(step, Step::Rewind(_) | Step::Copy(_)), "{step:?}");
    }
    let forked = Standby { streams: false, need: FORK, ..standby() };
    assert_eq!(plan(FOLLOW, &as_standby(forked)), Step::Stop(Stop::Immediate));
}

#[test]
fn what_is_not_wanted_any_more_is_given_up() {
    for kind in [Kind::Rewind, Kind::Copy, Kind::InitDb, Kind::Ask] {
        let seen = Seen { job: Some((kind, 1)), leading: Leading::Nobody, ..gone() };
        assert_eq!(plan(Goal::Stopped { clean: true }, &seen), Step::Abandon);
        assert_eq!(plan(ALONE, &seen), Step::Abandon);
        let follow = plan(FOLLOW, &seen);
        assert_eq!(follow, if kind == Kind::Ask { Step::Rest } else { Step::Abandon }, "{kind:?}");
        let same = Seen { job: Some((kind, 2)), ..seen };
        assert_eq!(plan(FOLLOW, &same), if kind == Kind::InitDb { Step::Abandon } else { Step::Rest });
    }
    assert_eq!(plan(FOLLOW, &as_primary(Wait::Peer, true)), Step::Stop(Stop::Immediate));
    assert_eq!(
        plan(FOLLOW, &as_standby(Standby { promoted: true, ..standby() })),
        Step::Stop(Stop::Immediate)
    );
}

#[test]
fn a_stop_becomes_harder() {
    let stopping = |how, over| Seen { stopping: Some((how, over)), ..as_standby(standby()) };
    let clean = Goal::Stopped { clean: true };
    let at_once = Goal::Stopped { clean: false };
    let table = [
        (clean, Stop::Fast, false, Step::Rest),
        (clean, Stop::Fast, true, Step::Stop(Stop::Immediate)),
        (at_once, Stop::Fast, false, Step::Stop(Stop::Immediate)),
        (at_once, Stop::Immediate, false, Step::Rest),
        (at_once, Stop::Immediate, true, Step::Stop(Stop::Kill)),
        (at_once, Stop::Kill, true, Step::Stop(Stop::Kill)),
        // What has begun to stop cannot be had back.
        (SYNC, Stop::Fast, false, Step::Rest),
    ];
    for (goal, how, over, step) in table {
        assert_eq!(plan(goal, &stopping(how, over)), step, "{goal:?} {how:?} {over}");
    }
    assert_eq!(
        plan(SYNC, &Seen { server: Server::Silent { hung: true }, ..gone() }),
        Step::Stop(Stop::Immediate)
    );
}

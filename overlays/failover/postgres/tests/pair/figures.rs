//! Not tests: figures, printed. `cargo test -p geminios-failover-postgres figures -- --ignored --nocapture`

use std::{
    fs,
    thread::sleep,
    time::{Duration, Instant},
};

use geminios_failover_postgres::Goal;

use crate::node::{COVERED, PRIMARY, STREAMS, covered_pair};

/// Seconds of processor time of a process; 100 ticks each (proc_pid_stat(5)).
fn cpu(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest: Vec<_> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(String::from).collect();
    let ticks = |at: usize| rest.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

#[test]
#[ignore = "figures"]
fn figures_of_a_calm_pair_and_of_a_promotion() {
    let Some((_site, mut a, mut b)) = covered_pair() else { return };
    for node in [&mut a, &mut b] {
        node.settings.limits.poll = Duration::from_millis(200);
        node.begin();
    }
    a.aim(Goal::Lead { epoch: 1, sync: true });
    b.aim(Goal::Follow { epoch: 1 });
    a.until(COVERED);
    b.until(STREAMS);
    sleep(Duration::from_secs(3));
    let sql = "select string_agg(pid::text, ' ') from pg_stat_activity where application_name = 'geminios_failover'";
    let backends = a.sql(sql);
    let total = || backends.split(' ').map(cpu).sum::<f64>();
    let (begun, drivers, server) = (Instant::now(), cpu("self"), total());
    sleep(Duration::from_secs(60));
    let share = |seconds: f64| 100.0 * seconds / begun.elapsed().as_secs_f64();
    println!(
        "two drivers {:.2} % of a core, a's session {:.2} %",
        share(cpu("self") - drivers),
        share(total() - server)
    );

    a.driver = None;
    a.kill();
    let begun = Instant::now();
    b.aim(Goal::Lead { epoch: 2, sync: false });
    b.until(PRIMARY);
    println!("promoted and said so after {:?}", begun.elapsed());
    b.sql("insert into t values (1)");
    println!("first commit of psql after {:?}", begun.elapsed());
    a.begin();
    let begun = Instant::now();
    a.aim(Goal::Follow { epoch: 2 });
    a.until(STREAMS);
    println!("rewound and streaming after {:?}", begun.elapsed());
    let begun = Instant::now();
    b.aim(Goal::Lead { epoch: 2, sync: true });
    b.until(COVERED);
    println!("covered after {:?}", begun.elapsed());
}

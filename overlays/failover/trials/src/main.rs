//! The command: runs trials and prints their figures. Inside a node it is the first process too, what the agent runs when the leader
//! changes, and what commits; beside Patroni it is the client.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use geminios_failover_trials::options::numbers;
use geminios_failover_trials::round::{round, tell};
use geminios_failover_trials::site::Site;
use geminios_failover_trials::table::{Row, table};
use geminios_failover_trials::{bmc, commits, cost, detour, follow, init, patroni, scenario, usage, writer};

const HELP: &str = "\
Trials of the failover agent on this machine, with all that it really drives. Needs root.

usage: failover-trials run [--rounds N] [--stories] [--keep] [TRIAL...]
       failover-trials list
       failover-trials idle [--seconds N]
       failover-trials cost [--rounds N] [--seconds N]
       failover-trials patroni [--rounds N] [--seconds N] [LEASE...]

Each trial is done N times [default: 1], all of one sort at one site, and its steps are printed with --stories; --keep keeps the
site's folder. After each site, what the checker says of its history; in the end a table of figures. Exit status: 0 all is as wanted; 1 something failed, or took longer.

idle tells what each program uses, over N seconds [default: 60] in which nobody writes. cost writes with the standby and without it, N seconds
[default: 10] of each kind. patroni does the like with Patroni, etcd and PostgreSQL as this host's packages have them, and needs no image.

  GEMINIOS_TRIALS_IMAGE    a built image: its .img, root.erofs, or a folder. Without it x86-edge is built
  GEMINIOS_TRIALS_CHECKER  a built checker. Without it the image's Go compiles one
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let plain: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match plain.as_slice() {
        ["init"] => init::run().map(|()| true),
        ["follow", rest @ ..] => follow::run(rest).map(|()| true),
        ["detour", rest @ ..] => detour::run(rest).map(|()| true),
        ["power-off"] => bmc::off().map(|()| true),
        ["list"] => {
            scenario::all().iter().for_each(|scenario| say(scenario.name));
            Ok(true)
        }
        ["run", rest @ ..] => run(rest),
        ["idle", rest @ ..] => idle(rest).map(|()| true),
        ["cost", rest @ ..] => replication(rest).map(|()| true),
        ["patroni", rest @ ..] => patroni::run(rest, &say),
        ["write", rest @ ..] => writer::run(rest).map(|()| true),
        ["commits", rest @ ..] => commits::run(rest).map(|took| {
            say(took.trim_end());
            true
        }),
        _ => {
            say(HELP);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "failover-trials: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<bool> {
    let (mut rounds, mut stories, mut keep, mut names) = (1, false, false, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--rounds" => {
                rounds = words.next().and_then(|n| n.parse().ok()).context("--rounds wants a number")?
            }
            "--stories" => stories = true,
            "--keep" => keep = true,
            option if option.starts_with('-') => bail!("there is no option `{option}`"),
            name => names.push(name.to_owned()),
        }
    }
    let mut all = Vec::new();
    for (sort, scenarios) in scenario::by_site(&scenario::named(&names)?) {
        let mut site = Site::up(sort)?;
        let mut rows = Vec::new();
        let tried = trials(&mut site, &scenarios, rounds, stories, &mut rows);
        all.append(&mut rows);
        if let Err(error) = tried {
            say(&table(&all));
            bail!("{error:#}\nall of it is in {}", site.keep().display());
        }
        let load = site.load.take().context("there is no client")?;
        match load.judge(&site.network) {
            Ok(report) => say(&report),
            Err(error) => {
                say(&table(&all));
                bail!("{error:#}\nall of it is in {}", site.keep().display());
            }
        }
        if keep {
            say(&format!("all of it is in {}", site.keep().display()));
        }
    }
    say(&table(&all));
    Ok(all.iter().all(Row::is_good))
}

fn idle(words: &[&str]) -> Result<()> {
    let ([seconds], rest) = numbers(words, [("--seconds", 60)])?;
    nothing_more(&rest)?;
    let usages = usage::of_idle_site(Duration::from_secs(seconds as u64))?;
    say(&usage::table(&usages));
    Ok(())
}

fn replication(words: &[&str]) -> Result<()> {
    let ([rounds, seconds], rest) = numbers(words, [("--rounds", 1), ("--seconds", 10)])?;
    nothing_more(&rest)?;
    say(&cost::table(&cost::measure(rounds, seconds, &say)?));
    Ok(())
}

fn nothing_more(words: &[&str]) -> Result<()> {
    words.first().map_or(Ok(()), |word| bail!("`{word}` is no option"))
}

/// A round that fails ends all: the site may not be whole any more.
fn trials(
    site: &mut Site,
    scenarios: &[scenario::Scenario],
    rounds: usize,
    stories: bool,
    rows: &mut Vec<Row>,
) -> Result<()> {
    for scenario in scenarios {
        rows.push(Row { scenario: *scenario, gaps: Vec::new(), failures: 0 });
        let Some(row) = rows.last_mut() else { continue };
        for number in 1..=rounds {
            match round(site, scenario) {
                Ok(round) => {
                    say(&format!(
                        "{} {number}: {} ms; {:?} led; {}",
                        scenario.name, round.gap, round.leader, round.phases
                    ));
                    if stories {
                        say(&tell(&round.story, round.begun));
                    }
                    row.gaps.push(round.gap);
                }
                Err(error) => {
                    row.failures += 1;
                    return Err(error.context(format!("{} {number}", scenario.name)));
                }
            }
        }
    }
    Ok(())
}

/// A reader that went away, such as `head`, is no failure.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

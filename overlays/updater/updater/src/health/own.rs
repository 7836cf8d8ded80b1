//! The checks that come with the program: they ask what the components' own tools say.

use std::time::Duration;

use crate::machine::{Command, Host, Outcome};

/// Written to once a round. In the database that every cluster has, so that Kine's backups do not have it.
const WRITE: &str = "DO $$ BEGIN IF NOT pg_is_in_recovery() THEN \
    CREATE TABLE IF NOT EXISTS geminios_health (one boolean PRIMARY KEY DEFAULT true CHECK (one), at timestamptz); \
    INSERT INTO geminios_health (at) VALUES (now()) ON CONFLICT (one) DO UPDATE SET at = now(); \
    END IF; END $$";
const ADMIN: &str = "/var/lib/kubernetes/admin.conf";
const NODE: &str = "/var/lib/kubernetes/node.env";

fn said(outcome: &Outcome) -> Result<&str, String> {
    if outcome.is_success() { Ok(outcome.stdout.trim()) } else { Err(outcome.told()) }
}

/// The start is over, and no unit has failed. The timer's runs are not asked: a device without a link is healthy.
pub fn units(host: &Host, timeout: Duration) -> Result<(), String> {
    let systemctl =
        |arguments: &[&str]| host.commands.run(&Command::new("systemctl", timeout).args(arguments));
    let state = systemctl(&["is-system-running"]);
    match state.stdout.trim() {
        // Degraded is what the list of failed units says in full.
        "running" | "degraded" => {}
        "initializing" | "starting" => {
            let jobs = systemctl(&["list-jobs", "--no-legend", "--plain"]);
            let mut units = jobs.stdout.lines().filter_map(|line| line.split_ascii_whitespace().nth(1));
            let next = units.next().map_or(String::new(), |unit| format!("; {unit} is waited for"));
            return Err(format!("the system is still starting{next}"));
        }
        "" => return Err(format!("systemctl is-system-running: {}", state.told())),
        other => return Err(format!("the system is in state {other}")),
    }
    let failed = systemctl(&["list-units", "--failed", "--no-legend", "--plain"]);
    let names = said(&failed)?.lines().filter_map(|line| line.split_ascii_whitespace().next());
    let names: Vec<&str> = names.filter(|name| *name != "geminios-update.service").collect();
    if names.is_empty() { Ok(()) } else { Err(format!("failed: {}", names.join(", "))) }
}

/// A write is on the disk. A standby may not write; that it answers is enough.
pub fn postgresql(host: &Host, timeout: Duration) -> Result<(), String> {
    let limit = timeout.as_millis();
    let options = format!("-c client_min_messages=warning -c statement_timeout={limit}");
    let psql = Command::new("psql", timeout)
        .args(&["--no-psqlrc", "--quiet", "--no-password", "--host=/run/postgresql", "--username=postgres"])
        .args(&["--dbname=postgres", "--command", WRITE])
        .env("PGOPTIONS", options)
        .env("PGCONNECT_TIMEOUT", "10");
    let outcome = host.commands.run(&psql);
    if outcome.is_success() { Ok(()) } else { Err(outcome.told_first()) }
}

fn kubectl(timeout: Duration) -> Command {
    let limit = format!("--request-timeout={}s", timeout.as_secs().max(1));
    Command::new("kubectl", timeout)
        .arg(format!("--kubeconfig={ADMIN}"))
        .arg(limit)
        .env("HOME", "/run/geminios")
}

pub fn apiserver(host: &Host, timeout: Duration) -> Result<(), String> {
    let outcome = host.commands.run(&kubectl(timeout).args(&["get", "--raw=/readyz"]));
    match said(&outcome)? {
        "ok" => Ok(()),
        _ => Err(outcome.told()),
    }
}

/// Ready, and as this boot's kubelet says: for a while the API still has what the last one said.
pub fn node(host: &Host, timeout: Duration) -> Result<(), String> {
    let read =
        |path: &str| std::fs::read_to_string(host.paths.at(path)).map_err(|error| format!("{path}: {error}"));
    let settings = read(NODE)?;
    let name = settings.lines().find_map(|line| line.strip_prefix("NODE_NAME="));
    let name = name.ok_or_else(|| format!("{NODE} has no NODE_NAME"))?.trim_matches('"');
    let boot = read("/proc/sys/kernel/random/boot_id")?;
    let wanted = "jsonpath={.status.nodeInfo.bootID} {.status.conditions[?(@.type==\"Ready\")].status} \
        {.status.conditions[?(@.type==\"Ready\")].message}";
    let outcome = host.commands.run(&kubectl(timeout).args(&["get", "node", name, "--output", wanted]));
    let mut words = said(&outcome)?.splitn(3, ' ');
    let (boot_there, ready, message) = (words.next(), words.next(), words.next().unwrap_or("").trim());
    if boot_there != Some(boot.trim()) {
        return Err(format!("the kubelet of node {name} has not reported since the start"));
    }
    match ready {
        Some("True") => Ok(()),
        _ => Err(format!("node {name} is not Ready: {message}")),
    }
}

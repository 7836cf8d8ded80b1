//! What goes wrong, and how it is mended.

mod disk;
mod fence;
mod machine;
mod network;
mod process;
mod trust;

use anyhow::{Result, bail};

use crate::network::Host;
use crate::site::Site;
use crate::sort::Sort;

/// A fault at a site that is whole. Afterwards it is mended, and the site has to be whole again by itself.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub site: Sort,
    pub expects: Expects,
    /// Milliseconds to the first acknowledged write that are wanted: median and 99th percentile.
    pub wanted: Option<(u64, u64)>,
    pub fault: fn(&mut Site, Host) -> Result<()>,
    pub mend: fn(&mut Site, Host) -> Result<()>,
}

/// Who leads after the fault, before it is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    Other,
    Same,
    /// As it comes.
    Any,
    /// Nobody: nothing is acknowledged until it is mended.
    Nobody,
}

const LOST: Option<(u64, u64)> = Some((6000, 10_000));
const DIED: Option<(u64, u64)> = Some((3000, 10_000));

fn kill(site: &mut Site, host: Host, unit: &str) -> Result<()> {
    site.node(host).0.order(&format!("kill {unit}")).map(drop)
}

fn cut(site: &mut Site, host: Host) -> Result<()> {
    let (node, network) = site.node(host);
    node.power_cut(network)
}

fn on(site: &mut Site, host: Host) -> Result<()> {
    let (node, network) = site.node(host);
    node.power_on(network)
}

fn nothing(_: &mut Site, _: Host) -> Result<()> {
    Ok(())
}

fn heal(site: &mut Site, _: Host) -> Result<()> {
    site.network.lose(&[])
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Scenario> {
    [machine::ALL, process::ALL, network::ALL, trust::ALL, disk::ALL, fence::ALL].concat()
}

/// Those of these names, or all.
///
/// # Errors
/// There is none of that name.
pub fn named(names: &[String]) -> Result<Vec<Scenario>> {
    if names.is_empty() {
        return Ok(all());
    }
    let find = |name: &String| match all().into_iter().find(|scenario| scenario.name == name.as_str()) {
        Some(scenario) => Ok(scenario),
        None => bail!("there is no trial `{name}`\n  help: `failover-trials list` names them"),
    };
    names.iter().map(find).collect()
}

/// Those of each sort of site together, in their order.
#[must_use]
pub fn by_site(scenarios: &[Scenario]) -> Vec<(Sort, Vec<Scenario>)> {
    let of =
        |sort: Sort| scenarios.iter().filter(|scenario| scenario.site == sort).copied().collect::<Vec<_>>();
    Sort::ALL.into_iter().map(|sort| (sort, of(sort))).filter(|(_, some)| !some.is_empty()).collect()
}

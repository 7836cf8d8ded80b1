//! Verbs of a site that runs: they ask the management port of its nodes.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Site {
    /// A node of the pair: HOST or HOST:PORT, by a name or address that is in its certificate; port 7443 if not given
    #[arg(value_name = "NODE")]
    pub node: String,
    /// The other one, where this host reaches it. Without it: where the first one says that it is
    #[arg(value_name = "OTHER")]
    pub other: Option<String>,
    /// Folder with ca.crt, the site's authority, and client.crt and client.key, which it knows you by
    #[arg(long, value_name = "DIR", env = "GEMINIOS_CREDENTIALS")]
    pub credentials: PathBuf,
}

/// Show which node of a pair leads, what the other one has, and how the last change of the leader went.
///
/// Whole is a site whose leader has each commit on both nodes, and whose other node may lead next. Anything else is told
/// in the last line, and the exit status is 1 then. The certificate's Organization has to be geminios:viewers or
/// geminios:operators.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub site: Site,
}

/// Let the other node of a pair lead, as before work on the one that leads.
///
/// Asks the leader, whichever of the two it is, to hand over, and waits until the other one serves. Nothing acknowledged is
/// lost, and writes wait for about half a second. Refused unless the other node has everything. The certificate's
/// Organization has to be geminios:operators.
#[derive(Debug, Args)]
pub struct Failover {
    #[command(flatten)]
    pub site: Site,
}

//! What `--check` prints. Pure.

use crate::catalog::{self, Authority, Place};
use crate::clock::{UnixTime, date};
use crate::node::Node;
use crate::plan::{Step, plan};
use crate::state::Found;
use crate::{certificate, kubeconfig};

/// The end of every certificate, what is due, and what is refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub lines: Vec<String>,
    pub is_due: bool,
}

/// Compares what is there with what `node` must have.
pub fn check(found: &Found, node: &Node, now: UnixTime) -> Listing {
    let plan = plan(found, node, now);
    let of = |path: &str, certificate: Option<Vec<u8>>| {
        let read = certificate.as_deref().and_then(certificate::read);
        let until = read.map(|read| date(read.tbs_certificate.validity.not_after));
        format!("{path}: {}", until.map_or("no certificate".into(), |until| format!("valid until {until}")))
    };
    let plain = |path: &str| found.bytes(path).map(<[u8]>::to_vec);
    let mut lines: Vec<String> = Authority::ALL
        .iter()
        .map(|authority| of(authority.certificate(), plain(authority.certificate())))
        .collect();
    for leaf in catalog::leaves(node, found.clients()) {
        let path = leaf.place.path();
        lines.push(match leaf.place {
            Place::Pair { .. } => of(path, plain(path)),
            Place::Kubeconfig(_) => {
                of(path, found.bytes(path).and_then(|bytes| kubeconfig::parse(bytes).certificate))
            }
        });
    }
    lines.extend(plan.steps.iter().map(|step: &Step| format!("due: {step}")));
    lines.extend(plan.refusals.iter().cloned());
    Listing { lines, is_due: !plan.steps.is_empty() || !plan.refusals.is_empty() }
}

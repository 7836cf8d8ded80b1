use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::cluster::Cluster;

/// Somebody who writes to a cluster without pause, and remembers what it acknowledged.
pub struct Writer {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<BTreeMap<String, u64>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Begins to create objects whose names begin with `prefix`.
    pub fn start(cluster: Arc<Cluster>, prefix: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(Mutex::new(BTreeMap::new()));
        let (stopped, seen, prefix) = (Arc::clone(&stop), Arc::clone(&acknowledged), prefix.to_owned());
        let thread = std::thread::spawn(move || {
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let name = format!("{prefix}-{number}");
                let value = format!("--from-literal=value={name}");
                let version = "-o=jsonpath={.metadata.resourceVersion}";
                let answer = cluster.kubectl(&[
                    "create",
                    "configmap",
                    &name,
                    &value,
                    version,
                    "--request-timeout=20s",
                ]);
                match answer.map(|version| version.parse()) {
                    Ok(Ok(version)) => drop(seen.lock().map(|mut seen| seen.insert(name, version))),
                    // Not acknowledged: it may be there or not.
                    _ => std::thread::sleep(Duration::from_millis(500)),
                }
            }
        });
        Writer { stop, acknowledged, thread: Some(thread) }
    }

    /// How many writes were acknowledged until now.
    pub fn count(&self) -> usize {
        self.acknowledged.lock().map(|seen| seen.len()).unwrap_or_default()
    }

    /// Waits for a number of acknowledged writes.
    ///
    /// # Errors
    /// They do not come.
    pub fn until(&self, count: usize) -> Result<()> {
        for _ in 0..1800 {
            if self.count() >= count {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        bail!("only {} of {count} writes were acknowledged", self.count())
    }

    /// Stops; gives each acknowledged write and the resourceVersion that it got.
    pub fn finish(mut self) -> BTreeMap<String, u64> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        self.acknowledged.lock().map(|seen| seen.clone()).unwrap_or_default()
    }
}

/// Checks that every acknowledged write is there as it was acknowledged; gives the highest resourceVersion of all.
///
/// # Errors
/// One is missing or another; with its name.
pub fn verify(cluster: &Cluster, acknowledged: &BTreeMap<String, u64>) -> Result<u64> {
    let list = cluster.until(&["get", "configmaps", "-o=json"])?;
    let list: serde_json::Value = serde_json::from_str(&list)?;
    let mut found = BTreeMap::new();
    for item in list["items"].as_array().into_iter().flatten() {
        let name = item["metadata"]["name"].as_str().unwrap_or_default();
        let version: u64 = item["metadata"]["resourceVersion"].as_str().unwrap_or_default().parse()?;
        found.insert(
            name.to_owned(),
            (version, item["data"]["value"].as_str().unwrap_or_default().to_owned()),
        );
    }
    for (name, version) in acknowledged {
        let kept = found.get(name);
        ensure!(
            kept == Some(&(*version, name.clone())),
            "{name} was acknowledged with resourceVersion {version}; there is {kept:?}"
        );
    }
    let probe = cluster.until(&["get", "--raw=/api/v1/namespaces/default/configmaps?limit=1"])?;
    let probe: serde_json::Value = serde_json::from_str(&probe)?;
    let present: u64 = probe["metadata"]["resourceVersion"].as_str().unwrap_or_default().parse()?;
    let highest = acknowledged.values().max().copied().unwrap_or_default();
    ensure!(present >= highest, "resourceVersion went back from {highest} to {present}");
    Ok(present)
}

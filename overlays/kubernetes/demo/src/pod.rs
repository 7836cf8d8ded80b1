//! Who this is.

/// The pod's name: POD_NAME if the pod's description sets it, else the host name, which Kubernetes sets to the same.
pub fn name() -> String {
    let given = std::env::var("POD_NAME").ok();
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    given.or_else(host).map_or_else(|| "nobody".to_owned(), |name| name.trim().to_owned())
}

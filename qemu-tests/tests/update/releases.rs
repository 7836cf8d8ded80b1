//! What releases of these tests bring, most of it bad, each in its own way.

use geminios_qemu_tests::Change;

/// Data that Kine keeps, in two versions of which the later knows an older schema.
pub const DATA: Change<'_> =
    Change { name: "test-data", files: &[], programs: &[], units: &[], more: "\n[data]\nkine-schema = 2\n" };
pub const LATER_DATA: Change<'_> =
    Change { name: "test-later-data", more: "\n[data]\nkine-schema = 1\n", ..DATA };

/// Nobody wants to wait for a minute of health in each story. What is healthy on a busy host must not be given up.
pub const QUICK: Change<'_> = Change {
    name: "test-quick",
    files: &[("etc/geminios/health.toml", "settle = \"5s\"\ndeadline = \"15m\"\n")],
    programs: &[],
    units: &[],
    more: "",
};

/// Starts, but a check of its owner's never passes; instead of [`QUICK`], as it need not wait for what will never be.
pub const UNHEALTHY: Change<'_> = Change {
    name: "test-unhealthy",
    files: &[
        ("etc/geminios/health.toml", "settle = \"5s\"\ndeadline = \"2m\"\n"),
        ("etc/geminios/health.d/pump", "#!/bin/sh\necho 'the pump does not answer'\nexit 1\n"),
    ],
    programs: &["etc/geminios/health.d/pump"],
    units: &[],
    more: "",
};

/// The kernel panics while the system starts.
pub const PANICKING: Change<'_> = Change {
    name: "test-panicking",
    files: &[(
        "usr/lib/systemd/system/test-panicking.service",
        "[Unit]\nDefaultDependencies=no\nAfter=local-fs.target\n[Service]\nType=oneshot\n\
         ExecStart=/bin/sh -c 'echo c >/proc/sysrq-trigger'\n[Install]\nWantedBy=sysinit.target\n",
    )],
    programs: &[],
    units: &["test-panicking.service"],
    more: "",
};

/// The kernel stands still for ever, and nobody feeds the watchdog.
pub const HANGING: Change<'_> = Change {
    name: "test-hanging",
    files: &[(
        "usr/lib/systemd/system/test-hanging.service",
        "[Unit]\nDefaultDependencies=no\nAfter=local-fs.target\n[Service]\nType=oneshot\n\
         ExecStart=/bin/sh -c 'echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger'\n\
         [Install]\nWantedBy=sysinit.target\n",
    )],
    programs: &[],
    units: &["test-hanging.service"],
    more: "",
};

/// As [`HANGING`], but before systemd, which feeds the watchdog, has begun.
pub const HANGING_EARLY: Change<'_> = Change {
    name: "test-hanging-early",
    files: &[("usr/sbin/init", "#!/bin/sh\nwhile :; do sleep 1000; done\n")],
    programs: &["usr/sbin/init"],
    units: &[],
    more: "\n[[replace]]\npath = \"/usr/sbin/init\"\nreason = \"a test\"\n",
};

/// The API server does not start.
pub const NO_API: Change<'_> = Change {
    name: "test-no-api",
    files: &[
        ("etc/geminios/health.toml", "settle = \"5s\"\ndeadline = \"2m\"\n"),
        (
            "usr/lib/systemd/system/kube-apiserver.service.d/50-test.conf",
            "[Service]\nExecStart=\nExecStart=/usr/bin/false\n",
        ),
    ],
    programs: &[],
    units: &[],
    more: "",
};

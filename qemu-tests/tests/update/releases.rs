//! What releases of these tests bring, most of it bad, each in its own way.

use geminios_qemu_tests::Change;

/// Data that Kine keeps, in two versions of which the later knows an older schema.
pub const DATA: Change<'_> =
    Change { name: "test-data", files: &[], programs: &[], units: &[], more: "\n[data]\nkine-schema = 2\n" };
pub const LATER_DATA: Change<'_> =
    Change { name: "test-later-data", more: "\n[data]\nkine-schema = 1\n", ..DATA };

/// Nobody wants to wait for a minute of health in each story, nor a quarter of an hour for a bad version to be given up.
pub const QUICK: Change<'_> = Change {
    name: "test-quick",
    files: &[("etc/geminios/health.toml", "settle = \"5s\"\ndeadline = \"3m\"\n")],
    programs: &[],
    units: &[],
    more: "",
};

/// Starts, but a check of its owner's never passes.
pub const UNHEALTHY: Change<'_> = Change {
    name: "test-unhealthy",
    files: &[("etc/geminios/health.d/pump", "#!/bin/sh\necho 'the pump does not answer'\nexit 1\n")],
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

/// Everything that is not of real-time priority stands still, PID 1 too, and nobody feeds the watchdog.
pub const HANGING: Change<'_> = Change {
    name: "test-hanging",
    files: &[
        (
            "usr/lib/systemd/system/test-hanging.service",
            "[Unit]\nDefaultDependencies=no\nAfter=local-fs.target\n[Service]\n\
             ExecStart=/usr/lib/geminios/test-hanging\n[Install]\nWantedBy=multi-user.target\n",
        ),
        (
            "usr/lib/geminios/test-hanging",
            "#!/bin/sh\necho -1 >/proc/sys/kernel/sched_rt_runtime_us\nfor cpu in 1 2 3 4; do\n\
             chrt --fifo 99 sh -c 'while :; do :; done' &\ndone\nwait\n",
        ),
    ],
    programs: &["usr/lib/geminios/test-hanging"],
    units: &["test-hanging.service"],
    more: "",
};

/// The API server does not start.
pub const NO_API: Change<'_> = Change {
    name: "test-no-api",
    files: &[(
        "usr/lib/systemd/system/kube-apiserver.service.d/50-test.conf",
        "[Service]\nExecStart=\nExecStart=/usr/bin/false\n",
    )],
    programs: &[],
    units: &[],
    more: "",
};

use geminios_model::TreePath;

use super::inside;

#[test]
fn links_lead_into_the_set() {
    let cases = [
        ("/usr/bin/ld", "ld.lld-19", "ld.lld-19"),
        ("/usr/bin/ld", "../lib/llvm-19/bin/lld", "../lib/llvm-19/bin/lld"),
        ("/usr/bin/awk", "/etc/alternatives/awk", "../../etc/alternatives/awk"),
        ("/vmlinuz", "/boot/vmlinuz", "boot/vmlinuz"),
        ("/usr/bin/x", "../../../../etc/passwd", "../../etc/passwd"),
        ("/usr/bin/x", "/../../etc/passwd", "../../etc/passwd"),
        ("/usr/bin/x", "/usr/../../bin/sh", "../../bin/sh"),
        ("/usr/bin/x", "s/../../lib/y", "../lib/y"),
        ("/x", "..", "."),
        ("/x", "/", "."),
    ];
    for (link, target, expected) in cases {
        assert_eq!(inside(&TreePath::new(link).unwrap(), target), expected, "{link} -> {target}");
    }
}

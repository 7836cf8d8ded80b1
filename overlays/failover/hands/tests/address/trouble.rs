//! What goes wrong at the interface, is said, and is over again.

use std::sync::mpsc::channel;
use std::time::Duration;

use geminios_failover_hands::address::Uplink;

use crate::node::{Node, parse};
use crate::sandbox::{ip, lan, plug, run, within};
use crate::sniffer::Sniffer;
use crate::{BOTH, until};

fn addresses() -> usize {
    let shown = ip("-n a -o addr show");
    ["10.9.0.100/32", "fd09::100/128"].iter().filter(|address| shown.contains(**address)).count()
}

/// Waits until the node says this of itself, or nothing.
fn says(node: &mut Node, what: &str) {
    until(what, || {
        let trouble = node.ask("trouble");
        if what.is_empty() { trouble.is_empty() } else { trouble.contains(what) }
    });
}

#[test]
fn an_interface_that_was_down_has_them_again() {
    run("trouble::an_interface_that_was_down_has_them_again", || {
        lan(&["a"]);
        let mut sniffer = Sniffer::new();
        let mut a = Node::start("a", BOTH);
        assert_eq!(a.ask("hold 1"), "held");
        ip("-n a link set eth0 down");
        says(&mut a, "interface eth0 is down: ip link set eth0 up");
        sniffer.listen(Duration::from_millis(50));
        ip("-n a link set eth0 up");
        says(&mut a, "");
        until("both addresses", || addresses() == 2);
        until("announcements", || !sniffer.drain().is_empty());

        ip("link set port-a down");
        says(&mut a, "interface eth0 has no carrier");
        sniffer.drain();
        ip("link set port-a up");
        says(&mut a, "");
        until("announcements", || !sniffer.drain().is_empty());
    });
}

#[test]
fn a_hold_while_the_interface_is_gone_is_made_good() {
    run("trouble::a_hold_while_the_interface_is_gone_is_made_good", || {
        lan(&["a"]);
        let mut a = Node::start("a", BOTH);
        ip("-n a link del eth0");
        assert_eq!(
            a.ask("hold 1"),
            "there is no interface eth0; there are none but lo: name the right one in the site file, or plug it in"
        );
        plug("a");
        says(&mut a, "");
        until("both addresses", || addresses() == 2);

        ip("-n a link set eth0 down");
        ip("-n a link set eth0 name lan0");
        says(&mut a, "there is no interface eth0; there are lan0");
        // While it has another name, a drop finds it all the same.
        a.ask("drop");
        assert_eq!(addresses(), 0);
        ip("-n a link set lan0 name eth0");
        ip("-n a link set eth0 up");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(addresses(), 0, "what was dropped stays away");
    });
}

#[test]
fn a_new_hardware_address_is_announced() {
    run("trouble::a_new_hardware_address_is_announced", || {
        lan(&["a"]);
        let mut sniffer = Sniffer::new();
        let mut a = Node::start("a", BOTH);
        assert_eq!(a.ask("hold 1"), "held");
        ip("-n a link set eth0 address 02:00:00:00:09:09");
        let mut seen = Vec::new();
        until("both addresses at the new one", || {
            seen.extend(sniffer.drain().into_iter().filter(|one| one.mac == "02:00:00:00:09:09"));
            ["10.9.0.100", "fd09::100"].iter().all(|at| seen.iter().any(|one| one.address == parse(at)))
        });
    });
}

#[test]
fn what_somebody_takes_off_is_put_back() {
    run("trouble::what_somebody_takes_off_is_put_back", || {
        lan(&["a"]);
        let mut a = Node::start("a", BOTH);
        assert_eq!(a.ask("hold 1"), "held");
        ip("-n a addr del 10.9.0.100/32 dev eth0");
        ip("-n a addr del fd09::100/128 dev eth0");
        until("both addresses", || addresses() == 2);
    });
}

#[test]
fn the_uplink_tells_of_its_carrier() {
    run("trouble::the_uplink_tells_of_its_carrier", || {
        lan(&["a"]);
        let (sender, changes) = channel();
        let uplink = within("a", || Uplink::watch("eth0", move |up| sender.send(up).unwrap()).unwrap());
        let next = || changes.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(next() && uplink.carrier());
        ip("link set port-a down");
        assert!(!next() && !uplink.carrier());
        ip("link set port-a up");
        assert!(next());
        ip("-n a link del eth0");
        assert!(!next());
        plug("a");
        assert!(next());
    });
}

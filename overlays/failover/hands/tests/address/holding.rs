//! What is held, and by whom; what is let go of.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::node::{Node, parse};
use crate::sandbox::{ip, lan, run, within};
use crate::sniffer::Sniffer;
use crate::{BOTH, until};

fn has(node: &str, address: &str) -> bool {
    ip(&format!("-n {node} -o addr show")).contains(&format!("{address}/"))
}

#[test]
fn all_forms_are_sent_again_and_again() {
    run("holding::all_forms_are_sent_again_and_again", || {
        lan(&["a"]);
        let mut sniffer = Sniffer::new();
        let mut a = Node::start("a", BOTH);
        assert_eq!(a.ask("hold 1"), "held");
        assert!(!ip("-n a -o addr show").contains("100/128 scope global tentative"), "usable at once");
        let mut seen = Vec::new();
        // At 0, 100, 300, 1000 and 2000 ms; each is seen at two ports of the bridge and at the bridge itself.
        until("three announcements", || {
            seen.extend(sniffer.drain());
            seen.iter().filter(|one| one.form == "advertisement").count() >= 3 * 2
        });
        for form in ["request", "reply"] {
            assert!(seen.iter().filter(|one| one.form == form).all(|one| one.address == parse("10.9.0.100")));
            assert!(seen.iter().filter(|one| one.form == form).count() >= 2 * 2, "{form}");
        }
        let advertised = seen.iter().filter(|one| one.form == "advertisement");
        assert!(advertised.clone().all(|one| one.address == parse("fd09::100")));
    });
}

#[test]
fn nothing_is_announced_after_a_drop() {
    run("holding::nothing_is_announced_after_a_drop", || {
        lan(&["a"]);
        let mut sniffer = Sniffer::new();
        let mut a = Node::start("a", BOTH);
        for round in 0..24 {
            assert_eq!(a.ask(&format!("hold {}", round + 1)), "held");
            // Up to and around the times at which the thread sends.
            std::thread::sleep(Duration::from_millis(round * 15));
            assert!(a.ask("drop").starts_with("Ended"));
            assert!(!sniffer.drain().is_empty(), "it announced before");
            assert!(!has("a", "10.9.0.100") && !has("a", "fd09::100"));
            assert_eq!(sniffer.listen(Duration::from_millis(400)), []);
        }
    });
}

#[test]
fn an_older_epoch_gets_nothing() {
    run("holding::an_older_epoch_gets_nothing", || {
        lan(&["a"]);
        let mut a = Node::start("a", BOTH);
        assert_eq!(a.ask("hold 5"), "held");
        assert_eq!(a.ask("hold 4"), "epoch 4 is over: epoch 5 had the addresses since");
        assert!(has("a", "10.9.0.100"), "epoch 5 has them still");
        assert_eq!(a.ask("hold 5"), "held");
        a.ask("drop");
        assert_eq!(a.ask("hold 4"), "epoch 4 is over: epoch 5 had the addresses since");
        assert!(!has("a", "10.9.0.100") && !has("a", "fd09::100"));
        assert_eq!(a.ask("hold 5"), "held", "a leader may cease to serve for a while");
        assert!(has("a", "10.9.0.100") && has("a", "fd09::100"));
    });
}

#[test]
fn what_a_killed_agent_left_is_removed_first() {
    run("holding::what_a_killed_agent_left_is_removed_first", || {
        lan(&["a"]);
        let mut first = Node::start("a", BOTH);
        assert_eq!(first.ask("hold 1"), "held");
        first.kill();
        assert!(has("a", "10.9.0.100") && has("a", "fd09::100"), "nobody removed them");
        let second = Node::start("a", BOTH);
        assert!(!has("a", "10.9.0.100") && !has("a", "fd09::100"));
        assert!(has("a", "10.9.0.1") && has("a", "fd09::1"), "the node's own stay");
        second.kill();
    });
}

#[test]
fn what_was_left_is_known_by_its_mark_too() {
    run("holding::what_was_left_is_known_by_its_mark_too", || {
        lan(&["a"]);
        let mut first = Node::start("a", BOTH);
        assert_eq!(first.ask("hold 1"), "held");
        first.kill();
        // The site's address was changed since, and the interface was renamed.
        ip("-n a link set eth0 down");
        ip("-n a link set eth0 name lan0");
        ip("-n a link set lan0 up");
        assert!(has("a", "10.9.0.100"));
        let second = Node::start("a", "10.9.0.200/32");
        assert!(!has("a", "10.9.0.100") && !has("a", "fd09::100"));
        assert!(has("a", "10.9.0.1"));
        second.kill();
    });
}

#[test]
fn the_nodes_own_address_in_the_same_subnet_stays() {
    run("holding::the_nodes_own_address_in_the_same_subnet_stays", || {
        lan(&["a"]);
        let mut a = Node::start("a", "10.9.0.100/24 fd09::100/64");
        assert_eq!(a.ask("hold 1"), "held");
        a.ask("drop");
        assert!(has("a", "10.9.0.1") && has("a", "fd09::1") && !has("a", "10.9.0.100"));
    });
}

#[test]
fn the_nodes_own_connections_do_not_come_from_it() {
    run("holding::the_nodes_own_connections_do_not_come_from_it", || {
        lan(&["a", "client"]);
        let mut a = Node::start("a", "10.9.0.100/24 fd09::100/64");
        assert_eq!(a.ask("hold 1"), "held");
        let listener = within("client", || TcpListener::bind("[::]:0").unwrap());
        let port = listener.local_addr().unwrap().port();
        for (to, from) in [("10.9.0.2", "10.9.0.1"), ("fd09::2", "fd09::1")] {
            let to = SocketAddr::new(parse(to), port);
            let local = within("a", move || TcpStream::connect(to).unwrap().local_addr().unwrap());
            assert_eq!(local.ip(), parse(from));
        }
    });
}

#[test]
fn one_that_is_there_already_is_taken_over_in_peace() {
    run("holding::one_that_is_there_already_is_taken_over_in_peace", || {
        lan(&["a"]);
        let mut a = Node::start("a", BOTH);
        // Not by an agent, and one of them with another prefix length.
        ip("-n a addr add 10.9.0.100/32 dev eth0");
        ip("-n a addr add fd09::100/64 dev eth0 nodad");
        assert_eq!(a.ask("hold 1"), "held");
        let shown = ip("-n a -o addr show");
        assert!(shown.contains("10.9.0.100/32") && shown.contains("fd09::100/128"), "{shown}");
        // An agent that adds what is there is told of the change, and would add it again, without end.
        let mut sniffer = Sniffer::new();
        let seen = sniffer.listen(Duration::from_millis(800)).len();
        assert!(seen <= 3 * 2 * 3, "three times at most: {seen}");
        a.ask("drop");
        assert!(!has("a", "10.9.0.100") && !has("a", "fd09::100"));
    });
}

use super::*;

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// `eth0 192.168.1.5` is a port with its cable; `!` marks no carrier and `~` an interface without a device.
fn present(text: &str) -> Vec<Address> {
    let parse = |word: &str| {
        let (interface, address) = word.trim().split_once(' ').unwrap();
        let name = interface.trim_start_matches(['!', '~']).to_owned();
        let physical = !interface.contains('~') && name != "lo" && name != FALLBACK_INTERFACE;
        Address { interface: name, ip: ip(address), carrier: !interface.contains('!'), physical }
    };
    text.split(',').filter(|word| !word.trim().is_empty()).map(parse).collect()
}

/// Waits 20 s while the looks show one after the other, then the last one; returns the choice and the pauses made.
fn waited(previous: &str, looks: &[&str]) -> (Option<Choice>, usize) {
    waited_while(Offline::Running, previous, looks)
}

fn waited_while(offline: Offline, previous: &str, looks: &[&str]) -> (Option<Choice>, usize) {
    let (mut at, mut pauses) = (0, 0);
    let look = || {
        at += 1;
        Ok(present(looks[at.min(looks.len()) - 1]))
    };
    let previous = Some(previous).filter(|text| !text.is_empty()).map(ip);
    let choice = wait(previous, offline, Duration::from_secs(20), look, |_| pauses += 1).unwrap();
    (choice, pauses)
}

#[test]
fn a_port_with_an_address_is_taken_at_once() {
    let carried = |text| (Some(Choice::Carried(ip(text))), 0);
    assert_eq!(waited("", &["lo 127.0.0.1, eth0 192.168.1.5"]), carried("192.168.1.5"));
    assert_eq!(waited("", &["!eth0 192.168.1.5, eth1 192.168.2.5"]), carried("192.168.2.5"));
    assert_eq!(waited("", &["~wg0 10.9.0.2, eth1 192.168.2.5"]), carried("192.168.2.5"));
    assert_eq!(waited("", &["node0 198.18.0.1, eth0 10.0.0.9"]), carried("10.0.0.9"));
}

#[test]
fn addresses_of_the_node_itself_and_of_pods_do_not_count() {
    let inner = "lo 127.0.0.1, ~cni0 10.42.0.1, ~flannel.1 10.42.0.0, ~dns0 169.254.20.10, ~docker0 172.17.0.1, \
                 ~veth1 192.168.9.9, ~dummy0 192.168.9.8, eth0 169.254.3.4, eth1 10.42.7.7, eth2 10.43.0.1, eth3 0.0.0.0";
    assert_eq!(waited("", &[inner]), (None, 80));
}

#[test]
fn dhcp_is_waited_for() {
    let looks = ["lo 127.0.0.1", "lo 127.0.0.1", "lo 127.0.0.1, eth0 192.168.1.5"];
    assert_eq!(waited("", &looks), (Some(Choice::Carried(ip("192.168.1.5"))), 2));
}

#[test]
fn the_previous_address_is_kept_while_an_interface_has_it() {
    let kept = |pauses| (Some(Choice::Carried(ip("192.168.2.5"))), pauses);
    assert_eq!(waited("192.168.2.5", &["eth0 192.168.1.5, eth1 192.168.2.5"]), kept(0));
    assert_eq!(waited("192.168.2.5", &["eth0 192.168.1.5, !~br0 192.168.2.5"]), kept(0));
    // The other port is faster; that changes nothing.
    assert_eq!(waited("192.168.2.5", &["eth0 192.168.1.5", "eth0 192.168.1.5, eth1 192.168.2.5"]), kept(1));
}

#[test]
fn another_address_is_taken_when_the_previous_one_stays_away() {
    assert_eq!(waited("192.168.2.5", &["eth0 192.168.1.5"]), (Some(Choice::Carried(ip("192.168.1.5"))), 80));
}

#[test]
fn a_bridge_is_taken_if_no_port_has_an_address() {
    assert_eq!(waited("", &["~br0 192.168.1.5"]), (Some(Choice::Carried(ip("192.168.1.5"))), 80));
}

#[test]
fn without_a_network_the_previous_address_stays_and_else_the_fallback() {
    let nothing = "lo 127.0.0.1, node0 198.18.0.1";
    assert_eq!(waited("192.168.1.5", &[nothing]), (Some(Choice::Previous(ip("192.168.1.5"))), 80));
    assert_eq!(waited("", &[nothing]), (Some(Choice::Fallback(ip("198.18.0.1"))), 80));
    assert_eq!(waited("198.18.0.1", &[nothing]), (Some(Choice::Fallback(ip("198.18.0.1"))), 80));
}

#[test]
fn a_machine_that_starts_without_a_network_takes_the_address_that_is_there() {
    let starting = |looks| waited_while(Offline::Starting, "192.168.1.5", looks);
    assert_eq!(starting(&["node0 198.18.0.1"]), (Some(Choice::Fallback(ip("198.18.0.1"))), 80));
    assert_eq!(starting(&["lo 127.0.0.1"]), (Some(Choice::Previous(ip("192.168.1.5"))), 80));
    assert_eq!(
        starting(&["node0 198.18.0.1, eth0 192.168.1.5"]),
        (Some(Choice::Carried(ip("192.168.1.5"))), 0)
    );
}

#[test]
fn the_fallback_gives_way_to_a_network_at_once() {
    let looks = ["node0 198.18.0.1, eth0 192.168.1.5"];
    assert_eq!(waited("198.18.0.1", &looks), (Some(Choice::Carried(ip("192.168.1.5"))), 0));
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
)

// settings say who is who; both nodes have them.
type settings struct {
	Listen  string `json:"listen"`  // address and port
	Metrics string `json:"metrics"` // for this machine alone
	Agent   string `json:"agent"`   // the socket on which the failover agent takes no `lead`
	Node    string `json:"node"`    // names as Kubernetes has them
	Peer    peer   `json:"peer"`
}

type peer struct {
	Node    string `json:"node"`
	Address string `json:"address"` // where this program is on the other node
}

func readSettings(path string) (settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return settings{}, err
	}
	set := settings{Listen: ":7443", Metrics: "127.0.0.1:7444", Agent: "/run/geminios-management/agent"}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&set); err != nil {
		return set, fmt.Errorf("%s: %w", path, err)
	}
	// Were the two names exchanged, this node would call itself off.
	if own := os.Getenv("NODE_NAME"); own != "" && own != set.Node {
		return set, fmt.Errorf("%s: node is %s, but Kubernetes calls this one %s", path, set.Node, own)
	}
	if err := set.check(); err != nil {
		return set, fmt.Errorf("%s: %w", path, err)
	}
	return set, nil
}

func (s settings) check() error {
	for _, given := range []struct{ name, value string }{{"node", s.Node}, {"peer.node", s.Peer.Node}, {"peer.address", s.Peer.Address}} {
		if given.value == "" {
			return fmt.Errorf("%s is missing", given.name)
		}
	}
	if s.Node == s.Peer.Node {
		return fmt.Errorf("node and peer.node are both %s", s.Node)
	}
	if _, _, err := net.SplitHostPort(s.Peer.Address); err != nil {
		return fmt.Errorf("peer.address: %w", err)
	}
	// Whoever reads metrics is not asked who they are.
	if at, err := netip.ParseAddrPort(s.Metrics); err != nil || !at.Addr().IsLoopback() {
		return fmt.Errorf("metrics: %s is no address of this machine alone, such as 127.0.0.1:7444", s.Metrics)
	}
	return nil
}

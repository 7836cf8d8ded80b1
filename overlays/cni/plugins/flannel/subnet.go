package main

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// subnet is what flanneld says in its file.
type subnet struct {
	network netip.Prefix // of all nodes
	node    netip.Prefix
	mtu     int
	masq    bool // flanneld masquerades
}

func readSubnet(path string) (s subnet, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("flanneld's subnet: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "FLANNEL_NETWORK":
			s.network, err = netip.ParsePrefix(value)
		case "FLANNEL_SUBNET":
			s.node, err = netip.ParsePrefix(value)
		case "FLANNEL_MTU":
			s.mtu, err = strconv.Atoi(value)
		case "FLANNEL_IPMASQ":
			s.masq, err = strconv.ParseBool(value)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %s: %w", path, key, err)
		}
	}
	if !s.network.IsValid() || !s.node.IsValid() || s.mtu == 0 {
		return s, fmt.Errorf("%s: FLANNEL_NETWORK, FLANNEL_SUBNET or FLANNEL_MTU is missing", path)
	}
	return s, nil
}

// delegate is the configuration of the plugin that does the work. What the administrator set in `delegate` stays.
func delegate(conf config, s subnet) object {
	delegated := object{
		"type":      "bridge",
		"isGateway": true,
		"mtu":       s.mtu,
		"ipMasq":    !s.masq,
	}
	for key, value := range conf.Delegate {
		delegated[key] = value
	}
	delegated["name"] = conf.Name
	delegated["cniVersion"] = conf.CNIVersion
	if conf.RuntimeConfig != nil {
		delegated["runtimeConfig"] = conf.RuntimeConfig
	}
	delegated["ipam"] = object{
		"type":   "host-local",
		"ranges": [][]object{{{"subnet": s.node.Masked().String()}}},
		"routes": []object{{"dst": s.network.Masked().String()}},
	}
	return delegated
}

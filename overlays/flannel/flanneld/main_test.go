package main

import (
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	const all = "--kubeconfig flannel.conf --node-name n1 --net-config net-conf.json"
	for _, c := range []struct{ args, want string }{
		{all, ""},
		{all + " --iface eth0", ""},
		{"--version", ""},
		{"--help", "help requested"},
		{"--node-name n1 --net-config net-conf.json", "--kubeconfig is missing"},
		{"--kubeconfig flannel.conf --net-config net-conf.json", "--node-name is missing"},
		{"--kubeconfig flannel.conf --node-name n1", "--net-config is missing"},
		{all + " eth0", `"eth0" is not a flag`},
		{all + " --etcd-prefix x", "not defined: -etcd-prefix"},
	} {
		_, err := parse(strings.Fields(c.args), &strings.Builder{})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("flanneld %s: %v, want %q", c.args, err, c.want)
		}
	}
}

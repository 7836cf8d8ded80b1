package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const written = "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"

func TestDelegate(t *testing.T) {
	const ipam = `"ipam":{"ranges":[[{"subnet":"10.42.3.0/24"}]],"routes":[{"dst":"10.42.0.0/16"}],"type":"host-local"}`
	for _, c := range []struct{ conf, want string }{
		{
			`{"cniVersion":"1.0.0","name":"cbr0","type":"flannel","delegate":{"hairpinMode":true,"isDefaultGateway":true}}`,
			`{"cniVersion":"1.0.0","hairpinMode":true,"ipMasq":false,` + ipam + `,"isDefaultGateway":true,"isGateway":true,"mtu":1450,"name":"cbr0","type":"bridge"}`,
		},
		{
			`{"cniVersion":"1.1.0","name":"pods","type":"flannel","delegate":{"mtu":1300,"ipMasq":true}}`,
			`{"cniVersion":"1.1.0","ipMasq":true,` + ipam + `,"isGateway":true,"mtu":1300,"name":"pods","type":"bridge"}`,
		},
	} {
		conf, err := parse([]byte(c.conf))
		if err != nil {
			t.Fatal(err)
		}
		subnet, err := readSubnet(file(t, written))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(delegate(conf, subnet))
		if string(got) != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.conf, got, c.want)
		}
	}
}

func TestSubnetFileRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "is missing"},
		{strings.Replace(written, "FLANNEL_MTU", "MTU", 1), "is missing"},
		{strings.Replace(written, "/24", "", 1), "FLANNEL_SUBNET"},
		{strings.Replace(written, "1450", "x", 1), "FLANNEL_MTU"},
	} {
		if _, err := readSubnet(file(t, c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	if _, err := readSubnet("/nonexistent"); err == nil || !strings.Contains(err.Error(), "flanneld's subnet") {
		t.Error(err)
	}
}

func file(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "subnet.env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

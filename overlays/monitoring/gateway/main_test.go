package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	all := "--cert a --key b --client-ca c --kubeconfig d"
	for _, c := range []struct {
		args string
		want string // of the error; empty: none
	}{
		{all + " --node-ip 192.0.2.1", ""},
		{all + " --node-ip 192.0.2.1 --listen 127.0.0.1:1", ""},
		{all, "--node-ip is missing"},
		{all + " --node-ip edge", "is not an address"},
		{"--cert a", "--key is missing"},
		{all + " --node-ip 192.0.2.1 serve", `"serve" is not a flag`},
		{"--insecure", "not defined: -insecure"},
	} {
		_, err := parse(strings.Fields(c.args), io.Discard)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("monitoring-gateway %s: %v, want %q", c.args, err, c.want)
		}
	}
}

// kubeconfig as geminios-bootstrap writes it.
func kubeconfig(ca, certificate, key []byte) string {
	encoded := base64.StdEncoding.EncodeToString
	return fmt.Sprintf(`apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: %s
    server: https://127.0.0.1:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: geminios:monitor
  name: geminios:monitor@kubernetes
current-context: geminios:monitor@kubernetes
kind: Config
users:
- name: geminios:monitor
  user:
    client-certificate-data: %s
    client-key-data: %s
`, encoded(ca), encoded(certificate), encoded(key))
}

func TestAKubeconfigIsReadOrRefusedWithoutTellingItsKey(t *testing.T) {
	authority := newAuthority(t)
	pair := authority.issue(wish{name: monitor})
	ca, certificate, key := encode("CERTIFICATE", authority.certificate.Raw), encode("CERTIFICATE", pair.Certificate[0]), authority.encodeKey(pair.PrivateKey)
	whole := kubeconfig(ca, certificate, key)
	for _, c := range []struct{ text, want string }{
		{whole, ""},
		{strings.Replace(whole, "users:", "people:", 1), "1 clusters and 0 users"},
		{kubeconfig(nil, certificate, key), "certificate-authority-data: holds no certificate"},
		{kubeconfig(ca, certificate, authority.encodeKey(authority.key)), "private key does not match"},
		{whole[:len(whole)-20], "YAML"},
		{"\tclient-key-data: c2VjcmV0", "is no YAML"},
		{"", "0 clusters"},
	} {
		path := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		own, err := readKubeconfig(path)
		if c.want == "" {
			if err != nil || own.server != "https://127.0.0.1:6443" || own.certificate.Leaf.Subject.CommonName != monitor {
				t.Errorf("%v %v", own.server, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestItServesTellsSystemdAndEnds(t *testing.T) {
	folder := t.TempDir()
	authority := newAuthority(t)
	file := func(name string, text []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	server, client := authority.issue(wish{name: "monitoring", isServer: true}), authority.issue(wish{name: monitor})
	ca := encode("CERTIFICATE", authority.certificate.Raw)
	opts := options{
		listen:      "127.0.0.1:0",
		certificate: file("crt", encode("CERTIFICATE", server.Certificate[0])),
		key:         file("key", authority.encodeKey(server.PrivateKey)),
		clientCA:    file("ca", ca),
		kubeconfig:  file("conf", []byte(kubeconfig(ca, encode("CERTIFICATE", client.Certificate[0]), authority.encodeKey(client.PrivateKey)))),
		nodeIP:      "192.0.2.1",
	}
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(folder, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(folder, "notify"))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, opts) }()
	buffer := make([]byte, 64)
	if n, _ := socket.Read(buffer); string(buffer[:n]) != "READY=1" {
		t.Fatalf("%q", buffer[:n])
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	opts.clientCA = opts.key
	if err := run(ctx, opts); err == nil || !strings.Contains(err.Error(), "--client-ca: ") {
		t.Fatal(err)
	}
}

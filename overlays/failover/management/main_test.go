package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                          "",
		"--folder a --state b":      "",
		"serve":                     `"serve" is not a flag`,
		"--insecure":                "not defined: -insecure",
		"--kubeconfig":              "needs an argument",
		"--folder a --kubeconfig b": "",
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("geminios-site %s: %v, want %q", args, err, want)
		}
	}
}

func TestSettings(t *testing.T) {
	whole := `{"node":"node-a","peer":{"node":"node-b","address":"192.0.2.12:7443"}`
	for text, want := range map[string]string{
		whole + "}": "",
		whole + `,"listen":"192.0.2.11:7443","metrics":"[::1]:7444","agent":"/a"}`: "",
		whole + `,"metrics":"192.0.2.11:7444"}`:                                    "is no address of this machine alone",
		whole + `,"lead":true}`:                                                    `unknown field "lead"`,
		whole:                                                                      "unexpected EOF",
		`{"peer":{"node":"b","address":"b:1"}}`:                                    "node is missing",
		`{"node":"a","peer":{"node":"b"}}`:                                         "peer.address is missing",
		`{"node":"a","peer":{"node":"a","address":"b:1"}}`:                         "are both a",
		`{"node":"a","peer":{"node":"b","address":"192.0.2.12"}}`:                  "peer.address: ",
	} {
		path := filepath.Join(t.TempDir(), "settings.json")
		write(t, path, []byte(text))
		_, err := readSettings(path)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestSettingsOfTheOtherNode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	write(t, path, []byte(`{"node":"node-a","peer":{"node":"node-b","address":"192.0.2.12:7443"}}`))
	t.Setenv("NODE_NAME", "node-a")
	if _, err := readSettings(path); err != nil {
		t.Error(err)
	}
	t.Setenv("NODE_NAME", "node-b")
	if _, err := readSettings(path); err == nil || !strings.Contains(err.Error(), "node is node-a, but Kubernetes calls this one node-b") {
		t.Error(err)
	}
}

func TestAKubeconfigThatCannotBeUsedIsRefusedWithoutTellingItsKey(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "certificate-authority-data: holds no certificate",
		"    client-key-data: c2VjcmV0": "certificate-authority-data: ",
	} {
		path := filepath.Join(t.TempDir(), "kubeconfig")
		write(t, path, []byte(text))
		if _, err := openKubernetes(path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func freePort(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestItServesTellsSystemdAndEnds(t *testing.T) {
	folder, authority, asked := t.TempDir(), newAuthority(t, "hut"), newFakeAgent(t)
	authority.place(folder, authority.issue(wish{name: "node-a", isServer: true}))
	port, metrics := freePort(t), freePort(t)
	write(t, filepath.Join(folder, "settings.json"), fmt.Appendf(nil, `{"listen":%q,"metrics":%q,"agent":%q,"node":"node-a","peer":{"node":"node-b","address":"192.0.2.12:7443"}}`,
		port, metrics, asked.path))
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(folder, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(folder, "notify"))
	opts := options{folder: folder, state: t.TempDir(), kubeconfig: newFakeCluster(t).kubeconfig}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, opts) }()
	buffer := make([]byte, 64)
	if n, _ := socket.Read(buffer); string(buffer[:n]) != "READY=1" {
		t.Fatalf("%q", buffer[:n])
	}
	status, page := ask(http.DefaultClient, "GET", "http://"+metrics+"/metrics", "")
	for _, line := range []string{"geminios_failover_leads 1\n", "\ngeminios_management_certificate_expiry_timestamp_seconds{certificate=\"node\"} "} {
		if status != 200 || !strings.Contains(page, line) {
			t.Errorf("%d, no %q in:\n%s", status, line, page)
		}
	}
	asked.say("metrics", `{"error":"the agent is ending"}`)
	if status, page := ask(http.DefaultClient, "GET", "http://"+metrics+"/metrics", ""); status != 503 {
		t.Error(status, page)
	}
	if status, _ := ask(http.DefaultClient, "POST", "http://"+metrics+"/v1/hand-over", ""); status != 404 {
		t.Error(status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	other := newAuthority(t, "elsewhere")
	other.place(folder, other.issue(wish{name: "node-a", isServer: true}))
	write(t, filepath.Join(folder, "ca.crt"), encode("CERTIFICATE", authority.certificate.Raw))
	if err := run(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "is not of the authority in ca.crt") {
		t.Fatal(err)
	}
}

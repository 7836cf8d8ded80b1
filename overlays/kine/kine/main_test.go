package main

import (
	"errors"
	"flag"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const database = "postgres://kine@/kine?host=/run/postgresql"

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args string
		want string // of the error; empty: none
	}{
		{"--endpoint " + database, ""},
		{"--endpoint " + database + " --listen unix:///run/k.sock --metrics 127.0.0.1:2381", ""},
		{"--endpoint " + database + " --metrics [::1]:2381", ""},
		{"--version", ""},
		{"", "--endpoint must begin with postgres://"},
		{"--endpoint mysql://kine:secret@/kine", "--endpoint must begin with postgres://"},
		{"--endpoint " + database + " --listen tcp://127.0.0.1:2379", "must be unix:// and an absolute path"},
		{"--endpoint " + database + " --listen unix://kine.sock", "must be unix:// and an absolute path"},
		{"--endpoint " + database + " --metrics 0.0.0.0:2381", "must be a loopback address"},
		{"--endpoint " + database + " --metrics :2381", "must be a loopback address"},
		{"--endpoint " + database + " --metrics 127.0.0.1", "missing port"},
		{"--endpoint " + database + " serve", `"serve" is not a flag`},
		{"--debug", "not defined: -debug"},
	} {
		_, err := parse(strings.Fields(c.args), nil)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("kine %s: %v, want %q", c.args, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("kine %s: tells the password: %v", c.args, err)
		}
	}
}

func TestHelp(t *testing.T) {
	var help strings.Builder
	if _, err := parse([]string{"--help"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	for _, name := range []string{"-endpoint database", "-listen socket", "-metrics address", "-version"} {
		if !strings.Contains(help.String(), name) {
			t.Errorf("no %s in:\n%s", name, help.String())
		}
	}
}

func TestListenReplacesOnlyAStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kine.sock")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(path); err == nil || !strings.Contains(err.Error(), "served by another process") {
		t.Fatal("a served socket was taken:", err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	listener, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Fatal("mode", info.Mode(), err)
	}
	listener.Close()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(path); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Fatal("a file was removed:", err)
	}
}

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := notify("READY=1"); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 64)
	if n, _ := conn.Read(buffer); string(buffer[:n]) != "READY=1" {
		t.Fatalf("%q", buffer[:n])
	}
}

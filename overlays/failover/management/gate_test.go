package main

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWhoMayDoWhat(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		group, method, path string
		status              int
		says                string
	}{
		{viewers, "GET", "/v1/status", 200, `{"node":"node-a","peer":{"node":"node-b","address":"192.0.2.12:7443"},"agent":{"at":90000,"me":"a","role":"leader"`},
		{viewers, "GET", "/v1/story", 200, `[{"at":5,"what":"serves in epoch 3"}]`},
		{viewers, "GET", "/v1/metrics", 200, "geminios_failover_leads 1\n"},
		{operators, "GET", "/v1/status", 200, `"role":"leader"`},
		{viewers, "POST", "/v1/hand-over", 403, `{"error":"\"ann\" may not do this","help":"it takes a certificate whose Organization is one of [\"geminios:operators\"]"}`},
		{"", "GET", "/v1/status", 403, "may not"},
		{"system:masters", "GET", "/v1/status", 403, "may not"},
		{operators, "GET", "/v1/hand-over", 405, `"only POST"`},
		{operators, "POST", "/v1/status", 405, `"only GET"`},
		{operators, "HEAD", "/v1/status", 405, ""},
		{operators, "POST", "/v1/lead", 404, `"there is no such path"`},
		{operators, "GET", "/v1/status/", 404, "no such path"},
		{operators, "GET", "/", 404, "no such path"},
		{operators, "POST", "/v1/hand-over", 202, `{"begun":true,"epoch":3}`},
	} {
		status, body := ask(b.of(c.group), c.method, b.url+c.path, "")
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%q %s %s: %d %q, want %d %q", c.group, c.method, c.path, status, body, c.status, c.says)
		}
	}
	if count := b.agent.count("hand-over"); count != 1 {
		t.Error("hand-over was asked for", count, "times")
	}
	if said := b.journal.String(); !strings.Contains(said, `hand-over asked by "ann": begun in epoch 3`) {
		t.Error(said)
	}
}

func TestNobodyGetsInWithoutAGoodCertificate(t *testing.T) {
	b := newBench(t)
	stranger, twin := newAuthority(t, "elsewhere"), newAuthority(t, "hut")
	for _, c := range []struct {
		who   string
		pairs []tls.Certificate
		says  string
	}{
		{"nobody", nil, "certificate required"},
		{"of another site", []tls.Certificate{stranger.issue(wish{name: "ann", group: operators})}, "certificate required"},
		{"of an authority that calls itself the same", []tls.Certificate{twin.issue(wish{name: "ann", group: operators})}, "unknown certificate authority"},
		{"expired", []tls.Certificate{b.authority.issue(wish{name: "ann", group: operators, isExpired: true})}, "expired certificate"},
		{"a server's", []tls.Certificate{b.authority.issue(wish{name: "node-b", group: operators, isServer: true})}, "bad certificate"},
	} {
		if status, said := ask(b.client(c.pairs...), "POST", b.url+"/v1/hand-over", ""); status != 0 || !strings.Contains(said, c.says) {
			t.Errorf("%s: %d %q, want %q", c.who, status, said, c.says)
		}
	}
	if count := b.agent.count("hand-over"); count != 0 {
		t.Error("hand-over was asked for", count, "times")
	}
}

func TestOnlyTLS13(t *testing.T) {
	b := newBench(t)
	config := b.config(b.authority.issue(wish{name: "ann", group: viewers}))
	config.MaxVersion = tls.VersionTLS12
	if _, err := tls.Dial("tcp", b.address, config); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Error(err)
	}
	if status, said := ask(http.DefaultClient, "GET", "http://"+b.address+"/v1/status", ""); status != 400 && status != 0 {
		t.Error(status, said)
	}
}

func TestACertificateThatEndsWhileAConnectionLivesIsRefused(t *testing.T) {
	b := newBench(t)
	client := b.of(operators)
	if status, _ := ask(client, "GET", b.url+"/v1/status", ""); status != 200 {
		t.Fatal(status)
	}
	b.gate.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if status, said := ask(client, "GET", b.url+"/v1/status", ""); status != 401 || !strings.Contains(said, "expired") {
		t.Error(status, said)
	}
}

func TestCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	b := newBench(t)
	old := b.of(viewers)
	if status, _ := ask(old, "GET", b.url+"/v1/status", ""); status != 200 {
		t.Fatal(status)
	}
	before := b.authority
	b.authority = newAuthority(t, "hut")
	// One file after the other: what does not fit together is not taken.
	write(t, filepath.Join(b.folder, "ca.crt"), encode("CERTIFICATE", b.authority.certificate.Raw))
	if status, said := ask(old, "GET", b.url+"/v1/status", ""); status != 200 {
		t.Error(status, said)
	}
	if said := b.journal.String(); !strings.Contains(said, "goes on with the certificates it has") || !strings.Contains(said, "is not of the authority in ca.crt") {
		t.Error(said)
	}
	b.authority.place(b.folder, b.authority.issue(wish{name: "node-a", isServer: true}))
	if status, said := ask(b.of(viewers), "GET", b.url+"/v1/status", ""); status != 200 {
		t.Error(status, said)
	}
	// On the connection that it has, and on a new one.
	if status, said := ask(old, "GET", b.url+"/v1/status", ""); status != 401 {
		t.Error(status, said)
	}
	both := append(encode("CERTIFICATE", b.authority.certificate.Raw), encode("CERTIFICATE", before.certificate.Raw)...)
	write(t, filepath.Join(b.folder, "ca.crt"), both)
	if status, said := ask(old, "GET", b.url+"/v1/status", ""); status != 200 {
		t.Error("while both authorities are in the file:", status, said)
	}
	write(t, filepath.Join(b.folder, "ca.crt"), encode("CERTIFICATE", b.authority.certificate.Raw))
	b.authority = before
	if status, said := ask(b.of(viewers), "GET", b.url+"/v1/status", ""); status != 0 {
		t.Error(status, said)
	}
	if err := os.Remove(filepath.Join(b.folder, "node.key")); err != nil {
		t.Fatal(err)
	}
	if b.gate.identities.get().pair.Leaf == nil {
		t.Error("a file that is gone took the certificate with it")
	}
}

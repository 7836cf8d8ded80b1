package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal is a log that tests read.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// bench is a gateway on a port of loopback.
type bench struct {
	t         *testing.T
	authority *authority
	url       string
	journal   *journal
}

func newBench(t *testing.T, sources ...upstream) *bench {
	b := &bench{t: t, authority: newAuthority(t), journal: &journal{}}
	log.SetOutput(b.journal)
	denied := newSparse(log.New(b.journal, "", 0))
	pages := newPages(sources, []expiry{{"server", time.Unix(1900000000, 0)}})
	pair := b.authority.issue(wish{name: "monitoring", isServer: true})
	server := newServer(pair, denied, newGate(b.authority.pool(), denied, pages))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.ServeTLS(listener, "", "")
	t.Cleanup(func() { server.Close() })
	b.url = "https://" + listener.Addr().String()
	return b
}

func (b *bench) client(pairs ...tls.Certificate) *http.Client {
	transport := &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: b.authority.pool(), Certificates: pairs},
		DisableCompression: true,
	}
	b.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (b *bench) monitor() *http.Client {
	return b.client(b.authority.issue(wish{name: monitor}))
}

// get returns the status and the body; what could not be read whole has status 0.
func get(client *http.Client, url string) (int, string) {
	response, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

func TestOnlyWhoMayReadMetricsReadsThem(t *testing.T) {
	b := newBench(t)
	stranger := newAuthority(t)
	for _, c := range []struct {
		who    string
		pairs  []tls.Certificate
		status int
		says   string
	}{
		{"nobody", nil, 401, "no client certificate"},
		{"of another cluster", []tls.Certificate{stranger.issue(wish{name: monitor})}, 401, "unknown authority"},
		{"expired", []tls.Certificate{b.authority.issue(wish{name: monitor, isExpired: true})}, 401, "expired"},
		{"a server", []tls.Certificate{b.authority.issue(wish{name: monitor, isServer: true})}, 401, "incompatible key usage"},
		{"another user", []tls.Certificate{b.authority.issue(wish{name: "geminios:coredns"})}, 403, `user "geminios:coredns" may not read metrics`},
		{"a node", []tls.Certificate{b.authority.issue(wish{name: "system:node:a", group: "system:nodes"})}, 403, "may not"},
		{"the group's name as a user", []tls.Certificate{b.authority.issue(wish{name: "system:masters"})}, 403, "may not"},
		{"the user's name as a group", []tls.Certificate{b.authority.issue(wish{name: "a", group: monitor})}, 403, "may not"},
		{"the monitor", []tls.Certificate{b.authority.issue(wish{name: monitor})}, 200, "/metrics/gateway"},
		{"an administrator", []tls.Certificate{b.authority.issue(wish{name: "a", group: "geminios:cluster-admins"})}, 200, "/metrics/gateway"},
		{"the super-administrator", []tls.Certificate{b.authority.issue(wish{name: "a", group: "system:masters"})}, 200, "/metrics/gateway"},
	} {
		client := b.client(c.pairs...)
		status, body := get(client, b.url+"/")
		if status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %q, want %d %q", c.who, status, body, c.status, c.says)
		}
		if status, body := get(client, b.url+"/healthz"); status != 200 || body != "ok\n" {
			t.Errorf("%s: /healthz: %d %q", c.who, status, body)
		}
	}
	said := b.journal.String()
	if !strings.Contains(said, `"/": no client certificate`) || strings.Count(said, "denied") != burst {
		t.Errorf("log:\n%s", said)
	}
}

func TestACertificateThatExpiresWhileAConnectionLivesIsRefused(t *testing.T) {
	authority := newAuthority(t)
	g := newGate(authority.pool(), nil, nil)
	state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{authority.issue(wish{name: monitor}).Leaf}}
	if status, err := g.judge(state); status != 200 {
		t.Fatal(status, err)
	}
	g.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if status, err := g.judge(state); status != 401 || !strings.Contains(err.Error(), "expired") {
		t.Fatal(status, err)
	}
}

func TestOldTLSIsRefusedAndLogged(t *testing.T) {
	b := newBench(t)
	client := b.client()
	client.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS11
	client.Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS10
	if status, said := get(client, b.url+"/healthz"); status != 0 || !strings.Contains(said, "protocol version") {
		t.Fatal(status, said)
	}
	// The client may hear of it before the log does.
	for range 100 {
		if strings.Contains(b.journal.String(), "TLS handshake error") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("log: %q", b.journal)
}

func TestOnlyGetAndOnlyPathsThatAreThere(t *testing.T) {
	b := newBench(t)
	client := b.monitor()
	if status, _ := get(client, b.url+"/metrics/none"); status != 404 {
		t.Error("unknown path:", status)
	}
	response, err := client.Post(b.url+"/metrics/gateway", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 405 {
		t.Error("POST:", response.StatusCode)
	}
}

func TestTheGatewayTellsWhenCertificatesEnd(t *testing.T) {
	b := newBench(t)
	_, body := get(b.monitor(), b.url+"/metrics/gateway")
	for _, line := range []string{
		"# TYPE geminios_certificate_expiry_timestamp_seconds gauge\n",
		"geminios_certificate_expiry_timestamp_seconds{certificate=\"server\"} 1900000000\n",
		"geminios_certificate_expiry_timestamp_seconds{certificate=\"client\"} " + fmt.Sprint(time.Now().Unix()/1e5),
	} {
		if !strings.Contains(body, line) {
			t.Errorf("no %q in:\n%s", line, body)
		}
	}
}

func TestStrangersDoNotFillTheJournal(t *testing.T) {
	var text strings.Builder
	s := newSparse(log.New(&text, "", 0))
	now := s.last
	s.now = func() time.Time { return now }
	for range 100 {
		s.printf("denied")
	}
	if text.String() != strings.Repeat("denied\n", burst) {
		t.Errorf("%q", text.String())
	}
	now = now.Add(interval)
	text.Reset()
	s.printf("denied")
	s.printf("denied")
	if text.String() != "denied (95 lines like this were left out)\n" {
		t.Errorf("%q", text.String())
	}
	now = now.Add(time.Hour)
	text.Reset()
	for range 100 {
		s.printf("denied")
	}
	if strings.Count(text.String(), "\n") != burst {
		t.Errorf("%q", text.String())
	}
}

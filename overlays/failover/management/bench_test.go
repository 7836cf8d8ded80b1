package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
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

// fakeAgent answers as the failover agent does, and counts questions.
type fakeAgent struct {
	path string

	mu      sync.Mutex
	asked   map[string]int
	answers map[string]string
}

func newFakeAgent(t *testing.T) *fakeAgent {
	a := &fakeAgent{path: filepath.Join(t.TempDir(), "agent"), asked: map[string]int{}, answers: map[string]string{
		"status": agentStatus, "story": `[{"at":5,"what":"serves in epoch 3"}]`,
		"metrics": "geminios_failover_leads 1", "hand-over": `{"begun":true}`,
	}}
	listener, err := net.Listen("unix", a.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go a.serve(conn)
		}
	}()
	return a
}

func (a *fakeAgent) serve(conn net.Conn) {
	defer conn.Close()
	line, _ := bufio.NewReader(conn).ReadString('\n')
	a.mu.Lock()
	question := strings.TrimSpace(line)
	a.asked[question]++
	text, isKnown := a.answers[question]
	a.mu.Unlock()
	if !isKnown {
		text = `{"error":"questions are status, story, metrics and hand-over"}`
	}
	if text == "hangs" {
		io.Copy(io.Discard, conn)
		return
	}
	io.WriteString(conn, text+"\n")
}

func (a *fakeAgent) say(question, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[question] = text
}

func (a *fakeAgent) count(question string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[question]
}

const agentStatus = `{"at":90000,"me":"a","role":"leader","decides":"witness","stored":{"record":{"number":5,"by":"witness","epoch":3,"leader":"a","alone":false},` +
	`"decided":true,"claim":null,"empty":false},"postgres":{"primary":{"covered":true}},"serves":3,"heard":120,"peer":{"standby":{"streams":true}},` +
	`"serves_for":1900,"fenced":null,"lag":0,"changes":[]}`

func statusOf(t *testing.T, text string) status {
	var s status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// bench is the port of a node, with an agent that says what it is told to.
type bench struct {
	t         *testing.T
	authority *authority
	folder    string
	agent     *fakeAgent
	address   string
	url       string
	journal   *journal
	gate      *gate
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, authority: newAuthority(t, "hut"), folder: t.TempDir(), agent: newFakeAgent(t), journal: &journal{}}
	log.SetOutput(b.journal)
	b.authority.place(b.folder, b.authority.issue(wish{name: "node-a", isServer: true}))
	ids, err := openIdentities(b.folder)
	if err != nil {
		t.Fatal(err)
	}
	strangers := newSparse(log.New(b.journal, "", 0))
	set := settings{Node: "node-a", Peer: peer{"node-b", "192.0.2.12:7443"}}
	b.gate = newGate(ids, newRoutes(set, agent{b.agent.path}), strangers)
	server := newServer(b.gate, strangers)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(newSecured(newLimited(listener, strangers), ids))
	t.Cleanup(func() { server.Close() })
	b.address = listener.Addr().String()
	b.url = "https://" + b.address
	return b
}

func (b *bench) config(pairs ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: b.authority.pool(), Certificates: pairs}
}

func (b *bench) client(pairs ...tls.Certificate) *http.Client {
	transport := &http.Transport{TLSClientConfig: b.config(pairs...)}
	b.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (b *bench) of(group string) *http.Client {
	return b.client(b.authority.issue(wish{name: "ann", group: group}))
}

// ask returns the status and the body; what could not be read has status 0.
func ask(client *http.Client, method, url, body string) (int, string) {
	request, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

func with[T any](t *testing.T, variable *T, value T) {
	before := *variable
	*variable = value
	t.Cleanup(func() { *variable = before })
}

// until waits for what comes to be so soon.
func until(t *testing.T, what string, isSo func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !isSo(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: ", what)
		}
	}
}

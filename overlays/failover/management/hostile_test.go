package main

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// isShut tells whether the other side hung up within a time.
func isShut(conn net.Conn, within time.Duration) bool {
	conn.SetReadDeadline(time.Now().Add(within))
	_, err := io.Copy(io.Discard, conn)
	var timeout net.Error
	return !(errors.As(err, &timeout) && timeout.Timeout())
}

func TestWhoIsSlowIsHungUpOn(t *testing.T) {
	with(t, &headTimeout, 200*time.Millisecond)
	b := newBench(t)
	silent, err := net.Dial("tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dripping, err := tls.Dial("tcp", b.address, b.config(b.authority.issue(wish{name: "ann", group: operators})))
	if err != nil {
		t.Fatal(err)
	}
	defer dripping.Close()
	io.WriteString(dripping, "GET /v1/status HTTP/1.1\r\nHost: a\r\n")
	go func() {
		for range 40 {
			time.Sleep(50 * time.Millisecond)
			if _, err := io.WriteString(dripping, "X: y\r\n"); err != nil {
				return
			}
		}
	}()
	for name, conn := range map[string]net.Conn{"no handshake": silent, "a header a moment": dripping} {
		if !isShut(conn, 2*time.Second) {
			t.Error(name, ": still open")
		}
	}
}

func TestAHeadThatIsTooLarge(t *testing.T) {
	b := newBench(t)
	status, said := ask(b.of(operators), "GET", b.url+"/v1/status?"+strings.Repeat("x", 2*headerLimit), "")
	if status != 431 {
		t.Error(status, said)
	}
}

func TestOneAddressDoesNotTakeAllConnections(t *testing.T) {
	b := newBench(t)
	var held []net.Conn
	for range connectionLimitAddress {
		conn, err := net.Dial("tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		held = append(held, conn)
	}
	until(t, "one more is hung up on", func() bool {
		conn, err := net.Dial("tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return isShut(conn, 100*time.Millisecond)
	})
	elsewhere := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := tls.DialWithDialer(elsewhere, "tcp", b.address, b.config(b.authority.issue(wish{name: "ann", group: viewers})))
	if err != nil {
		t.Fatal("another address is kept out: ", err)
	}
	conn.Close()
	for _, conn := range held {
		conn.Close()
	}
	until(t, "there is room again", func() bool {
		status, _ := ask(b.of(viewers), "GET", b.url+"/v1/status", "")
		return status == 200
	})
}

func TestConnectionsAreCounted(t *testing.T) {
	l := newLimited(nil, nil)
	for i := range connectionLimit {
		if !l.enter(string(rune('a' + i))) {
			t.Fatal(i)
		}
	}
	if l.enter("other") {
		t.Error("one more than all")
	}
	l.leave("a")
	if !l.enter("other") || l.total != connectionLimit || len(l.by) != connectionLimit {
		t.Error(l.total, l.by)
	}
}

func TestStrangersDoNotFillTheJournal(t *testing.T) {
	b := newBench(t)
	for range 30 {
		ask(b.client(), "GET", b.url+"/v1/status", "")
	}
	if lines := strings.Count(b.journal.String(), "\n"); lines > burst+1 {
		t.Error(lines, "lines")
	}
}

func TestWhoIsRefusedHearsWhyWhateverTheySent(t *testing.T) {
	b := newBench(t)
	conn, err := tls.Dial("tcp", b.address, b.config())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// More than was read until the refusal.
	for range 3 {
		if _, err := conn.Write(make([]byte, 8<<10)); err != nil {
			t.Error("a client that stops here has not heard why:", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Error(err)
	}
}

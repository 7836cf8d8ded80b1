package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// What one node answers at once, and to one address: strangers must not keep others out.
const (
	connectionLimit        = 64
	connectionLimitAddress = 16
	headerLimit            = 8 << 10 // bytes
	bodyLimit              = 1 << 10 // bytes
)

// A variable for the tests alone: for the handshake, and for a request's head.
var headTimeout = 5 * time.Second

func newServer(handler http.Handler, complaints io.Writer) *http.Server {
	var protocols http.Protocols
	// One request at a time on a connection: nobody needs HTTP/2 here, and strangers could use it to tire us.
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         &protocols,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       headTimeout + 5*time.Second,
		WriteTimeout:      3 * agentTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    headerLimit,
		ErrorLog:          log.New(complaints, "", 0),
	}
}

// limited hangs up on those who would be too many.
type limited struct {
	net.Listener
	refused *sparse

	mu    sync.Mutex
	total int
	by    map[string]int
}

func newLimited(inner net.Listener, refused *sparse) *limited {
	return &limited{Listener: inner, refused: refused, by: map[string]int{}}
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		address, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		if l.enter(address) {
			return &counted{Conn: conn, leave: sync.OnceFunc(func() { l.leave(address) })}, nil
		}
		l.refused.printf("hung up on %s: too many connections", address)
		conn.Close()
	}
}

func (l *limited) enter(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= connectionLimit || l.by[address] >= connectionLimitAddress {
		return false
	}
	l.total++
	l.by[address]++
	return true
}

func (l *limited) leave(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.by[address]--; l.by[address] == 0 {
		delete(l.by, address)
	}
}

type counted struct {
	net.Conn
	leave func()
}

// Why a client is refused is the last that it is sent. Were its own words left unread, they would be answered by a reset (RFC 9293,
// 3.6.1), and it would learn of that first.
const (
	lingerTime  = 300 * time.Millisecond
	lingerLimit = 64 << 10 // bytes
)

func (c *counted) Close() error {
	tcp, isTCP := c.Conn.(*net.TCPConn)
	if !isTCP || tcp.CloseWrite() != nil || tcp.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		c.leave()
		return c.Conn.Close()
	}
	go func() {
		io.Copy(io.Discard, io.LimitReader(tcp, lingerLimit))
		tcp.Close()
		c.leave()
	}()
	return nil
}

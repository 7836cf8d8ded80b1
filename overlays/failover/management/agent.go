package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// A variable for the tests alone. The agent itself gives up after 10 s.
var agentTimeout = 12 * time.Second

const agentLimit = 1 << 20 // bytes of an answer; a story has 500 lines

var errNotRunning = errors.New("the failover agent of this node does not run")

// agent is the failover agent of this node, behind the socket on which it takes no `lead`.
type agent struct {
	socket string
}

// ask gives the answer as it is; what the agent says of errors is one.
func (a agent) ask(ctx context.Context, question string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, agentTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", a.socket)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotRunning, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := io.WriteString(conn, question+"\n"); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotRunning, err)
	}
	answer, err := io.ReadAll(io.LimitReader(conn, agentLimit+1))
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("the failover agent does not answer: %w", os.ErrDeadlineExceeded)
	case err != nil || len(answer) == 0:
		return nil, fmt.Errorf("%w: it hung up", errNotRunning)
	case len(answer) > agentLimit:
		return nil, fmt.Errorf("the failover agent says more than %d bytes", agentLimit)
	}
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(answer, &said) == nil && said.Error != "" {
		return nil, errors.New(said.Error)
	}
	return answer, nil
}

// status is what of the agent's status this program acts on. Times are milliseconds; those of changes since the machine started.
type status struct {
	At     uint64 `json:"at"`
	Me     string `json:"me"`
	Stored struct {
		Record record `json:"record"`
	} `json:"stored"`
	Serves  *uint64         `json:"serves"`
	Heard   *uint64         `json:"heard"`  // since the other node was
	Peer    json.RawMessage `json:"peer"`   // what it says of its PostgreSQL
	Fenced  *uint64         `json:"fenced"` // since the other node was seen to be off; nothing once it was heard again
	Changes []change        `json:"changes"`
}

type record struct {
	By     string `json:"by"`
	Epoch  uint64 `json:"epoch"`
	Leader string `json:"leader"`
	Alone  bool   `json:"alone"`
}

// change is one of the leader.
type change struct {
	record
	Heard   *uint64 `json:"heard"` // the other node, last
	Decided uint64  `json:"decided"`
	Serves  *uint64 `json:"serves"`
	Fenced  *uint64 `json:"fenced"`
}

func (a agent) status(ctx context.Context) (status, error) {
	var s status
	answer, err := a.ask(ctx, "status")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(answer, &s); err != nil {
		return s, fmt.Errorf("the failover agent's status: %w", err)
	}
	return s, nil
}

// How old the other node's word may be to count: some heartbeats.
const freshness = 3000

func (s status) isPeerHeard() bool {
	return s.Heard != nil && *s.Heard < freshness
}

// isPeerFollowing tells that the other node is back: its PostgreSQL streams from here.
func (s status) isPeerFollowing() bool {
	var postgres struct {
		Standby struct {
			Streams bool `json:"streams"`
		} `json:"standby"`
	}
	return s.isPeerHeard() && json.Unmarshal(s.Peer, &postgres) == nil && postgres.Standby.Streams
}

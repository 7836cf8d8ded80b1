package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// Variables for the tests alone.
var (
	// As long as a hand-over may take, at most; the agent stops PostgreSQL within 20 s or not at all.
	handOverTimeout = 30 * time.Second
	handOverPoll    = 200 * time.Millisecond
)

// newRoutes are all that can be asked for. `lead` is not among them: who says it vouches that the other node is off, which
// nobody sees from afar.
func newRoutes(set settings, asked agent) map[string]route {
	all := []string{viewers, operators}
	return map[string]route{
		"/v1/status":    {http.MethodGet, all, func(w http.ResponseWriter, r *http.Request) { showStatus(w, r, set, asked) }},
		"/v1/story":     {http.MethodGet, all, pass(asked, "story", "application/json")},
		"/v1/metrics":   {http.MethodGet, all, pass(asked, "metrics", "text/plain; version=0.0.4")},
		"/v1/hand-over": {http.MethodPost, []string{operators}, (&handOver{asked: asked, timeout: handOverTimeout, poll: handOverPoll}).serve},
	}
}

// seen is the agent's status, with the names that Kubernetes has for the two.
type seen struct {
	Node  string          `json:"node"`
	Peer  peer            `json:"peer"`
	Agent json.RawMessage `json:"agent"`
}

func showStatus(w http.ResponseWriter, r *http.Request, set settings, asked agent) {
	said, err := asked.ask(r.Context(), "status")
	if err != nil {
		complain(w, err)
		return
	}
	answer(w, http.StatusOK, seen{set.Node, set.Peer, said})
}

func pass(asked agent, question, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		said, err := asked.ask(r.Context(), question)
		if err != nil {
			complain(w, err)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Write(said)
	}
}

func complain(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errNotRunning):
		log.Println(err)
		refuse(w, http.StatusServiceUnavailable, errNotRunning.Error(), "on the node: journalctl -u geminios-failover")
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(w, http.StatusGatewayTimeout, "the failover agent does not answer: it hangs, or waits for its disk", "on the node: journalctl -u geminios-failover")
	default:
		refuse(w, http.StatusBadGateway, err.Error(), "")
	}
}

// handOver lets the other node lead, for one client at a time.
type handOver struct {
	asked         agent
	timeout, poll time.Duration
	isUnder       atomic.Bool
}

func (h *handOver) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "the request is too large", "a hand-over takes no words")
		return
	}
	if len(body) > 0 {
		refuse(w, http.StatusBadRequest, "a hand-over takes no words", "send an empty request")
		return
	}
	if !h.isUnder.CompareAndSwap(false, true) {
		refuse(w, http.StatusConflict, "a hand-over is under way", "GET /v1/status tells who leads")
		return
	}
	hasBegun := false
	defer func() {
		if !hasBegun {
			h.isUnder.Store(false)
		}
	}()
	// What began goes on when the client leaves.
	ctx := context.WithoutCancel(r.Context())
	before, err := h.asked.status(ctx)
	if err != nil {
		complain(w, err)
		return
	}
	who := r.TLS.PeerCertificates[0].Subject.CommonName
	said, err := h.asked.ask(ctx, "hand-over")
	if err != nil {
		complain(w, err)
		return
	}
	var verdict struct {
		Begun   bool   `json:"begun"`
		Refused string `json:"refused"`
	}
	if err := json.Unmarshal(said, &verdict); err != nil || !verdict.Begun {
		log.Printf("hand-over asked by %.100q: refused: %s", who, verdict.Refused)
		refuse(w, http.StatusConflict, verdict.Refused, "")
		return
	}
	log.Printf("hand-over asked by %.100q: begun in epoch %d", who, before.Stored.Record.Epoch)
	hasBegun = true
	go h.watch(ctx, before.Stored.Record.Epoch)
	answer(w, http.StatusAccepted, struct {
		Begun bool   `json:"begun"`
		Epoch uint64 `json:"epoch"`
	}{true, before.Stored.Record.Epoch})
}

// watch waits until another epoch began, or none will.
func (h *handOver) watch(ctx context.Context, epoch uint64) {
	defer h.isUnder.Store(false)
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	for ctx.Err() == nil {
		if now, err := h.asked.status(ctx); err == nil && now.Stored.Record.Epoch > epoch {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(h.poll):
		}
	}
}

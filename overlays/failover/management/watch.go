package main

import (
	"context"
	"fmt"
	"log"
	"time"
)

// Variables for the tests alone.
var (
	// A fence has to be told before the other machine can be up again.
	watchInterval = time.Second
	retryFirst    = time.Second
	retryMost     = 30 * time.Second
)

// watch tells Kubernetes what becomes of the pair, while this node leads.
type watch struct {
	asked agent
	tasks []*task
}

// task is one thing that is told; each fails and is tried again by itself.
type task struct {
	name  string
	do    func(context.Context, status) error
	next  time.Time
	wait  time.Duration
	fails bool // what the log said last
}

func newWatch(set settings, asked agent, opts options) (*watch, error) {
	api, err := openKubernetes(opts.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig: %w", err)
	}
	told, err := openTold(opts.state)
	if err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	events, taint := &reporter{set: set, api: api, told: told, now: time.Now}, &tainter{set: set, api: api}
	return &watch{asked, []*task{{name: "events", do: events.look}, {name: "out-of-service", do: taint.look}}}, nil
}

func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		// An agent that does not run is told of by others.
		if now, err := w.asked.status(ctx); err == nil && now.Serves != nil {
			for _, each := range w.tasks {
				each.run(ctx, now)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchInterval):
		}
	}
}

func (t *task) run(ctx context.Context, now status) {
	if time.Now().Before(t.next) {
		return
	}
	err := t.do(ctx, now)
	if ctx.Err() != nil {
		return
	}
	switch {
	case err == nil:
		if t.fails {
			log.Printf("%s: told", t.name)
		}
		t.wait = 0
	default:
		t.wait = min(max(2*t.wait, retryFirst), retryMost)
		t.next = time.Now().Add(t.wait)
		if !t.fails {
			log.Printf("%s: tries again until it can be told: %v", t.name, err)
		}
	}
	t.fails = err != nil
}

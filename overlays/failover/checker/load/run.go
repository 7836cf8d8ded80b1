package load

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"geminios/failover-checker/client"
	"geminios/failover-checker/history"
)

// Settings are how much to do.
type Settings struct {
	Target    client.Target
	History   string // file
	Namespace string
	Workers   int
	Rate      float64 // steps a second of all workers together
	Registers int
	Watches   int
	Keep      int           // keys that are there at a time; older ones are deleted
	Timeout   time.Duration // of a request
	Idle      time.Duration // of a watch that receives nothing
	Settle    time.Duration // for the start, and for watches to catch up at the end
	Turn      int           // operations on a register before the next one takes its place
}

type run struct {
	*recorder
	Settings
	api   *client.Client
	name  string
	keys  keys
	slots []slot

	writes, unknown atomic.Int64 // for the progress line
	acknowledged    atomic.Int64 // when the last write was
	reached         []atomic.Int64
}

// Run works until `stop` ends, lets the watches catch up, and returns. The history is complete up to any instant at which it is killed.
func Run(stop context.Context, s Settings, progress io.Writer) error {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(stop))
	defer cancel(nil)
	name := strings.ToLower(rand.Text()[:8])
	api := client.New(s.Target, s.Namespace, name, s.Timeout)
	clock := history.NewClock(0)
	writer, err := history.New(s.History, history.Start{Run: name, Wall: clock.Wall(), Server: s.Target.Server, Namespace: s.Namespace})
	if err != nil {
		return err
	}
	defer writer.Close()
	r := &run{recorder: &recorder{writer: writer, clock: clock, failed: cancel}, Settings: s, api: api, name: name, slots: make([]slot, s.Registers), reached: make([]atomic.Int64, s.Watches)}
	if err := r.prepare(stop); err != nil {
		return err
	}
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	var watches, workers sync.WaitGroup
	for number := range s.Watches {
		watches.Go(func() { r.watch(watching, number) })
	}
	working, rest := context.WithCancel(ctx)
	defer rest()
	defer context.AfterFunc(stop, rest)()
	for number := range s.Workers {
		workers.Go(func() { r.work(ctx, working.Done(), number) })
	}
	workers.Go(func() { r.tell(working, progress) })
	workers.Wait()
	r.settle(ctx)
	unwatch()
	watches.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return writer.Close()
}

func (r *run) prepare(stop context.Context) error {
	ctx, cancel := context.WithTimeout(stop, r.Settle)
	defer cancel()
	for {
		err := r.api.MakeNamespace(ctx)
		if err == nil {
			return nil
		}
		if !pause(ctx, pace) {
			return fmt.Errorf("the API server at %s was not ready within %s: %w", r.Target.Server, r.Settle, err)
		}
	}
}

// work does a step at each of its times. What took too long is not made up for: a server that comes back is not run over.
func (r *run) work(ctx context.Context, stop <-chan struct{}, number int) {
	period := time.Duration(float64(r.Workers) / r.Rate * float64(time.Second))
	next := time.Now().Add(period * time.Duration(number) / time.Duration(r.Workers))
	var mine pending
	for step := number; ; step++ {
		select {
		case <-stop:
			return
		case <-time.After(time.Until(next)):
		}
		switch step % 4 {
		case 0, 2:
			r.createKey(ctx, &mine)
			r.deleteOldest(ctx)
		case 1:
			r.increment(ctx)
		case 3:
			r.read(ctx, step/4)
		}
		next = next.Add(period)
		if now := time.Now(); next.Before(now) {
			next = now.Add(period / 4)
		}
	}
}

// write is operate, counted.
func (r *run) write(record history.Record, request func(number int64) client.Answer) (int64, client.Answer) {
	number, answer := r.operate(record, request)
	switch answer.Outcome {
	case history.Ok:
		r.writes.Add(1)
		r.acknowledged.Store(r.clock.Now())
	case history.Unknown:
		r.unknown.Add(1)
	}
	return number, answer
}

// settle makes one last object and waits until each watch has seen as much. If the API server does not answer, nothing is asked of the watches.
func (r *run) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.Settle)
	defer cancel()
	var last pending
	for last.revision == 0 && ctx.Err() == nil {
		r.createKey(ctx, &last)
		if last.revision == 0 {
			pause(ctx, pace)
		}
	}
	// Each watch gets all of this time: the server may have been back for an instant only.
	if last.revision != 0 {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Settle)
		defer cancel()
		for i := range r.reached {
			for r.reached[i].Load() < last.revision && pause(patience, pace/4) {
			}
		}
	}
	r.put(history.Record{Kind: history.Ended, Revision: last.revision})
}

func (r *run) tell(ctx context.Context, progress io.Writer) {
	for pause(ctx, 10*time.Second) {
		now := r.clock.Now()
		fmt.Fprintf(progress, "%4.0f s: %d writes acknowledged, the last %.1f s ago; %d of unknown outcome\n",
			time.Duration(now).Seconds(), r.writes.Load(), time.Duration(now-r.acknowledged.Load()).Seconds(), r.unknown.Load())
	}
}

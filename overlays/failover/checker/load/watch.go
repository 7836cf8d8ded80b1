package load

import (
	"context"
	"fmt"
	"time"

	"geminios/failover-checker/client"
	"geminios/failover-checker/history"
)

// How long a watch may last. One is renewed often: it is then that events get lost.
const (
	long  = 30 * time.Minute
	short = 5 * time.Second
)

// watch lists once, and then follows all changes. It goes on where it broke, and lists again only if the server says that this is too far back.
func (r *run) watch(ctx context.Context, number int) {
	lasts := long
	if number == r.Watches-1 {
		lasts = short
	}
	var at, list int64
	for ctx.Err() == nil {
		if at == 0 {
			operation, answer, ok := r.list(ctx, r.api)
			if !ok {
				return
			}
			at, list = answer.Revision, operation
			r.reached[number].Store(at)
		}
		opened := false
		why, gone := r.api.Watch(ctx, at, lasts, r.Idle,
			func() {
				opened = true
				r.put(history.Record{Kind: history.Watching, Watch: number + 1, Revision: at, Op: list})
				list = 0
			},
			func(seen client.Watched) {
				at = seen.Revision
				r.reached[number].Store(at)
				if seen.Type == "BOOKMARK" {
					r.put(history.Record{Kind: history.Bookmark, Watch: number + 1, Revision: at})
					return
				}
				r.put(history.Record{Kind: history.Event, Watch: number + 1, Type: seen.Type, Key: seen.Key, By: seen.By, Count: seen.Count, Revision: at})
			})
		switch {
		case gone:
			r.put(history.Record{Kind: history.Gone, Watch: number + 1, Revision: at, Why: why})
			at = 0
		case opened:
			r.put(history.Record{Kind: history.Broken, Watch: number + 1, Revision: at, Why: why})
		}
		pause(ctx, pace)
	}
}

// ReadBack lists everything and adds it to the history of a run that has ended. It tries for as long as `patience`.
func ReadBack(ctx context.Context, path string, h *history.History, target client.Target, timeout, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	writer, err := history.Reopen(path)
	if err != nil {
		return err
	}
	defer writer.Close()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	r := &recorder{writer: writer, clock: history.NewClock(h.Last + 1), failed: fail}
	for number := range h.Ops {
		r.last.Store(max(r.last.Load(), number))
	}
	r.put(history.Record{Kind: history.ReadBack, Why: fmt.Sprintf("through %s at %s", target.Server, time.Now().UTC().Format(time.RFC3339))})
	api := client.New(target, h.Start.Namespace, h.Start.Run, timeout)
	if _, answer, ok := r.list(ctx, api); !ok {
		return fmt.Errorf("nothing can be read back through %s within %s: %s", target.Server, patience, answer.Why)
	}
	return writer.Close()
}

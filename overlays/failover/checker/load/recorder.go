// Package load works on an API server all the time and writes down what it did and saw. It judges nothing.
package load

import (
	"context"
	"sync/atomic"
	"time"

	"geminios/failover-checker/client"
	"geminios/failover-checker/history"
)

// pace is how long to wait before trying again what has no rate of its own.
const pace = 200 * time.Millisecond

// recorder numbers operations and puts them into the history: each invocation before anything is sent.
type recorder struct {
	writer *history.Writer
	clock  history.Clock
	last   atomic.Int64 // number of the last operation
	failed context.CancelCauseFunc
}

// put writes a record. A history that cannot be written ends everything.
func (r *recorder) put(record history.Record) bool {
	record.Time = r.clock.Now()
	if err := r.writer.Put(record); err != nil {
		r.failed(err)
		return false
	}
	return true
}

// operate makes one request. Its number is what it writes.
func (r *recorder) operate(record history.Record, request func(number int64) client.Answer) (int64, client.Answer) {
	number := r.last.Add(1)
	record.Kind, record.Op = history.Invoke, number
	if !r.put(record) {
		return number, client.Answer{Outcome: history.Failed}
	}
	answer := request(number)
	r.put(history.Record{Kind: answer.Outcome, Op: number, Why: answer.Why, By: answer.By, Count: answer.Count, Revision: answer.Revision, Items: answer.Items})
	return number, answer
}

// list reads everything, as often as it takes until the context ends.
func (r *recorder) list(ctx context.Context, api *client.Client) (number int64, answer client.Answer, ok bool) {
	for {
		number, answer = r.operate(history.Record{Do: history.List}, func(int64) client.Answer { return api.List(ctx) })
		if answer.Outcome == history.Ok {
			return number, answer, true
		}
		if !pause(ctx, pace) {
			return number, answer, false
		}
	}
}

// pause waits; it returns false if the context ends first.
func pause(ctx context.Context, long time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(long):
		return true
	}
}

package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"geminios/failover-checker/client"
	"geminios/failover-checker/history"
)

// attempts at a name before another is taken.
const attempts = 3

// keys are the objects of unique names that are there for certain, oldest first.
type keys struct {
	mutex sync.Mutex
	named int
	live  []key
}

type key struct {
	name         string
	by, revision int64
}

// pending is a worker's name whose creation is not decided.
type pending struct {
	name     string
	tries    int
	revision int64 // of the last one that was acknowledged
}

// createKey makes an object of a new name, or tries once more what has no known outcome, as clients do.
func (r *run) createKey(ctx context.Context, mine *pending) {
	if mine.name == "" {
		r.keys.mutex.Lock()
		r.keys.named++
		*mine = pending{name: fmt.Sprintf("%s-k%d", r.name, r.keys.named)}
		r.keys.mutex.Unlock()
	}
	number, answer := r.write(history.Record{Do: history.Create, Key: mine.name}, func(number int64) client.Answer {
		return r.api.Create(ctx, mine.name, number, 0)
	})
	mine.tries++
	switch {
	case answer.Outcome == history.Ok:
		// Only these are deleted later: an earlier attempt might make the object anew, and `verify` counts on no name being absent twice.
		if mine.tries == 1 {
			r.keys.mutex.Lock()
			r.keys.live = append(r.keys.live, key{mine.name, number, answer.Revision})
			r.keys.mutex.Unlock()
		}
		*mine = pending{revision: answer.Revision}
	case answer.Outcome != history.Unknown || mine.tries == attempts:
		*mine = pending{}
	}
}

// deleteOldest removes one object if there are more than shall be kept.
func (r *run) deleteOldest(ctx context.Context) {
	r.keys.mutex.Lock()
	if len(r.keys.live) <= r.Keep {
		r.keys.mutex.Unlock()
		return
	}
	oldest := r.keys.live[0]
	r.keys.live = r.keys.live[1:]
	r.keys.mutex.Unlock()
	_, answer := r.write(history.Record{Do: history.Delete, Key: oldest.name, Expect: oldest.by}, func(int64) client.Answer {
		return r.api.Delete(ctx, oldest.name, oldest.revision)
	})
	if answer.Outcome == history.Unknown || answer.Outcome == history.Failed {
		r.keys.mutex.Lock()
		r.keys.live = append(r.keys.live, oldest)
		r.keys.mutex.Unlock()
	}
}

// slot is a place for registers, one after the other: what one register went through is checked as a whole, and so must not be endless.
type slot struct {
	mutex            sync.Mutex
	generation, done int
}

func (r *run) register() string {
	number := rand.IntN(len(r.slots))
	slot := &r.slots[number]
	slot.mutex.Lock()
	defer slot.mutex.Unlock()
	slot.done++
	if slot.done > r.Turn {
		slot.generation, slot.done = slot.generation+1, 1
	}
	return fmt.Sprintf("%s-r%d-%d", r.name, number, slot.generation)
}

// increment reads a register and writes one more, if it is still as it was read.
func (r *run) increment(ctx context.Context) {
	name := r.register()
	switch seen := r.get(ctx, name); {
	case seen.Outcome == history.Absent:
		r.write(history.Record{Do: history.Create, Key: name, Count: 1}, func(number int64) client.Answer {
			return r.api.Create(ctx, name, number, 1)
		})
	case seen.Outcome == history.Ok && seen.By > 0:
		r.write(history.Record{Do: history.Update, Key: name, Expect: seen.By, Count: seen.Count + 1}, func(number int64) client.Answer {
			return r.api.Update(ctx, name, number, seen.Count+1, seen.Revision)
		})
	}
}

// read looks at a register, or at a key that is there unless it is just being deleted.
func (r *run) read(ctx context.Context, turn int) {
	if turn%2 == 0 {
		r.get(ctx, r.register())
		return
	}
	r.keys.mutex.Lock()
	var name string
	if len(r.keys.live) > 0 {
		name = r.keys.live[rand.IntN(len(r.keys.live))].name
	}
	r.keys.mutex.Unlock()
	if name != "" {
		r.get(ctx, name)
	}
}

func (r *run) get(ctx context.Context, name string) client.Answer {
	_, answer := r.operate(history.Record{Do: history.Get, Key: name}, func(int64) client.Answer { return r.api.Get(ctx, name) })
	return answer
}

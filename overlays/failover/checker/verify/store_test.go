package verify_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"geminios/failover-checker/history"
	"geminios/failover-checker/verify"
)

// flaw is what a simulated store does wrong, once.
type flaw int

const (
	sound flaw = iota
	losesWrite
	losesWriteAndSkips // and gives no revision twice
	losesEvent
	staleRead
	ghost
)

// world is a store with clients and watches. Each operation has an instant at which it takes effect; with an unknown outcome also
// after its client has gone on, or none at all.
type world struct {
	random      *rand.Rand
	now         int64
	queue       []happening
	objects     map[string]history.Item
	changes     []changed
	rv          int64
	floor       int64
	ops         int64
	names       int
	settled     []history.Item // keys whose creation was acknowledged at the first attempt
	old         map[string]history.Item
	records     []history.Record
	flaw        flaw
	struck      bool
	starts      map[int]int64 // of each watch
	hidden      changed       // an event that watch 1 never receives
	until       int64
	epoch, busy int // busy: clients
}

type happening struct {
	at int64
	do func()
}

type changed struct {
	record history.Record // the event
	before history.Item
	op     int64
	acked  bool
}

func (w *world) later(do func()) { w.at(1+w.random.Int64N(20), do) }

func (w *world) at(wait int64, do func()) { w.queue = append(w.queue, happening{w.now + wait, do}) }

func (w *world) put(r history.Record) {
	r.Time = w.now
	w.records = append(w.records, r)
}

// operate invokes, takes effect some time later, and answers later still.
func (w *world) operate(r history.Record, effect func(id int64) history.Record, then func(id int64, answer history.Record)) {
	w.ops++
	id, epoch := w.ops, w.epoch
	r.Kind, r.Op = history.Invoke, id
	w.put(r)
	answer := func(a history.Record) {
		a.Op = id
		w.put(a)
		if a.Kind == history.Ok {
			for i := range w.changes {
				if w.changes[i].op == id {
					w.changes[i].acked = true
				}
			}
		}
		w.later(func() { then(id, a) })
	}
	fate := w.random.IntN(20)
	if r.Do.Writes() && fate == 0 {
		// The ghost: refused, and done nevertheless.
		w.later(func() { answer(history.Record{Kind: history.Failed}) })
		if w.flaw == ghost && !w.struck && r.Do != history.Delete {
			w.later(func() { w.struck = effect(id).Kind == history.Ok })
		}
		return
	}
	if r.Do.Writes() && fate < 4 {
		w.at(30, func() { answer(history.Record{Kind: history.Unknown}) })
		if fate < 3 {
			w.at(1+w.random.Int64N(200), func() {
				if epoch == w.epoch { // what was under way did not survive the failover
					effect(id)
				}
			})
		}
		return
	}
	w.later(func() {
		if epoch != w.epoch {
			answer(history.Record{Kind: history.Unknown})
			return
		}
		done := effect(id)
		w.later(func() {
			if epoch != w.epoch && r.Do.Writes() {
				done = history.Record{Kind: history.Unknown} // the answer went down with the old primary
			}
			answer(done)
		})
	})
}

func (w *world) store(kind, key string, by, count int64) history.Record {
	w.rv++
	before := w.objects[key]
	item := history.Item{Key: key, By: by, Count: count, Revision: w.rv}
	op := by
	if kind == "DELETED" {
		item.By, item.Count = before.By, before.Count
		delete(w.objects, key)
	} else {
		w.objects[key] = item
	}
	if before.By != 0 {
		w.old[key] = before
	}
	w.changes = append(w.changes, changed{history.Record{Kind: history.Event, Type: kind, Key: key, By: item.By, Count: item.Count, Revision: w.rv}, before, op, false})
	return history.Record{Kind: history.Ok, By: by, Count: count, Revision: w.rv}
}

func (w *world) create(key string, count int64, then func(int64, history.Record)) {
	w.operate(history.Record{Do: history.Create, Key: key, Count: count}, func(id int64) history.Record {
		if w.objects[key].By != 0 {
			return history.Record{Kind: history.Conflict}
		}
		return w.store("ADDED", key, id, count)
	}, then)
}

// swap updates or deletes.
func (w *world) swap(do history.Do, seen history.Item, then func(int64, history.Record)) {
	r := history.Record{Do: do, Key: seen.Key, Expect: seen.By}
	if do == history.Update {
		r.Count = seen.Count + 1
	}
	w.operate(r, func(id int64) history.Record {
		switch at := w.objects[seen.Key]; {
		case at.By == 0:
			return history.Record{Kind: history.Absent}
		case at.Revision != seen.Revision:
			return history.Record{Kind: history.Conflict}
		case do == history.Delete:
			w.store("DELETED", seen.Key, id, 0)
			return history.Record{Kind: history.Ok}
		}
		return w.store("MODIFIED", seen.Key, id, r.Count)
	}, then)
}

func (w *world) get(key string, then func(int64, history.Record)) {
	asked := w.now
	w.operate(history.Record{Do: history.Get, Key: key}, func(int64) history.Record {
		at := w.objects[key]
		// Stale is only what had been replaced, by an acknowledged write, before the read was asked.
		if old := w.old[key]; w.flaw == staleRead && !w.struck && old.By != 0 && at.By != 0 && w.answered(at.By, asked) {
			w.struck, at = true, old
		}
		if at.By == 0 {
			return history.Record{Kind: history.Absent}
		}
		return history.Record{Kind: history.Ok, By: at.By, Count: at.Count, Revision: at.Revision}
	}, then)
}

func (w *world) answered(op, before int64) bool {
	return slices.ContainsFunc(w.records, func(r history.Record) bool { return r.Op == op && r.Kind == history.Ok && r.Time < before })
}

func (w *world) list(then func(int64, history.Record)) {
	w.operate(history.Record{Do: history.List}, func(int64) history.Record {
		items := slices.SortedFunc(maps.Values(w.objects), func(a, b history.Item) int { return cmp.Compare(a.Key, b.Key) })
		return history.Record{Kind: history.Ok, Items: items, Revision: w.rv}
	}, then)
}

// client does one thing after the other, until there is an end to it.
func (w *world) client(left int) {
	if left == 0 {
		w.busy, w.until = w.busy-1, max(w.until, w.now+300) // watches catch up
		return
	}
	next := func(int64, history.Record) { w.client(left - 1) }
	switch w.random.IntN(4) {
	case 0:
		w.names++
		w.attempt(fmt.Sprintf("k%d", w.names), 0, next)
	case 1:
		if len(w.settled) == 0 {
			w.client(left - 1)
			return
		}
		item := w.settled[0]
		w.settled = w.settled[1:]
		w.swap(history.Delete, item, func(id int64, a history.Record) {
			if a.Kind == history.Unknown || a.Kind == history.Failed {
				w.settled = append(w.settled, item)
			}
			next(id, a)
		})
	default:
		key := fmt.Sprintf("r%d", w.random.IntN(2))
		w.get(key, func(id int64, a history.Record) {
			switch {
			case w.random.IntN(3) == 0:
				next(id, a)
			case a.Kind == history.Absent:
				w.create(key, 1, next)
			case a.Kind == history.Ok:
				w.swap(history.Update, history.Item{Key: key, By: a.By, Count: a.Count, Revision: a.Revision}, next)
			default:
				next(id, a)
			}
		})
	}
}

func (w *world) attempt(key string, tries int, next func(int64, history.Record)) {
	w.create(key, 0, func(id int64, a history.Record) {
		if a.Kind == history.Ok && tries == 0 {
			w.settled = append(w.settled, history.Item{Key: key, By: id, Revision: a.Revision})
		}
		if a.Kind == history.Unknown && tries < 2 {
			w.attempt(key, tries+1, next)
			return
		}
		next(id, a)
	})
}

// watch follows from a revision on, and breaks now and then.
func (w *world) watch(number int, at, list int64) {
	switch {
	case at == 0 || at < w.floor:
		w.list(func(id int64, a history.Record) {
			if a.Kind != history.Ok {
				w.watch(number, 0, 0)
				return
			}
			w.watch(number, a.Revision, id)
		})
		return
	case list >= 0:
		w.put(history.Record{Kind: history.Watching, Watch: number, Revision: at, Op: list})
		if list > 0 {
			w.starts[number] = at
		}
	}
	epoch := w.epoch
	for _, change := range w.changes {
		if change.record.Revision <= at {
			continue
		}
		if w.flaw == losesEvent && number == 1 && (w.hidden.op == 0 || w.hidden.op == change.op) {
			w.hidden = change
			continue
		}
		// It is missed once something later has come, without a list between.
		hidden := w.hidden.record.Revision
		w.struck = w.struck || number == 1 && hidden > w.starts[1] && hidden < change.record.Revision
		at = change.record.Revision
		record := change.record
		record.Watch = number
		w.put(record)
	}
	if w.random.IntN(4) == 0 {
		w.put(history.Record{Kind: history.Bookmark, Watch: number, Revision: at})
	}
	w.later(func() {
		again := int64(-1)
		if w.random.IntN(5) == 0 || epoch != w.epoch {
			again = 0 // where it broke
		}
		w.watch(number, at, again)
	})
}

// failover takes the store back to before its last acknowledged write, if it is one that loses.
func (w *world) failover() {
	w.epoch++
	w.floor = w.rv + 1
	if w.flaw != losesWrite && w.flaw != losesWriteAndSkips {
		w.rv += w.random.Int64N(2) * 1000
		w.floor = w.rv
		return
	}
	highest := w.rv
	for !w.struck && len(w.changes) > 0 {
		last := w.changes[len(w.changes)-1]
		w.changes = w.changes[:len(w.changes)-1]
		delete(w.objects, last.record.Key)
		if last.before.By != 0 {
			w.objects[last.record.Key] = last.before
		}
		w.rv = last.record.Revision - 1
		w.struck = last.acked
	}
	if w.flaw == losesWriteAndSkips {
		w.rv = highest + 1000
	}
	w.floor = w.rv
}

// simulate lets some clients work through two failovers and reads everything back.
func simulate(t *testing.T, seed uint64, flaw flaw) (*history.History, bool) {
	w := &world{random: rand.New(rand.NewPCG(seed, 1)), objects: map[string]history.Item{}, old: map[string]history.Item{}, starts: map[int]int64{}, rv: 100, flaw: flaw}
	w.records = []history.Record{{Kind: history.Started, Start: &history.Start{Version: history.Version, Run: "run", Wall: time.Unix(0, 0)}}}
	w.at(1, func() { w.watch(1, 0, 0) })
	w.at(2, func() { w.watch(2, 0, 0) })
	for w.busy < 4 {
		w.busy++
		w.later(func() { w.client(25) })
	}
	w.at(500, w.failover)
	w.at(1000, w.failover)
	w.until = 1500
	for w.now < w.until || w.busy > 0 {
		next := 0
		for i, happening := range w.queue {
			if happening.at < w.queue[next].at {
				next = i
			}
		}
		happening := w.queue[next]
		w.queue = slices.Delete(w.queue, next, next+1)
		w.now = max(w.now+1, happening.at) // no two at one instant
		happening.do()
	}
	w.ops++
	w.put(history.Record{Kind: history.Ended, Revision: w.rv})
	w.now++
	w.put(history.Record{Kind: history.ReadBack})
	items := slices.Collect(maps.Values(w.objects))
	w.put(history.Record{Kind: history.Invoke, Op: w.ops, Do: history.List})
	w.now++
	w.put(history.Record{Kind: history.Ok, Op: w.ops, Items: items, Revision: w.rv})
	return read(t, w.records), w.struck
}

func TestASoundStoreIsAlwaysAccepted(t *testing.T) {
	happened := 0
	for seed := range uint64(100) {
		h, _ := simulate(t, seed, sound)
		report := expect(t, h)
		if t.Failed() {
			t.Fatal("seed", seed)
		}
		happened += report.Writes.Happened
		if report.Writes.Acknowledged < 20 || report.Writes.Unknown == 0 || !report.Certain() {
			t.Fatalf("seed %d is no trial: %+v", seed, report.Writes)
		}
	}
	if happened == 0 {
		t.Error("no write of unknown outcome ever happened")
	}
}

func TestAFlawIsAlwaysFound(t *testing.T) {
	for name, flaw := range map[string]flaw{
		"a write is lost": losesWrite, "a write, and no revision given twice": losesWriteAndSkips, "an event": losesEvent, "a stale read": staleRead, "a ghost": ghost,
	} {
		t.Run(name, func(t *testing.T) {
			struck := 0
			for seed := range uint64(100) {
				h, did := simulate(t, seed, flaw)
				if !did {
					continue
				}
				struck++
				if verify.Check(h).Kept() {
					t.Errorf("seed %d: not found", seed)
				}
			}
			if struck < 30 {
				t.Errorf("happened %d times only", struck)
			}
		})
	}
}

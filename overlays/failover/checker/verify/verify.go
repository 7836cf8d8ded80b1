// Package verify judges a history: what a client of Kubernetes may rely on, and where that was not so.
package verify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"geminios/failover-checker/history"
)

// What may be violated.
const (
	LostWrite      = "lost-write"       // acknowledged, or seen by somebody, and later not there
	LostIncrement  = "lost-increment"   // two writes both replaced the same content
	StaleRead      = "stale-read"       // a quorum read saw what had been replaced before it was asked
	GhostWrite     = "ghost-write"      // what was refused, or nobody asked for, is there
	WrongContent   = "wrong-content"    // not what the operation wrote
	FalseConflict  = "false-conflict"   // refused because of a change that nobody made
	NotLinear      = "not-linearizable" // no order of the operations explains their outcomes
	RevisionBack   = "revision-regress" // a later write or list has a smaller resourceVersion
	RevisionTwice  = "revision-repeated"
	RevisionChange = "revision-changed" // one write was seen with two resourceVersions
	MissedEvent    = "missed-event"
	DoubledEvent   = "duplicate-event"
	UnorderedEvent = "event-order"
	WrongEvent     = "wrong-event" // of a type that does not fit what happened
)

// told is how many violations of a kind are told in full.
const told = 20

// Violation is one promise that was not kept, and its story.
type Violation struct {
	Kind  string   `json:"kind"`
	Key   string   `json:"key,omitempty"`
	At    int64    `json:"at"` // nanoseconds since the start: when it showed
	What  string   `json:"what"`
	Story []string `json:"story"` // the operations concerned, by time
}

type check struct {
	h         *history.History
	sights    map[int64]*sight  // by writer: contents that were somewhere seen
	deletions map[string]*sight // by key: deletions that a watch saw
	revisions map[int64]owner
	removals  map[string][]*history.Op // attempts to delete, by key
	haunted   map[string]bool          // keys with contents that never were: their order explains nothing
	said      map[string]bool
	counts    map[string]int
	found     []Violation
	undecided []string
}

// sight is the first time that a content, or a deletion, was seen.
type sight struct {
	revision int64
	at       int64
	where    string
}

// owner is what a revision belongs to: a write, or the deletion of a key.
type owner struct {
	by  int64
	key string
}

// Check judges the history.
func Check(h *history.History) *Report {
	c := &check{h: h, sights: map[int64]*sight{}, deletions: map[string]*sight{}, revisions: map[int64]owner{}, removals: map[string][]*history.Op{},
		haunted: map[string]bool{}, said: map[string]bool{}, counts: map[string]int{}}
	for _, op := range h.Order {
		if op.Do == history.Delete {
			c.removals[op.Key] = append(c.removals[op.Key], op)
		}
	}
	c.collect()
	c.objects()
	c.order()
	c.watches()
	slices.SortStableFunc(c.found, func(a, b Violation) int { return cmp.Compare(a.At, b.At) })
	return c.report()
}

// violate notes a violation, once for each `about`.
func (c *check) violate(kind, about, key string, at int64, story []string, what string, args ...any) {
	if mark := kind + " " + about; c.said[mark] {
		return
	} else {
		c.said[mark] = true
	}
	c.counts[kind]++
	if c.counts[kind] <= told {
		c.found = append(c.found, Violation{kind, key, at, fmt.Sprintf(what, args...), story})
	}
}

// collect gathers all that was seen: contents with their revisions, from answers, lists and watches.
func (c *check) collect() {
	for _, op := range c.h.Order {
		if op.Outcome != history.Ok {
			continue
		}
		where := fmt.Sprintf("operation %d", op.ID)
		switch op.Do {
		case history.Create, history.Update:
			if op.By != op.ID {
				c.violate(WrongContent, where, op.Key, op.Return, c.story(op), "the answer to operation %d on %s holds what operation %d wrote", op.ID, op.Key, op.By)
			}
			c.saw(op.Key, op.By, op.SeenCount, op.Revision, op.Return, where)
		case history.Get:
			c.saw(op.Key, op.By, op.SeenCount, op.Revision, op.Return, where)
		case history.List:
			for _, item := range op.Items {
				c.saw(item.Key, item.By, item.Count, item.Revision, op.Return, where)
			}
		}
	}
	for _, number := range slices.Sorted(maps.Keys(c.h.Watches)) {
		steps := c.h.Watches[number]
		where := fmt.Sprintf("watch %d", number)
		for _, step := range steps {
			switch {
			case step.Kind != history.Event:
			case step.Type == "DELETED":
				c.sawDeleted(step, where)
			default:
				c.saw(step.Key, step.By, step.Count, step.Revision, step.Time, where)
			}
		}
	}
}

func (c *check) saw(key string, by, count, revision, at int64, where string) {
	writer := c.h.Ops[by]
	if writer == nil || writer.Key != key || writer.Do != history.Create && writer.Do != history.Update {
		c.haunted[key] = true
		c.violate(GhostWrite, key, key, at, []string{c.line(at, "%s saw %s with what operation %d wrote, revision %d", where, key, by, revision)},
			"%s holds what no operation wrote there", key)
		return
	}
	first := c.sights[by]
	if first == nil {
		first = &sight{revision, at, where}
		c.sights[by] = first
	}
	seen := c.line(at, "%s saw it, revision %d", where, revision)
	if count != writer.Count {
		c.violate(WrongContent, where+key, key, at, c.with(seen, writer), "%s holds %d, operation %d wrote %d", key, count, by, writer.Count)
	}
	if refused(writer) {
		c.haunted[key] = true
		c.violate(GhostWrite, fmt.Sprint(by), key, at, c.with(seen, writer), "operation %d on %s was refused, and is there", by, key)
	}
	if first.revision != revision {
		earlier := c.line(first.at, "%s saw it, revision %d", first.where, first.revision)
		c.violate(RevisionChange, fmt.Sprint(by), key, at, append(c.with(earlier, writer), seen), "what operation %d wrote to %s was seen with revisions %d and %d", by, key, first.revision, revision)
	}
	c.own(revision, owner{by, key}, at, where)
	if at < first.at {
		first.at, first.where = at, where
	}
}

func (c *check) sawDeleted(step history.Step, where string) {
	seen := c.line(step.Time, "%s saw %s deleted, revision %d", where, step.Key, step.Revision)
	asked := slices.ContainsFunc(c.removals[step.Key], func(op *history.Op) bool { return op.Call <= step.Time && !refused(op) })
	if !asked {
		c.violate(GhostWrite, "deletion "+step.Key, step.Key, step.Time, c.with(seen, c.removals[step.Key]...), "%s was deleted, and nobody asked for that", step.Key)
		return
	}
	if first := c.deletions[step.Key]; first == nil {
		c.deletions[step.Key] = &sight{step.Revision, step.Time, where}
	} else if first.revision != step.Revision {
		earlier := c.line(first.at, "%s saw it deleted, revision %d", first.where, first.revision)
		c.violate(RevisionChange, "deletion "+step.Key, step.Key, step.Time, []string{earlier, seen}, "the deletion of %s was seen with revisions %d and %d", step.Key, first.revision, step.Revision)
	} else if step.Time < first.at {
		first.at, first.where = step.Time, where
	}
	c.own(step.Revision, owner{0, step.Key}, step.Time, where)
}

// own notes what a revision belongs to; there is never more than one.
func (c *check) own(revision int64, now owner, at int64, where string) {
	before, known := c.revisions[revision]
	if !known {
		c.revisions[revision] = now
		return
	}
	if before != now {
		story := append(c.known(before), c.known(now)...)
		c.violate(RevisionTwice, fmt.Sprint(revision), now.key, at, append(story, c.line(at, "%s saw the latter", where)),
			"revision %d was given to %s and to %s", revision, before, now)
	}
}

func (o owner) String() string {
	if o.by == 0 {
		return "the deletion of " + o.key
	}
	return fmt.Sprintf("operation %d on %s", o.by, o.key)
}

func (c *check) known(o owner) []string {
	if o.by == 0 {
		return c.story(c.removals[o.key]...)
	}
	return c.story(c.h.Ops[o.by])
}

// refused says whether an operation has certainly not taken effect, by the server's own word.
func refused(op *history.Op) bool {
	return op.Outcome == history.Failed || op.Outcome == history.Conflict || op.Outcome == history.Absent
}

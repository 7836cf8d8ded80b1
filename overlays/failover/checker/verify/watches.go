package verify

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"

	"geminios/failover-checker/history"
)

// span is what a watch followed without listing anew: all changes after one revision, up to another.
type span struct {
	watch       int
	start, last int64
	from        int64 // time
	open        bool  // nothing else came after it
	seen        map[int64]string
	previous    history.Step
}

// watches checks that each watch received each change once, in order.
func (c *check) watches() {
	var spans []*span
	for _, number := range slices.Sorted(maps.Keys(c.h.Watches)) {
		var now *span
		for _, step := range c.h.Watches[number] {
			switch step.Kind {
			case history.Watching:
				if now == nil || step.List != 0 {
					now = &span{watch: number, start: step.Revision, last: step.Revision, from: step.Time, seen: map[int64]string{}, previous: step}
					spans = append(spans, now)
				}
			case history.Event:
				c.event(now, step)
				now.previous = step
			case history.Bookmark:
				if step.Revision < now.last {
					c.violate(UnorderedEvent, fmt.Sprint("bookmark", number, step.Revision), "", step.Time, []string{c.step(number, now.previous), c.step(number, step)},
						"watch %d was told that it has all up to revision %d, and had %d already", number, step.Revision, now.last)
				}
				now.last = max(now.last, step.Revision)
				now.previous = step
			}
		}
		if now != nil {
			now.open = true
		}
	}
	known := slices.Sorted(maps.Keys(c.revisions))
	unseen := c.unseenDeletions()
	for _, span := range spans {
		c.missed(span, known)
		for _, gone := range unseen {
			if span.start <= gone.after && c.upTo(span) >= gone.before {
				c.violate(MissedEvent, fmt.Sprint(span.watch, gone.op.Key), gone.op.Key, gone.op.Return, c.with(c.reach(span), gone.op),
					"watch %d never saw that %s was deleted, between revisions %d and %d", span.watch, gone.op.Key, gone.after, gone.before)
			}
		}
	}
}

func (c *check) event(s *span, step history.Step) {
	about := fmt.Sprint(s.watch, " ", step.Revision, " ", step.Key)
	story := []string{c.step(s.watch, s.previous), c.step(s.watch, step)}
	key, twice := s.seen[step.Revision]
	switch {
	case twice && key == step.Key:
		c.violate(DoubledEvent, about, step.Key, step.Time, story, "watch %d received the change of %s at revision %d twice", s.watch, step.Key, step.Revision)
	case step.Revision <= s.start:
		c.violate(UnorderedEvent, about, step.Key, step.Time, story, "watch %d follows what comes after revision %d, and received %d", s.watch, s.start, step.Revision)
	case step.Revision <= s.last:
		c.violate(UnorderedEvent, about, step.Key, step.Time, story, "watch %d received revision %d after %d", s.watch, step.Revision, s.last)
	}
	fits := map[history.Do]string{history.Create: "ADDED", history.Update: "MODIFIED"}
	if writer := c.h.Ops[step.By]; writer != nil && step.Type != "DELETED" && fits[writer.Do] != step.Type {
		c.violate(WrongEvent, about, step.Key, step.Time, c.with(c.step(s.watch, step), writer), "watch %d received %s for what operation %d (%s) did", s.watch, step.Type, writer.ID, writer.Do)
	}
	s.seen[step.Revision] = step.Key
	s.last = max(s.last, step.Revision)
}

// upTo is the revision up to which a watch owes all changes: where it got to, and at the end of a run that it had time to follow, all.
func (c *check) upTo(s *span) int64 {
	if s.open && c.h.End != nil {
		return max(s.last, c.h.End.Revision)
	}
	return s.last
}

func (c *check) missed(s *span, known []int64) {
	first, _ := slices.BinarySearch(known, s.start+1)
	for _, revision := range known[first:] {
		if revision > c.upTo(s) {
			return
		}
		if _, seen := s.seen[revision]; seen {
			continue
		}
		owner := c.revisions[revision]
		at := s.from
		if op := c.h.Ops[owner.by]; op != nil {
			at = max(at, op.Call)
		}
		c.violate(MissedEvent, fmt.Sprint(s.watch, " ", revision), owner.key, at, append(c.known(owner), c.reach(s)),
			"watch %d never received revision %d, %s", s.watch, revision, owner)
	}
}

func (c *check) reach(s *span) string {
	line := fmt.Sprintf("watch %d follows from revision %d on, and got to %d", s.watch, s.start, s.last)
	if s.last < c.upTo(s) {
		line += fmt.Sprintf("; the API server acknowledged %d before the end, and the watch had time", c.upTo(s))
	}
	return c.line(s.from, "%s", line)
}

func (c *check) step(watch int, step history.Step) string {
	switch step.Kind {
	case history.Event:
		return c.line(step.Time, "watch %d: %s %s, revision %d", watch, step.Type, step.Key, step.Revision)
	case history.Bookmark:
		return c.line(step.Time, "watch %d: has all up to revision %d", watch, step.Revision)
	default:
		return c.line(step.Time, "watch %d: begins after revision %d", watch, step.Revision)
	}
}

// unseenDeletion is one that was acknowledged and that no watch saw. Its revision lies between those of writes that were over
// before it, and of writes that began after it.
type unseenDeletion struct {
	op            *history.Op
	after, before int64
}

func (c *check) unseenDeletions() []unseenDeletion {
	var unseen []unseenDeletion
	for _, asked := range c.removals {
		for _, op := range asked {
			if op.Acknowledged() && c.deletions[op.Key] == nil {
				unseen = append(unseen, unseenDeletion{op: op})
			}
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	points := slices.DeleteFunc(c.points(), func(p point) bool { return p.op == nil })
	over := slices.Clone(points)
	slices.SortFunc(over, func(a, b point) int { return cmp.Compare(a.till, b.till) })
	highest, lowest := make([]int64, len(over)+1), make([]int64, len(points)+1)
	for i, p := range over {
		highest[i+1] = max(highest[i], p.revision)
	}
	lowest[len(points)] = math.MaxInt64
	for i := len(points) - 1; i >= 0; i-- {
		lowest[i] = lowest[i+1]
		if points[i].own {
			lowest[i] = min(lowest[i], points[i].revision)
		}
	}
	for i := range unseen {
		op := unseen[i].op
		unseen[i].after = highest[sort.Search(len(over), func(j int) bool { return over[j].till >= op.Call })]
		unseen[i].before = lowest[sort.Search(len(points), func(j int) bool { return points[j].after > op.Return })]
	}
	slices.SortFunc(unseen, func(a, b unseenDeletion) int { return cmp.Compare(a.op.ID, b.op.ID) })
	return unseen
}

package verify

import (
	"cmp"
	"fmt"
	"slices"

	"geminios/failover-checker/history"
)

// point is something that happened at a revision, at some time between two.
type point struct {
	revision    int64
	after, till int64
	own         bool // nothing else has this revision: a write
	op          *history.Op
	where       string
}

// points are all writes whose revision is known, lists, and bookmarks, by the time after which they happened.
func (c *check) points() []point {
	var points []point
	for _, op := range c.h.Order {
		switch seen := c.sights[op.ID]; {
		case (op.Do == history.Create || op.Do == history.Update) && seen != nil && !refused(op):
			points = append(points, point{seen.revision, op.Call, max(op.Call, min(op.Return, seen.at)), true, op, ""})
		case op.Do == history.List && op.Outcome == history.Ok:
			points = append(points, point{op.Revision, op.Call, op.Return, false, op, ""})
		}
	}
	for key, seen := range c.deletions {
		asked, till := c.removals[key], seen.at
		for _, op := range asked {
			if op.Outcome == history.Ok {
				till = min(till, op.Return)
			}
		}
		points = append(points, point{seen.revision, asked[0].Call, max(asked[0].Call, till), true, asked[0], ""})
	}
	for number, steps := range c.h.Watches {
		for _, step := range steps {
			if step.Kind == history.Bookmark {
				points = append(points, point{step.Revision, step.Time, step.Time, false, nil, fmt.Sprintf("watch %d was told that it has all up to revision %d", number, step.Revision)})
			}
		}
	}
	slices.SortStableFunc(points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(a.revision, b.revision))
	})
	return points
}

// order checks that what began after something else was over has no smaller revision, and a write a greater one.
func (c *check) order() {
	begun := c.points()
	over := slices.Clone(begun)
	slices.SortStableFunc(over, func(a, b point) int { return cmp.Compare(a.till, b.till) })
	var highest point
	for _, now := range begun {
		for len(over) > 0 && over[0].till < now.after {
			if over[0].revision > highest.revision {
				highest = over[0]
			}
			over = over[1:]
		}
		// A bookmark may be late, so that it promises less than is there.
		if now.op == nil || now.revision > highest.revision || now.revision == highest.revision && !now.own {
			continue
		}
		c.violate(RevisionBack, now.describe(), now.key(), now.till, append(c.point(highest), c.point(now)...),
			"%s has revision %d, and %s had revision %d before it began", now.describe(), now.revision, highest.describe(), highest.revision)
	}
}

func (p point) key() string {
	if p.op == nil {
		return ""
	}
	return p.op.Key
}

func (p point) describe() string {
	if p.op == nil {
		return p.where
	}
	return fmt.Sprintf("operation %d (%s %s)", p.op.ID, p.op.Do, p.op.Key)
}

func (c *check) point(p point) []string {
	if p.op == nil {
		return []string{c.line(p.till, "%s", p.where)}
	}
	return c.story(p.op)
}

package verify

import (
	"cmp"
	"fmt"
	"slices"

	"geminios/failover-checker/history"
)

// object is one whose operations have no order: this file finds out what went wrong, in the order of what a reader wants to know.
type object struct {
	*check
	key     string
	actions []*action
	writes  []*action           // those with an effect
	reads   []*action           // those that tell a state, by time
	parent  map[int64]int64     // by writer: whose content it replaced
	heirs   map[int64][]*action // by writer: who replaced its content
}

func (c *check) diagnose(key string, actions []*action) {
	o := object{check: c, key: key, actions: actions, parent: map[int64]int64{}, heirs: map[int64][]*action{}}
	for _, a := range actions {
		switch {
		case a.op.Do.Writes() && (a.op.Outcome == history.Ok || a.op.Outcome == history.Unknown && !a.maybe):
			o.writes = append(o.writes, a)
			o.heirs[a.op.Expect] = append(o.heirs[a.op.Expect], a)
			if a.op.Do != history.Delete {
				o.parent[a.op.ID] = a.op.Expect
			}
		case !a.op.Do.Writes() || a.op.Outcome == history.Absent:
			o.reads = append(o.reads, a)
		}
	}
	slices.SortStableFunc(o.reads, func(a, b *action) int { return cmp.Compare(a.op.Call, b.op.Call) })
	if o.lost() || o.forked() || o.falseConflict() {
		return
	}
	var all []*history.Op
	for _, a := range actions {
		all = append(all, a.op)
	}
	c.violate(NotLinear, key, key, actions[0].op.Call, c.story(all...), "no order of the operations on %s explains their outcomes", key)
}

// follows says whether a state comes after what `write` wrote, or is that.
func (o *object) follows(state int64, write *action) bool {
	if write.op.Do == history.Delete {
		return state <= 0
	}
	if state <= 0 {
		return slices.ContainsFunc(o.actions, func(a *action) bool {
			return a.op.Do == history.Delete && !refused(a.op) && o.follows(a.op.Expect, write)
		})
	}
	for steps := 0; state > 0 && steps <= len(o.parent); steps++ {
		if state == write.op.ID {
			return true
		}
		state = o.parent[state]
	}
	return false
}

// lost finds the first read that does not see a write which was acknowledged, or seen by somebody, before.
func (o *object) lost() bool {
	for i, read := range o.reads {
		for _, write := range o.writes {
			if o.end(write) >= read.op.Call || o.follows(read.sees, write) {
				continue
			}
			story := []*history.Op{write.op, read.op}
			if by := o.h.Ops[read.sees]; by != nil {
				story = append(story, by)
			}
			for _, later := range o.reads[i+1:] {
				if later.op.Call > read.op.Return && o.follows(later.sees, write) {
					o.violate(StaleRead, o.key, o.key, read.op.Return, o.story(append(story, later.op)...),
						"%s: operation %d saw %s, though operation %d was known to be done %s; operation %d saw it again",
						o.key, read.op.ID, name(read.sees), write.op.ID, o.before(write, read), later.op.ID)
					return true
				}
			}
			if rival := o.rival(write); rival != nil && write.op.Do == history.Update {
				o.violate(LostIncrement, o.key, o.key, read.op.Return, o.story(append(story, rival.op)...),
					"%s: operations %d and %d both replaced %s, so that the value counts one of them only", o.key, write.op.ID, rival.op.ID, name(write.op.Expect))
				return true
			}
			o.violate(LostWrite, o.key, o.key, read.op.Return, o.story(story...),
				"%s: operation %d (%s) was known to be done %s, and is gone: operation %d saw %s", o.key, write.op.ID, write.op.Do, o.before(write, read), read.op.ID, name(read.sees))
			return true
		}
	}
	return false
}

func (o *object) before(write, read *action) string {
	how := "acknowledged"
	if o.end(write) != write.op.Return {
		how = "seen by " + o.sights[write.op.ID].where
	}
	return fmt.Sprintf("%.3f s before (%s)", float64(read.op.Call-o.end(write))/1e9, how)
}

// rival is another write that replaced the same content.
func (o *object) rival(write *action) *action {
	for _, other := range o.heirs[write.op.Expect] {
		if other != write {
			return other
		}
	}
	return nil
}

// forked finds two writes that replaced the same content, though nothing was read that misses one.
func (o *object) forked() bool {
	for _, write := range o.writes {
		if rival := o.rival(write); rival != nil {
			kind, what := LostIncrement, "replaced"
			if write.op.Do == history.Create {
				kind, what = LostWrite, "were made in the place of"
			}
			o.violate(kind, o.key, o.key, max(write.op.Call, rival.op.Call), o.story(write.op, rival.op),
				"%s: operations %d and %d both %s %s", o.key, write.op.ID, rival.op.ID, what, name(write.op.Expect))
			return true
		}
	}
	return false
}

// falseConflict finds a refusal because of a change that nobody had made.
func (o *object) falseConflict() bool {
	for _, a := range o.actions {
		if a.op.Outcome != history.Conflict {
			continue
		}
		changed := slices.ContainsFunc(o.actions, func(other *action) bool {
			return other.op.Do.Writes() && !refused(other.op) && other.op.Expect == a.op.Expect && other.op.Call < a.op.Return
		})
		if !changed {
			o.violate(FalseConflict, o.key, o.key, a.op.Return, o.story(a.op, o.h.Ops[a.op.Expect]),
				"%s: operation %d was refused because of a change, and nobody had changed it", o.key, a.op.ID)
			return true
		}
	}
	return false
}

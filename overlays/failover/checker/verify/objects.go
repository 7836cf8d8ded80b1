package verify

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"geminios/failover-checker/history"
)

// patience with one object; none has so many operations that it takes a second.
const patience = time.Minute

// States of an object that is not there. Otherwise its state is the operation that wrote it.
const (
	never   int64 = 0
	deleted int64 = -1
)

// action is an operation on one object, as the model sees it.
type action struct {
	op    *history.Op
	sees  int64 // of a read: the state; never or deleted, if absent
	maybe bool  // it may have done nothing
}

// model is an object of the API server: created once, replaced and deleted by compare-and-swap.
var model = porcupine.Model{
	Init: func() any { return never },
	Step: func(state, input, _ any) (bool, any) { return input.(*action).step(state.(int64)) },
}

func (a *action) step(state int64) (bool, any) {
	there := state > 0
	if !a.op.Do.Writes() {
		if a.sees > 0 {
			return state == a.sees, state
		}
		return !there, state
	}
	expected, next := state == a.op.Expect, a.op.ID
	switch a.op.Do {
	case history.Create:
		expected = !there
	case history.Delete:
		next = deleted
	}
	switch a.op.Outcome {
	case history.Conflict:
		return there && !expected, state
	case history.Absent:
		return !there, state
	case history.Unknown:
		if !expected {
			return a.maybe, state
		}
	}
	return expected, next
}

// objects checks that each object's operations are linearizable.
func (c *check) objects() {
	actions := c.actions()
	for _, key := range slices.Sorted(maps.Keys(actions)) {
		if c.haunted[key] {
			continue
		}
		var operations []porcupine.Operation
		for _, a := range actions[key] {
			operations = append(operations, porcupine.Operation{Input: a, Call: a.op.Call, Return: c.end(a)})
		}
		switch porcupine.CheckOperationsTimeout(model, operations, patience) {
		case porcupine.Illegal:
			c.diagnose(key, actions[key])
		case porcupine.Unknown:
			c.undecided = append(c.undecided, key)
		}
	}
}

// end is by when an operation took effect: when it was answered, or seen by somebody.
func (c *check) end(a *action) int64 {
	end := a.op.Return
	if a.op.Do == history.Create || a.op.Do == history.Update {
		if seen := c.sights[a.op.ID]; seen != nil {
			end = min(end, max(seen.at, a.op.Call))
		}
	}
	return end
}

// actions sorts all operations by object. Left out is what neither did nor tells anything.
func (c *check) actions() map[string][]*action {
	writes := map[string][]*history.Op{}
	actions := map[string][]*action{}
	var lists []*history.Op
	for _, op := range c.h.Order {
		switch {
		case op.Do.Writes():
			writes[op.Key] = append(writes[op.Key], op)
		case op.Do == history.Get && (op.Outcome == history.Ok || op.Outcome == history.Absent):
			actions[op.Key] = append(actions[op.Key], &action{op: op, sees: op.By})
		case op.Do == history.List && op.Outcome == history.Ok:
			lists = append(lists, op)
		}
	}
	for key, ops := range writes {
		actions[key] = append(actions[key], c.effects(ops)...)
	}
	for _, list := range lists {
		held := make(map[string]bool, len(list.Items))
		for _, item := range list.Items {
			held[item.Key] = true
			actions[item.Key] = append(actions[item.Key], &action{op: list, sees: item.By})
		}
		for key, ops := range writes {
			if !held[key] && c.matters(list, ops) {
				actions[key] = append(actions[key], &action{op: list})
			}
		}
	}
	return actions
}

// effects leaves out writes of unknown outcome that cannot have had one. All contents differ, so each is replaced at most once: if it
// is known by what, no other write was it. Of those that may have replaced what nothing else is known to have replaced, the
// first one stands for all, since nobody has seen which it was.
func (c *check) effects(ops []*history.Op) []*action {
	replaced := map[int64]bool{}
	for _, op := range ops {
		if op.Outcome == history.Ok || c.sights[op.ID] != nil {
			replaced[op.Expect] = true
		}
	}
	var actions []*action
	for _, op := range ops {
		switch {
		case op.Outcome == history.Failed:
		case op.Outcome != history.Unknown || c.sights[op.ID] != nil:
			actions = append(actions, &action{op: op})
		case !replaced[op.Expect]:
			replaced[op.Expect] = true
			actions = append(actions, &action{op: op, maybe: true})
		}
	}
	return actions
}

// matters says whether it means anything that a list does not hold an object: not if it was yet to come, or was deleted long before.
func (c *check) matters(list *history.Op, writes []*history.Op) bool {
	var there bool
	for _, op := range writes {
		if op.Do == history.Delete && (op.Outcome == history.Ok || op.Outcome == history.Absent) && op.Until < list.Call {
			return false
		}
		there = there || op.Call <= list.Return && (op.Outcome == history.Ok || c.sights[op.ID] != nil)
	}
	return there
}

func name(state int64) string {
	if state <= 0 {
		return "nothing"
	}
	return fmt.Sprintf("what operation %d wrote", state)
}

package verify

import (
	"cmp"
	"fmt"
	"slices"

	"geminios/failover-checker/history"
)

// shown is how many operations a story has at most.
const shown = 12

func (c *check) line(at int64, format string, args ...any) string {
	return c.h.At(at) + "  " + fmt.Sprintf(format, args...)
}

// with is the story of some operations, and how it ended.
func (c *check) with(end string, ops ...*history.Op) []string { return append(c.story(ops...), end) }

// story tells operations, each once, by time.
func (c *check) story(ops ...*history.Op) []string {
	ops = slices.DeleteFunc(slices.Clone(ops), func(op *history.Op) bool { return op == nil })
	slices.SortFunc(ops, func(a, b *history.Op) int { return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.ID, b.ID)) })
	ops = slices.Compact(ops)
	var lines []string
	for i, op := range ops {
		if i == shown {
			return append(lines, fmt.Sprintf("… and %d more", len(ops)-shown))
		}
		lines = append(lines, c.tell(op))
	}
	return lines
}

func (c *check) tell(op *history.Op) string {
	asked := fmt.Sprintf("operation %d: %s %s", op.ID, op.Do, op.Key)
	if op.Do == history.Update || op.Do == history.Delete {
		asked += fmt.Sprintf(" if it holds what operation %d wrote", op.Expect)
	}
	if op.Do == history.Update || op.Count > 0 {
		asked += fmt.Sprintf(", new value %d", op.Count)
	}
	if op.ReadBack {
		asked += " (read back)"
	}
	var got string
	switch {
	case op.Outcome == history.Ok && op.Do == history.Get:
		got = fmt.Sprintf("saw what operation %d wrote, value %d, revision %d", op.By, op.SeenCount, op.Revision)
	case op.Outcome == history.Ok && op.Do == history.List:
		got = fmt.Sprintf("%d objects, revision %d", len(op.Items), op.Revision)
	case op.Outcome == history.Ok && op.Do == history.Delete:
		got = "acknowledged"
	case op.Outcome == history.Ok:
		got = fmt.Sprintf("acknowledged, revision %d", op.Revision)
	case op.Outcome == history.Unknown:
		got = "outcome unknown, " + op.Why
	case op.Outcome == history.Absent:
		got = "not there, " + op.Why
	default:
		got = "refused, " + op.Why
	}
	return c.line(op.Call, "%s\n    %s  → %s", asked, c.h.At(op.Until), got)
}

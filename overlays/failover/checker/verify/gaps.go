package verify

import (
	"cmp"
	"slices"
	"time"

	"geminios/failover-checker/history"
)

// Gap is a time without an acknowledgement. It begins with one, or the start of the run, and ends with one, or the end of the history.
type Gap struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Seconds float64   `json:"seconds"`
	Ended   bool      `json:"ended"`                   // by an acknowledgement
	Since   float64   `json:"seconds_since,omitempty"` // from the instant that was asked about to the end of the gap
}

// What a gap is one of.
var what = []struct {
	Name string
	is   func(op *history.Op) bool
}{
	{"writes", (*history.Op).Acknowledged},
	{"reads", func(op *history.Op) bool {
		return op.Do == history.Get && (op.Outcome == history.Ok || op.Outcome == history.Absent)
	}},
}

// Gaps are the longest ones, by what they are gaps of: longest first, those that end after `since`.
func Gaps(h *history.History, since time.Time, most int) map[string][]Gap {
	found := map[string][]Gap{}
	for _, kind := range what {
		var times []int64
		var end int64
		for _, op := range h.Order {
			if op.ReadBack {
				continue
			}
			end = max(end, op.Call)
			if op.Until != history.Never {
				end = max(end, op.Until)
			}
			if kind.is(op) {
				times = append(times, op.Return)
			}
		}
		slices.Sort(times)
		gaps := []Gap{}
		before := int64(0)
		for i, t := range append(times, end) {
			gap := Gap{From: wall(h, before), To: wall(h, t), Seconds: time.Duration(t - before).Seconds(), Ended: i < len(times)}
			if !since.IsZero() {
				gap.Since = gap.To.Sub(since).Seconds()
			}
			if gap.To.After(since) {
				gaps = append(gaps, gap)
			}
			before = t
		}
		slices.SortStableFunc(gaps, func(a, b Gap) int { return cmp.Compare(b.Seconds, a.Seconds) })
		found[kind.Name] = gaps[:min(most, len(gaps))]
	}
	return found
}

func wall(h *history.History, t int64) time.Time { return h.Start.Wall.Add(time.Duration(t)) }

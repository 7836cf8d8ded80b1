package verify

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"geminios/failover-checker/history"
)

// Report is the judgement.
type Report struct {
	Run        string         `json:"run"`
	Server     string         `json:"server"`
	Start      time.Time      `json:"start"`
	Seconds    float64        `json:"seconds"`
	Writes     Tally          `json:"writes"`
	Reads      Tally          `json:"reads"`
	Objects    int            `json:"objects"` // whose operations were put into an order
	Watches    []WatchTally   `json:"watches"`
	ReadBack   bool           `json:"read_back"`
	Longest    []Gap          `json:"longest_without_acknowledged_write"`
	Notes      []string       `json:"notes"`
	Undecided  []string       `json:"undecided"` // objects on which the search took too long
	Counts     map[string]int `json:"counts"`    // of violations, by kind
	Violations []Violation    `json:"violations"`
	Nothing    bool           `json:"nothing_to_judge"` // not one write was acknowledged
}

// Tally counts outcomes.
type Tally struct {
	Acknowledged int `json:"acknowledged"`
	Refused      int `json:"refused"`
	Unknown      int `json:"unknown"`
	Happened     int `json:"unknown_that_happened"`
}

// WatchTally counts what a watch went through.
type WatchTally struct {
	Watch    int `json:"watch"`
	Events   int `json:"events"`
	Resumed  int `json:"resumed"`
	Relisted int `json:"relisted"`
}

// Kept says whether all promises were.
func (r *Report) Kept() bool { return len(r.Counts) == 0 }

// Certain says whether everything could be judged.
func (r *Report) Certain() bool { return !r.Nothing && len(r.Undecided) == 0 }

func (c *check) report() *Report {
	r := &Report{Run: c.h.Start.Run, Server: c.h.Start.Server, Start: c.h.Start.Wall, Notes: append([]string{}, c.h.Notes...), Undecided: append([]string{}, c.undecided...),
		Counts: c.counts, Violations: append([]Violation{}, c.found...), Watches: []WatchTally{}}
	keys := map[string]bool{}
	for _, op := range c.h.Order {
		tally := &r.Reads
		if op.Do.Writes() {
			tally = &r.Writes
			keys[op.Key] = true
		}
		switch {
		case op.Outcome == history.Unknown:
			tally.Unknown++
			if c.sights[op.ID] != nil {
				tally.Happened++
			}
		case op.Outcome == history.Ok || !op.Do.Writes() && op.Outcome == history.Absent:
			tally.Acknowledged++
		default:
			tally.Refused++
		}
		if op.ReadBack && op.Outcome == history.Ok {
			r.ReadBack = true
		} else if !op.ReadBack {
			r.Seconds = max(r.Seconds, time.Duration(op.Call).Seconds())
		}
	}
	r.Objects = len(keys)
	r.Nothing = r.Writes.Acknowledged == 0
	for _, number := range slices.Sorted(maps.Keys(c.h.Watches)) {
		tally := WatchTally{Watch: number, Relisted: -1, Resumed: -1}
		for _, step := range c.h.Watches[number] {
			switch step.Kind {
			case history.Event:
				tally.Events++
			case history.Watching:
				tally.Resumed++
				if step.List != 0 {
					tally.Relisted++
				}
			}
		}
		tally.Resumed = max(0, tally.Resumed-max(0, tally.Relisted))
		tally.Relisted = max(0, tally.Relisted)
		r.Watches = append(r.Watches, tally)
	}
	r.Longest = Gaps(c.h, time.Time{}, 3)["writes"]
	if !r.ReadBack {
		r.Notes = append(r.Notes, "not read back at the end: a write that was lost late may not show (--kubeconfig or --server reads it back)")
	}
	if c.h.End != nil && c.h.End.Revision == 0 {
		r.Notes = append(r.Notes, "the API server did not answer at the end: watches are judged up to what they received")
	}
	return r
}

// Print tells it to a person.
func (r *Report) Print(out io.Writer) {
	fmt.Fprintf(out, "run      %s against %s, %s, %.1f s\n", r.Run, r.Server, r.Start.UTC().Format(time.RFC3339), r.Seconds)
	for _, row := range []struct {
		name string
		t    Tally
	}{{"writes", r.Writes}, {"reads", r.Reads}} {
		fmt.Fprintf(out, "%-8s %d acknowledged, %d refused, %d of unknown outcome", row.name, row.t.Acknowledged, row.t.Refused, row.t.Unknown)
		if row.t.Happened > 0 {
			fmt.Fprintf(out, ", %d of which were seen to have happened", row.t.Happened)
		}
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "objects  %d\n", r.Objects)
	for _, w := range r.Watches {
		fmt.Fprintf(out, "watch %d  %d events, resumed %d times, listed anew %d times\n", w.Watch, w.Events, w.Resumed, w.Relisted)
	}
	PrintGaps(out, "writes", r.Longest)
	for _, note := range r.Notes {
		fmt.Fprintln(out, "note    ", note)
	}
	for _, key := range r.Undecided {
		fmt.Fprintln(out, "note     no verdict on", key, "within", patience)
	}
	for _, v := range r.Violations {
		fmt.Fprintf(out, "\n%s: %s\n  %s\n", v.Kind, v.What, strings.ReplaceAll(strings.Join(v.Story, "\n"), "\n", "\n  "))
	}
	if len(r.Violations) > 0 {
		fmt.Fprintln(out)
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(r.Counts)) {
		kinds = append(kinds, fmt.Sprintf("%s %d", kind, r.Counts[kind]))
	}
	switch {
	case len(kinds) > 0:
		fmt.Fprintf(out, "VIOLATED %s (at most %d of a kind are told)\n", strings.Join(kinds, ", "), told)
	case r.Nothing:
		fmt.Fprintln(out, "NOTHING  no write was acknowledged: there is nothing to judge")
	case !r.Certain():
		fmt.Fprintln(out, "OPEN     nothing was found, but not all could be judged")
	default:
		fmt.Fprintln(out, "OK       nothing is violated")
	}
}

// PrintGaps tells gaps to a person.
func PrintGaps(out io.Writer, name string, gaps []Gap) {
	for _, gap := range gaps {
		end := "to " + clock(gap.To)
		if !gap.Ended {
			end = "to the end of the history, " + clock(gap.To)
		}
		if gap.Since != 0 {
			end += fmt.Sprintf(", %.3f s after the instant asked about", gap.Since)
		}
		fmt.Fprintf(out, "%-8s %.3f s without an acknowledgement, from %s %s\n", name, gap.Seconds, clock(gap.From), end)
	}
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

package verify_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"geminios/failover-checker/history"
	"geminios/failover-checker/verify"
)

// parse reads a story, one operation or event a line, with times in milliseconds:
//
//	1 create a 10-12 ok@101        operation 1 made a between 10 and 12, revision 101
//	2 update:1 a 15-16 unknown     replaces what operation 1 wrote
//	3 get a 20-21 saw:2@102        5 list - 30-31 rv@103 a=2@102
//	w1 5 from:4@100                watch 1 begins after revision 100, of list 4 (0: where it broke)
//	w1 6 ADDED a=1@101             w1 7 mark@105
//	end 99 @103                    the run ended by itself
func parse(t *testing.T, text string) *history.History {
	t.Helper()
	records := []history.Record{{Kind: history.Started, Start: &history.Start{Version: history.Version, Run: "run", Wall: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}}}
	counts := map[int64]int64{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") { // reads may stand before what they saw
		if word := strings.Fields(line); strings.HasPrefix(word[1], "update:") {
			counts[number(word[0])] = counts[number(word[1][len("update:"):])] + 1
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		word := strings.Fields(line)
		switch {
		case word[0] == "end":
			records = append(records, history.Record{Time: ms(word[1]), Kind: history.Ended, Revision: number(strings.TrimPrefix(word[2], "@"))})
		case word[0][0] == 'w':
			record := history.Record{Time: ms(word[1]), Watch: int(number(word[0][1:]))}
			what, revision, _ := strings.Cut(word[2], "@")
			switch kind, list, _ := strings.Cut(what, ":"); kind {
			case "from":
				record.Kind, record.Op, record.Revision = history.Watching, number(list), number(revision)
			case "mark":
				record.Kind, record.Revision = history.Bookmark, number(revision)
			default:
				item := item(word[3], counts)
				record.Kind, record.Type, record.Key, record.By, record.Count, record.Revision = history.Event, what, item.Key, item.By, item.Count, item.Revision
			}
			records = append(records, record)
		default:
			id := number(word[0])
			do, expect, _ := strings.Cut(word[1], ":")
			from, till, _ := strings.Cut(word[3], "-")
			invoke := history.Record{Time: ms(from), Kind: history.Invoke, Op: id, Do: history.Do(do), Key: word[2], Expect: number("0" + expect)}
			if do == "update" {
				invoke.Count = counts[invoke.Expect] + 1
			}
			what, revision, _ := strings.Cut(word[4], "@")
			kind, by, _ := strings.Cut(what, ":")
			outcome := history.Record{Time: ms(till), Kind: history.Kind(kind), Op: id, Revision: number("0" + revision)}
			switch {
			case kind == "saw":
				outcome.Kind, outcome.By, outcome.Count = history.Ok, number(by), counts[number(by)]
			case do == "list":
				outcome.Kind = history.Ok
				for _, held := range word[5:] {
					outcome.Items = append(outcome.Items, item(held, counts))
				}
			case kind == "ok" && do != "delete":
				outcome.By, outcome.Count = id, invoke.Count
			}
			records = append(records, invoke, outcome)
		}
	}
	return read(t, records)
}

// item reads `a=1@101`, or `a=1+1@101` for a value that is one too great.
func item(text string, counts map[int64]int64) history.Item {
	key, rest, _ := strings.Cut(text, "=")
	by, revision, _ := strings.Cut(rest, "@")
	by, more, _ := strings.Cut(by, "+")
	return history.Item{Key: key, By: number(by), Count: counts[number(by)] + number("0"+more), Revision: number(revision)}
}

func ms(text string) int64 { return number(text) * int64(time.Millisecond) }

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("%q in a story is no number", text))
	}
	return n
}

// read takes records through the file's format.
func read(t *testing.T, records []history.Record) *history.History {
	t.Helper()
	var file strings.Builder
	for _, record := range records {
		line, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		file.Write(append(line, '\n'))
	}
	h, err := history.Read(strings.NewReader(file.String()))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// expect checks that just these kinds of violations are found, and told.
func expect(t *testing.T, h *history.History, want ...string) *verify.Report {
	t.Helper()
	report := verify.Check(h)
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(report.Counts)); !slices.Equal(got, want) {
		var told strings.Builder
		report.Print(&told)
		t.Errorf("got %v, want %v\n%s", got, want, told.String())
	}
	for _, violation := range report.Violations {
		if len(violation.Story) == 0 || violation.What == "" {
			t.Errorf("%s tells no story", violation.Kind)
		}
	}
	return report
}

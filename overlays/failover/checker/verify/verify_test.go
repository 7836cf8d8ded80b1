package verify_test

import (
	"strings"
	"testing"
	"time"

	"geminios/failover-checker/verify"
)

// Two objects, a counter and a deletion, seen by a watch.
const plain = `
1 list - 0-1 rv@100
w1 2 from:1@100
2 create a 10-12 ok@101
w1 13 ADDED a=2@101
3 create r 14-16 ok@102
w1 17 ADDED r=3@102
4 get r 18-19 saw:3@102
5 update:3 r 20-22 ok@103
w1 23 MODIFIED r=5@103
6 update:3 r 24-25 conflict
7 delete:2 a 26-28 ok
w1 29 DELETED a=2@104
8 get a 30-31 absent
11 create u 31-32 failed
9 create z 32-33 ok@105
w1 34 ADDED z=9@105
10 list - 40-41 rv@105 r=5@103 z=9@105
end 50 @105`

func TestGoodHistories(t *testing.T) {
	for name, more := range map[string]string{
		"plain": "",
		"an unknown creation that did not happen":                 "20 create u 60-61 unknown\n21 list - 70-71 rv@105 r=5@103 z=9@105",
		"an unknown creation that did":                            "20 create u 60-61 unknown\n21 list - 70-71 rv@106 r=5@103 z=9@105 u=20@106",
		"one that happens long after the client gave up":          "20 create u 60-61 unknown\n21 get u 70-71 absent\n22 get u 80-81 saw:20@106",
		"a second attempt finds the first one":                    "20 create u 60-61 unknown\n21 create u 62-63 conflict\n22 get u 70-71 saw:20@106",
		"the first attempt comes after the second":                "20 create u 60-61 unknown\n21 create u 62-63 ok@106\n22 get u 70-71 saw:21@106",
		"an unknown update that did not happen":                   "20 update:5 r 60-61 unknown\n21 get r 70-71 saw:5@103\n22 update:5 r 72-73 ok@106",
		"one that did":                                            "20 update:5 r 60-61 unknown\n21 update:5 r 72-73 conflict\n22 get r 74-75 saw:20@106\n23 update:20 r 76-77 ok@107",
		"many unknown ones of which one happened":                 "20 update:5 r 60-61 unknown\n21 update:5 r 60-62 unknown\n22 update:5 r 60-63 unknown\n24 get r 70-71 saw:21@106",
		"one that nobody read, and that makes a conflict":         "20 update:5 r 60-61 unknown\n21 update:5 r 72-73 conflict",
		"a read at the same time as a write":                      "20 update:5 r 60-70 ok@106\n21 get r 61-62 saw:20@106\n22 get r 63-64 saw:20@106",
		"an unknown deletion, tried again":                        "20 delete:9 z 60-61 unknown\n21 delete:9 z 62-63 absent\n22 get z 64-65 absent",
		"refused, and not there":                                  "20 create u 60-61 failed\n21 list - 70-71 rv@105 r=5@103 z=9@105",
		"a revision guard skips many":                             "20 create u 60-61 ok@9000",
		"a watch goes on where it broke":                          "w1 60 from:0@105\n20 create u 61-62 ok@106\nw1 63 ADDED u=20@106\nw1 64 mark@110\nw1 65 from:0@110",
		"a watch lists anew, and what was between is in the list": "20 create u 61-62 ok@106\n21 list - 63-64 rv@106 r=5@103 z=9@105 u=20@106\nw1 65 from:21@106",
	} {
		t.Run(name, func(t *testing.T) {
			if report := expect(t, parse(t, plain+"\n"+more)); !report.Certain() {
				t.Error("not certain")
			}
		})
	}
}

func TestPlantedViolations(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"an acknowledged creation is gone", "r=5@103 z=9@105", "r=5@103", verify.LostWrite},
		{"an acknowledged update is gone", "r=5@103 z", "r=3@102 z", verify.LostWrite},
		{"an acknowledged deletion is undone", "rv@105 r", "rv@105 a=2@101 r", verify.LostWrite},
		{"an increment is lost", "end", "20 update:3 r 42-43 ok@106\nw1 44 MODIFIED r=20@106\n21 get r 45-46 saw:20@106\nend", verify.LostIncrement},
		{"two increments of the same value", "6 update:3 r 24-25 conflict", "6 update:3 r 24-25 ok@104\nw1 25 MODIFIED r=6@104", verify.LostIncrement + " " + verify.RevisionTwice + " " + verify.RevisionBack + " " + verify.UnorderedEvent},
		{"an unknown one of the same value, that a watch saw", "end", "20 update:3 r 42-43 unknown\nw1 44 MODIFIED r=20@106\nend", verify.LostIncrement},
		{"a read of what was replaced", "7 delete", "20 get r 24-25 saw:3@102\n7 delete", verify.StaleRead},
		{"a read that misses what is there", "7 delete", "20 get r 24-25 absent\n7 delete", verify.StaleRead},
		{"a list that misses what is there", "9 create", "20 list - 31-32 rv@104\n9 create", verify.StaleRead},
		{"a read goes back behind a watch", "5 update:3 r 20-22 ok@103", "5 update:3 r 20-22 unknown\n20 get r 24-25 saw:3@102", verify.StaleRead},
		{"refused, and there", "rv@105 r", "rv@106 u=11@106 r", verify.GhostWrite},
		{"in conflict, and there", "6 update:3 r 24-25 conflict", "6 update:5 r 24-25 conflict\n20 get r 25-26 saw:6@103", verify.GhostWrite + " " + verify.RevisionTwice},
		{"nobody wrote it", "rv@105 r", "rv@106 u=77@106 r", verify.GhostWrite},
		{"nobody deleted it", "w1 34", "w1 35 DELETED r=5@106\nw1 34", verify.GhostWrite + " " + verify.UnorderedEvent},
		{"another value", "r=5@103 z", "r=5+1@103 z", verify.WrongContent},
		{"a conflict without a cause", "6 update:3", "6 update:5", verify.FalseConflict},
		{"a creation conflicts with nothing", "9 create z", "20 create u 31-32 conflict\n9 create z", verify.FalseConflict},
		{"seen before it was written", "4 get r 18-19 saw:3@102", "4 get r 18-19 saw:5@103", verify.NotLinear},
		{"a revision goes back", "ok@105\nw1 34 ADDED z=9@105", "ok@99", verify.RevisionBack + " " + verify.RevisionChange + " " + verify.MissedEvent},
		{"a revision is given twice", "ok@105\nw1 34 ADDED z=9@105", "ok@103", verify.RevisionBack + " " + verify.RevisionTwice + " " + verify.RevisionChange + " " + verify.MissedEvent},
		{"a list of an earlier revision", "rv@105 r", "rv@104 r", verify.RevisionBack},
		{"one write, two revisions", "r=5@103 z", "r=5@102 z", verify.RevisionChange + " " + verify.RevisionTwice},
		{"an event is missing", "w1 23 MODIFIED r=5@103\n", "", verify.MissedEvent},
		{"the last event is missing", "w1 34 ADDED z=9@105\n", "", verify.MissedEvent},
		{"a deletion is missing", "w1 29 DELETED a=2@104\n", "", verify.MissedEvent},
		{"an event is missing after a watch went on", "w1 23 MODIFIED r=5@103\n", "w1 23 from:0@102\n", verify.MissedEvent},
		{"a bookmark hides an event", "w1 34 ADDED z=9@105\n", "w1 34 mark@105\n", verify.MissedEvent},
		{"an event comes twice", "7 delete", "w1 24 MODIFIED r=5@103\n7 delete", verify.DoubledEvent},
		{"an event comes twice after a watch went on", "7 delete", "w1 24 from:0@103\nw1 25 MODIFIED r=5@103\n7 delete", verify.DoubledEvent},
		{"events in the wrong order", "w1 17 ADDED r=3@102\n4 get r 18-19 saw:3@102\n5 update:3 r 20-22 ok@103\nw1 23 MODIFIED r=5@103",
			"5 update:3 r 20-22 ok@103\nw1 23 MODIFIED r=5@103\nw1 24 ADDED r=3@102", verify.UnorderedEvent},
		{"an event from before the watch", "end 50 @105", "w1 42 from:10@105\nw1 43 ADDED z=9@105", verify.UnorderedEvent},
		{"a bookmark goes back", "w1 29", "w1 28 mark@101\nw1 29", verify.UnorderedEvent},
		{"an event of another type", "MODIFIED r=5@103", "ADDED r=5@103", verify.WrongEvent},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Count(plain, c.old) != 1 {
				t.Fatalf("%q is in the plain story %d times", c.old, strings.Count(plain, c.old))
			}
			expect(t, parse(t, strings.Replace(plain, c.old, c.new, 1)), strings.Fields(c.want)...)
		})
	}
}

func TestAWatchIsJudgedUpToWhatItHadTimeFor(t *testing.T) {
	missing := strings.Replace(plain, "w1 34 ADDED z=9@105\n", "", 1)
	killed, _, _ := strings.Cut(missing, "end 50")
	expect(t, parse(t, killed))
	expect(t, parse(t, killed+"end 50 @0")) // the API server was away
}

func TestTheStoryNamesTheOperations(t *testing.T) {
	report := expect(t, parse(t, strings.Replace(plain, "r=5@103 z=9@105", "r=5@103", 1)), verify.LostWrite)
	var told strings.Builder
	report.Print(&told)
	for _, part := range []string{
		"lost-write: z: operation 9 (create) was known to be done 0.007 s before (acknowledged), and is gone: operation 10 saw nothing",
		"12:00:00.032 (+0.032s)  operation 9: create z", "12:00:00.033 (+0.033s)  → acknowledged, revision 105", "operation 10: list", "VIOLATED lost-write 1",
	} {
		if !strings.Contains(told.String(), part) {
			t.Errorf("misses %q:\n%s", part, told.String())
		}
	}
}

func TestNothingAcknowledgedIsNoProof(t *testing.T) {
	if report := expect(t, parse(t, "1 create a 10-12 unknown\nend 20 @0")); report.Certain() {
		t.Error("certain of nothing")
	}
}

func TestGaps(t *testing.T) {
	h := parse(t, `
1 create a 90-100 ok@101
2 create b 190-200 ok@102
3 create c 250-900 unknown
4 get b 400-450 saw:2@102
5 create d 1100-1200 ok@103
6 create e 1250-1300 ok@104
7 create f 1350-1900 unknown`)
	for _, c := range []struct {
		since time.Duration
		want  []float64
		ended bool
	}{
		{0, []float64{1, .6, .1, .1, .1}, true}, {1250 * time.Millisecond, []float64{.6, .1}, false},
	} {
		gaps := verify.Gaps(h, h.Start.Wall.Add(c.since), 9)["writes"]
		var got []float64
		for _, gap := range gaps {
			got = append(got, gap.Seconds)
		}
		if len(got) != len(c.want) || got[0] != c.want[0] || got[1] != c.want[1] || gaps[0].Ended != c.ended {
			t.Errorf("since %s: %+v", c.since, gaps)
		}
	}
	if reads := verify.Gaps(h, time.Time{}, 1)["reads"]; reads[0].Seconds != 1.45 || reads[0].Ended {
		t.Errorf("reads: %+v", reads)
	}
}

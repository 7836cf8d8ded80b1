package history_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"geminios/failover-checker/history"
)

func write(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "history")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func whole(t *testing.T) (string, string) {
	path := filepath.Join(t.TempDir(), "history")
	writer, err := history.New(path, history.Start{Run: "run"})
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range []history.Record{
		{Time: 1, Kind: history.Invoke, Op: 1, Do: history.Create, Key: "a"},
		{Time: 2, Kind: history.Ok, Op: 1, By: 1, Revision: 101},
		{Time: 3, Kind: history.Invoke, Op: 2, Do: history.Create, Key: "b"},
	} {
		if err := writer.Put(record); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path) // before it is closed: nothing waits in the process
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return path, string(text)
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	path, _ := whole(t)
	h, err := history.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	a, b := h.Ops[1], h.Ops[2]
	if a.Outcome != history.Ok || a.Revision != 101 || a.Call != 1 || a.Return != 2 || b.Outcome != history.Unknown || b.Return != history.Never || len(h.Order) != 2 || h.Last != 3 {
		t.Fatalf("%+v %+v", a, b)
	}
}

// kill -9 and a full disk may cut a file anywhere.
func TestACutAnywhereIsReadable(t *testing.T) {
	_, text := whole(t)
	first := strings.Index(text, "\n") + 1
	for cut := first; cut < len(text); cut++ {
		h, err := history.Load(write(t, text[:cut]))
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		torn := text[cut-1] != '\n'
		if said := strings.Contains(strings.Join(h.Notes, "\n"), "was cut"); said != torn {
			t.Fatalf("cut at %d: %v", cut, h.Notes)
		}
		if a := h.Ops[1]; a != nil && a.Outcome == history.Ok && strings.Count(text[:cut], "\n") < 3 {
			t.Fatalf("cut at %d: an outcome of half a line", cut)
		}
	}
}

func TestAReadBackFollowsACut(t *testing.T) {
	_, text := whole(t)
	path := write(t, text[:len(text)-5])
	writer, err := history.Reopen(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range []history.Record{{Time: 10, Kind: history.ReadBack}, {Time: 11, Kind: history.Invoke, Op: 9, Do: history.List}, {Time: 12, Kind: history.Ok, Op: 9, Revision: 7}} {
		if err := writer.Put(record); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	h, err := history.Load(path)
	if err != nil || !h.Ops[9].ReadBack || h.Ops[1].ReadBack || h.Ops[2] != nil {
		t.Fatalf("%+v, %v", h, err)
	}
}

func TestWhatIsNoHistory(t *testing.T) {
	_, text := whole(t)
	lines := strings.SplitAfter(text, "\n")
	for name, c := range map[string]struct{ text, want string }{
		"empty":                {"", "is empty"},
		"something else":       {"{\"t\":1,\"ev\":\"ok\",\"op\":1}\n", "no history"},
		"damage in the middle": {lines[0] + lines[1][:20] + "\n" + lines[2], "line 2 is no record"},
		"a newer format":       {strings.Replace(text, `"version":1`, `"version":2`, 1), "format 2"},
		"ended twice":          {lines[0] + lines[1] + lines[2] + lines[2], "line 4: operation 1 ends"},
		"begun twice":          {lines[0] + lines[1] + lines[1], "line 3: operation 1 is invoked twice"},
		"a watch from nowhere": {text + "{\"t\":4,\"ev\":\"watch\",\"w\":1,\"rv\":7}\n", "begins after revision 7"},
		"an unknown record":    {lines[0] + "{\"t\":1,\"ev\":\"dance\"}\n", "dance"},
	} {
		if _, err := history.Load(write(t, c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestAHistoryIsNeverOverwritten(t *testing.T) {
	path, text := whole(t)
	if _, err := history.New(path, history.Start{}); err == nil || !strings.Contains(err.Error(), "name another file") {
		t.Fatal(err)
	}
	if now, _ := os.ReadFile(path); string(now) != text {
		t.Fatal("changed")
	}
}

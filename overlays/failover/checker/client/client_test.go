package client_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"geminios/failover-checker/client"
	"geminios/failover-checker/fakeapi"
	"geminios/failover-checker/history"
)

// open is a client of a server whose faults a test may change.
func open(t *testing.T) (*fakeapi.Server, *client.Client, *atomic.Int64) {
	var fault atomic.Int64
	server := fakeapi.New(func(*http.Request) fakeapi.Fault { return fakeapi.Fault(fault.Load()) })
	t.Cleanup(server.Close)
	return server, connect(t, server, guard), &fault
}

// guard is against tests that hang.
const guard = time.Minute

func connect(t *testing.T, server *fakeapi.Server, timeout time.Duration) *client.Client {
	path, err := server.Kubeconfig(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	target, err := client.Open(path, client.Files{})
	if err != nil {
		t.Fatal(err)
	}
	return client.New(target, "trial", "run", timeout)
}

func TestWhatIsCertainAfterAWrite(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault fakeapi.Fault
		want  history.Kind
		why   string
		done  bool // it took effect
	}{
		{"answered", fakeapi.None, history.Ok, "", true},
		{"no answer in time", fakeapi.Hang, history.Unknown, "deadline", false},
		{"connection reset", fakeapi.Reset, history.Unknown, "EOF", false},
		{"connection reset after the write", fakeapi.LateReset, history.Unknown, "EOF", true},
		{"half an answer", fakeapi.Torn, history.Unknown, "201, and then", true},
		{"500 after the write", fakeapi.LateError, history.Unknown, "500", true},
		{"500", fakeapi.Refuse(500), history.Unknown, "500", false},
		{"503", fakeapi.Refuse(503), history.Unknown, "503", false},
		{"504", fakeapi.Refuse(504), history.Unknown, "504", false},
		{"429", fakeapi.Refuse(429), history.Unknown, "429", false},
		{"202: not yet", fakeapi.Refuse(202), history.Unknown, "202", false},
		{"a redirect is not followed", fakeapi.Refuse(307), history.Unknown, "307", false},
		{"400", fakeapi.Refuse(400), history.Failed, "400", false},
		{"403", fakeapi.Refuse(403), history.Failed, "403", false},
		{"422", fakeapi.Refuse(422), history.Failed, "422", false},
		{"404 for a creation: its namespace", fakeapi.Refuse(404), history.Failed, "404", false},
		{"409 for a reason that is not known", fakeapi.Refuse(409), history.Unknown, "409", false},
		{"403 from something on the way", fakeapi.Foreign(403), history.Unknown, "not in the API server's words", false},
		{"200 from something on the way", fakeapi.Foreign(200), history.Unknown, "cannot be read", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, api, fault := open(t)
			if c.fault == fakeapi.Hang {
				api = connect(t, server, 3*time.Second)
			}
			api.Get(t.Context(), "run-none") // connects
			fault.Store(int64(c.fault))
			got := api.Create(t.Context(), "run-k1", 7, 0)
			if got.Outcome != c.want || !strings.Contains(got.Why, c.why) {
				t.Fatalf("got %q (%s), want %q (%s)", got.Outcome, got.Why, c.want, c.why)
			}
			fault.Store(int64(fakeapi.None))
			if there := api.Get(t.Context(), "run-k1"); there.Outcome == history.Ok != c.done || c.done && there.By != 7 {
				t.Fatalf("afterwards: %+v", there)
			}
		})
	}
}

func TestNothingIsSentToAServerThatIsAway(t *testing.T) {
	server, api, _ := open(t)
	server.Close()
	if got := api.Create(t.Context(), "run-k1", 7, 0); got.Outcome != history.Failed || !strings.Contains(got.Why, "not sent") {
		t.Fatalf("%+v", got)
	}
}

func TestAServerOfAnotherAuthorityIsNotSpokenTo(t *testing.T) {
	server, _, _ := open(t)
	target := client.Target{Server: server.URL, Token: "x"} // the host's authorities, which did not sign it
	if got := client.New(target, "trial", "run", guard).Create(t.Context(), "run-k1", 7, 0); got.Outcome != history.Failed || !strings.Contains(got.Why, "certificate") {
		t.Fatalf("%+v", got)
	}
}

// A connection that the server closed while it was idle: GETs may be repeated, and a write must not be.
func TestAWriteIsSentOnce(t *testing.T) {
	var creations atomic.Int64
	server := fakeapi.New(func(r *http.Request) fakeapi.Fault {
		if r.Method == http.MethodPost && creations.Add(1) >= 1 {
			return fakeapi.LateReset
		}
		return fakeapi.None
	})
	defer server.Close()
	api := connect(t, server, guard)
	api.Get(t.Context(), "run-k1") // leaves an idle connection
	got := api.Create(t.Context(), "run-k1", 7, 0)
	if got.Outcome != history.Unknown || creations.Load() != 1 {
		t.Fatalf("%+v after %d creations", got, creations.Load())
	}
}

func TestCompareAndSwap(t *testing.T) {
	_, api, _ := open(t)
	ctx := t.Context()
	made := api.Create(ctx, "run-r", 1, 1)
	updated := api.Update(ctx, "run-r", 2, 2, made.Revision)
	want := client.Answer{Outcome: history.Ok, By: 2, Count: 2, Revision: made.Revision + 1}
	if !equal(updated, want) || !equal(api.Get(ctx, "run-r"), want) {
		t.Fatalf("%+v", updated)
	}
	for _, c := range []struct {
		name string
		got  client.Answer
		want history.Kind
	}{
		{"create again", api.Create(ctx, "run-r", 3, 1), history.Conflict},
		{"update of the old", api.Update(ctx, "run-r", 4, 2, made.Revision), history.Conflict},
		{"update of nothing", api.Update(ctx, "run-none", 5, 2, made.Revision), history.Absent},
		{"read of nothing", api.Get(ctx, "run-none"), history.Absent},
		{"delete", api.Delete(ctx, "run-r", updated.Revision), history.Ok},
		{"delete again", api.Delete(ctx, "run-r", updated.Revision), history.Absent},
	} {
		if c.got.Outcome != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, c.got.Outcome, c.got.Why, c.want)
		}
	}
}

func equal(a, b client.Answer) bool {
	return a.Outcome == b.Outcome && a.By == b.By && a.Count == b.Count && a.Revision == b.Revision
}

func TestAListHasAllPages(t *testing.T) {
	_, api, fault := open(t)
	const many = 1234
	for i := range int64(many) {
		if got := api.Create(t.Context(), "run-k"+string(rune('a'+i%26))+time.Duration(i).String(), i+1, 0); got.Outcome != history.Ok {
			t.Fatal(got)
		}
	}
	list := api.List(t.Context())
	writers := map[int64]bool{}
	for _, item := range list.Items {
		writers[item.By] = true
	}
	if list.Outcome != history.Ok || len(writers) != many || list.Revision != 100+many {
		t.Fatalf("%d objects, revision %d, %s", len(writers), list.Revision, list.Why)
	}
	fault.Store(int64(fakeapi.Torn))
	if list := api.List(t.Context()); list.Outcome != history.Unknown || len(list.Items) != 0 {
		t.Fatalf("half a list: %s, %d objects", list.Outcome, len(list.Items))
	}
}

func TestAWatch(t *testing.T) {
	server, api, fault := open(t)
	made := api.Create(t.Context(), "run-r", 1, 1)
	api.Update(t.Context(), "run-r", 2, 2, made.Revision)
	follow := func(ctx context.Context, from int64, idle time.Duration) (seen []string, why string, gone bool) {
		why, gone = api.Watch(ctx, from, time.Second, idle, func() { seen = append(seen, "opened") }, func(e client.Watched) { seen = append(seen, e.Type) })
		return
	}
	for _, c := range []struct {
		name  string
		fault fakeapi.Fault
		from  int64
		idle  time.Duration
		seen  []string
		why   string
		gone  bool
	}{
		{"all, until the server ends it", fakeapi.None, 100, guard, []string{"opened", "ADDED", "MODIFIED"}, "EOF", false},
		{"the rest", fakeapi.None, made.Revision, guard, []string{"opened", "MODIFIED"}, "EOF", false},
		{"silence", fakeapi.None, 102, 50 * time.Millisecond, []string{"opened"}, "nothing came for 50ms", false},
		{"a hang", fakeapi.Hang, 102, 50 * time.Millisecond, nil, "nothing came for 50ms", false},
		{"503", fakeapi.Refuse(503), 102, guard, nil, "503", false},
		{"410", fakeapi.Refuse(410), 102, guard, nil, "410", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			fault.Store(int64(c.fault))
			seen, why, gone := follow(t.Context(), c.from, c.idle)
			if !slices.Equal(seen, c.seen) || !strings.Contains(why, c.why) || gone != c.gone {
				t.Fatalf("%v, %s, %v", seen, why, gone)
			}
		})
	}
	fault.Store(0)
	server.Compact()
	if _, why, gone := follow(t.Context(), 100, time.Minute); !gone {
		t.Fatal(why)
	}
}

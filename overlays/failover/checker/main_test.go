package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"geminios/failover-checker/fakeapi"
	"geminios/failover-checker/history"
)

// The test's program is the checker too, so that one can be killed. It ends by itself, should the test be killed first.
func TestMain(m *testing.M) {
	if os.Getenv("AS_CHECKER") != "" {
		main()
	}
	os.Exit(m.Run())
}

type trial struct {
	t                   *testing.T
	server              *fakeapi.Server
	kubeconfig, history string
	fault               func(*http.Request) fakeapi.Fault
}

func newTrial(t *testing.T, fault func(*http.Request) fakeapi.Fault) *trial {
	s := &trial{t: t, server: fakeapi.New(fault), history: filepath.Join(t.TempDir(), "history")}
	t.Cleanup(s.server.CloseClientConnections)
	var err error
	if s.kubeconfig, err = s.server.Kubeconfig(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *trial) start(more ...string) *exec.Cmd {
	args := append([]string{"run", "--kubeconfig", s.kubeconfig, "--history", s.history, "--duration", "5m", "--rate", "100", "--keep", "10", "--idle", "2s", "--settle", "1m"}, more...)
	checker := exec.Command(os.Args[0], args...)
	checker.Env = append(os.Environ(), "AS_CHECKER=1")
	var complaints bytes.Buffer
	checker.Stderr = &complaints
	if err := checker.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = checker.Process.Kill()
		_ = checker.Wait()
		if s.t.Failed() {
			s.t.Log(complaints.String())
		}
	})
	return checker
}

// acknowledged waits until so many writes more were acknowledged.
func (s *trial) acknowledged(more int) {
	s.t.Helper()
	count := func() (n int) {
		if h, err := history.Load(s.history); err == nil {
			for _, op := range h.Order {
				if op.Acknowledged() {
					n++
				}
			}
		}
		return n
	}
	goal := count() + more
	for guard := time.Now().Add(3 * time.Minute); count() < goal; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(guard) {
			s.t.Fatalf("%d writes were acknowledged, not %d", count(), goal)
		}
	}
}

func (s *trial) end(checker *exec.Cmd) {
	s.t.Helper()
	if err := checker.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := checker.Wait(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *trial) verify(want int, parts ...string) string {
	s.t.Helper()
	var out, complaints bytes.Buffer
	code := command([]string{"verify", "--history", s.history, "--kubeconfig", s.kubeconfig, "--timeout", "1m"}, &out, &complaints)
	if code != want {
		s.t.Fatalf("exit code %d, want %d\n%s%s", code, want, out.String(), complaints.String())
	}
	for _, part := range parts {
		if !strings.Contains(out.String(), part) {
			s.t.Errorf("misses %q:\n%s", part, out.String())
		}
	}
	return out.String()
}

func TestATrialWithFaultsOfAllKinds(t *testing.T) {
	var requests atomic.Int64
	s := newTrial(t, func(r *http.Request) fakeapi.Fault {
		if strings.HasSuffix(r.URL.Path, "/namespaces") || r.Method == http.MethodGet && r.URL.Query().Get("watch") == "" {
			return fakeapi.None
		}
		faults := map[int64]fakeapi.Fault{3: fakeapi.Reset, 7: fakeapi.LateReset, 11: fakeapi.Torn, 13: fakeapi.LateError, 17: fakeapi.Refuse(429), 19: fakeapi.Refuse(503), 23: fakeapi.Refuse(403), 29: fakeapi.Later, 31: fakeapi.Later}
		return faults[requests.Add(1)%40]
	})
	checker := s.start()
	s.acknowledged(250)
	s.server.Compact()
	s.acknowledged(50)
	s.end(checker)
	s.verify(kept, "OK       nothing is violated", "of which were seen to have happened", "listed anew 1 times", "a read-back was begun through "+s.server.URL)
}

func TestATimeWithoutAServer(t *testing.T) {
	var away atomic.Bool
	s := newTrial(t, func(*http.Request) fakeapi.Fault {
		if away.Load() {
			return fakeapi.Hang
		}
		return fakeapi.None
	})
	checker := s.start("--timeout", "1s")
	s.acknowledged(30)
	fault := time.Now()
	away.Store(true)
	s.server.CloseClientConnections()
	time.Sleep(3 * time.Second)
	away.Store(false)
	back := time.Since(fault).Seconds()
	s.acknowledged(30)
	s.end(checker)
	s.verify(kept, "OK ")
	var out bytes.Buffer
	if code := command([]string{"gaps", "--history", s.history, "--from", fault.UTC().Format(time.RFC3339Nano), "--format", "json"}, &out, &out); code != kept {
		t.Fatal(out.String())
	}
	var gaps map[string][]struct {
		Since float64 `json:"seconds_since"`
	}
	if err := json.Unmarshal(out.Bytes(), &gaps); err != nil || gaps["writes"][0].Since < back-0.1 {
		t.Fatalf("%v: back after %.3f s\n%s", err, back, out.String())
	}
}

func TestALossyFailoverIsFound(t *testing.T) {
	for name, margin := range map[string]int64{"revisions again": 0, "revisions skipped": 1000} {
		t.Run(name, func(t *testing.T) {
			s := newTrial(t, nil)
			checker := s.start()
			s.acknowledged(60)
			s.server.Lose(5, margin)
			s.acknowledged(30)
			s.end(checker)
			s.verify(violated, "VIOLATED")
		})
	}
}

func TestAnEventThatNoWatchReceivesIsFound(t *testing.T) {
	for _, kind := range []string{"ADDED", "MODIFIED", "DELETED"} {
		t.Run(kind, func(t *testing.T) {
			s := newTrial(t, nil)
			checker := s.start()
			s.acknowledged(100)
			s.server.Blind(func(is string) bool { return is == kind })
			s.acknowledged(60)
			s.server.Blind(nil)
			s.acknowledged(10)
			s.end(checker)
			if told := s.verify(violated, "missed-event"); strings.Contains(told, "lost-") || strings.Contains(told, "stale-") {
				t.Error(told)
			}
		})
	}
}

func TestACheckerThatIsKilledLeavesAHistory(t *testing.T) {
	s := newTrial(t, nil)
	checker := s.start()
	s.acknowledged(60)
	if err := checker.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = checker.Wait()
	s.verify(kept, "the run did not end by itself", "OK ")
	s.verify(kept, "OK ") // and once more
}

func TestUsage(t *testing.T) {
	folder := t.TempDir()
	for line, want := range map[string]string{
		"":                       "usage:",
		"dance":                  "usage:",
		"run":                    "--history FILE is missing",
		"run --history h --rate": "needs an argument",
		"run --history h":        "name either --duration or --until-signal",
		"run --history h --duration 1s --until-signal":                      "name either",
		"run --history h --duration 1s --workers 0":                         "--workers",
		"run --history h --duration 1s --rate NaN":                          "--rate",
		"run --history h --duration 1s":                                     "no https:// URL",
		"run --history h --duration 1s --server https://x":                  "neither a client certificate nor a token",
		"run --history h --duration 1s --kubeconfig " + folder + "/missing": "no such file",
		"verify --history h more":                                           `"more" is not a flag`,
		"verify --history h --format xml":                                   "neither text nor json",
	} {
		var out, complaints bytes.Buffer
		if code := command(strings.Fields(line), &out, &complaints); code != misused || !strings.Contains(complaints.String(), want) || out.Len() > 0 {
			t.Errorf("%s: exit code %d, %s", line, code, complaints.String())
		}
	}
	var out, complaints bytes.Buffer
	if code := command([]string{"verify", "--history", folder + "/missing"}, &out, &complaints); code != unknown {
		t.Errorf("exit code %d", code)
	}
}

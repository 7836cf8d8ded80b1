// Package fakeapi is as much of a Kubernetes API server as tests need, with TLS, and with faults on demand. No program contains it.
package fakeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Token is the one that it takes.
const Token = "let-me-in"

// Fault is what goes wrong with a request.
type Fault int

const (
	None      Fault = iota
	Hang            // no answer, nothing done
	Reset           // the connection ends, nothing done
	LateReset       // done, and then the connection ends without an answer
	Torn            // done, and half of the answer
	LateError       // done, and then 500
	Later           // the connection ends, and it is done afterwards
)

// Refuse is a Fault that answers with a status of HTTP in the API server's words, and does nothing.
func Refuse(status int) Fault { return Fault(status) }

// Foreign is a Fault that answers with a status like something on the way that is no API server.
func Foreign(status int) Fault { return Fault(-status) }

type object struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   map[string]any    `json:"metadata"`
	Data       map[string]string `json:"data"`
}

func (o object) name() string { return o.Metadata["name"].(string) }

func (o object) at(revision int64) object {
	o.Metadata = maps.Clone(o.Metadata)
	o.Metadata["resourceVersion"] = strconv.FormatInt(revision, 10)
	return o
}

type change struct {
	kind          string
	before, after object
	revision      int64
}

// Server keeps ConfigMaps of one namespace.
type Server struct {
	*httptest.Server
	mutex    sync.Mutex
	objects  map[string]object
	changes  []change
	revision int64
	floor    int64         // watches from before it get 410
	news     chan struct{} // closed at the next change
	broken   chan struct{} // closed to end all watches
	fault    func(*http.Request) Fault
	blind    func(kind string) bool // events that are kept from watches
}

// New starts one that works. `fault`, if any, is asked before each request.
func New(fault func(*http.Request) Fault) *Server {
	s := &Server{objects: map[string]object{}, revision: 100, news: make(chan struct{}), broken: make(chan struct{}), fault: fault}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	return s
}

// Kubeconfig writes one for the server into a folder.
func (s *Server) Kubeconfig(folder string) (string, error) {
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	text, err := json.Marshal(map[string]any{ // JSON is YAML
		"current-context": "here",
		"contexts":        []any{map[string]any{"name": "here", "context": map[string]string{"cluster": "fake", "user": "me"}}},
		"clusters":        []any{map[string]any{"name": "fake", "cluster": map[string]any{"server": s.URL, "certificate-authority-data": authority}}},
		"users":           []any{map[string]any{"name": "me", "user": map[string]string{"token": Token}}},
	})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "kubeconfig")
	return path, os.WriteFile(path, text, 0o600)
}

// Lose forgets the last writes, as a failover to a standby that lags does, and ends all watches. Revisions go on `margin` later.
func (s *Server) Lose(writes int, margin int64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for ; writes > 0 && len(s.changes) > 0; writes-- {
		last := s.changes[len(s.changes)-1]
		s.changes = s.changes[:len(s.changes)-1]
		s.revision = last.revision - 1
		if last.kind == "ADDED" {
			delete(s.objects, last.after.name())
		} else {
			s.objects[last.before.name()] = last.before
		}
	}
	s.revision += margin
	s.floor = s.revision
	s.endWatches()
}

// Compact takes a revision of its own, makes watches from earlier ones impossible, and ends all.
func (s *Server) Compact() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.revision++
	s.floor = s.revision
	s.endWatches()
}

func (s *Server) endWatches() {
	close(s.broken)
	s.broken = make(chan struct{})
}

// Blind keeps events from watches for which `hide` says so.
func (s *Server) Blind(hide func(kind string) bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.blind = hide
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+Token {
		say(w, http.StatusUnauthorized, "Unauthorized", "")
		return
	}
	fault := None
	if s.fault != nil {
		fault = s.fault(r)
	}
	switch {
	case fault == Hang:
		// The body has to be read, or the server does not notice that the client is gone.
		_ = json.NewDecoder(r.Body).Decode(&struct{}{})
		<-r.Context().Done()
		return
	case fault == Reset:
		hangUp(w, "")
		return
	case fault >= 100:
		w.Header().Set("Location", r.URL.Path) // for 3xx
		say(w, int(fault), "Scripted", "")
		return
	case fault <= -100:
		http.Error(w, "<html>no API server</html>", -int(fault))
		return
	}
	if r.URL.Query().Get("watch") != "" {
		s.watch(w, r)
		return
	}
	if fault == Later {
		body, _ := io.ReadAll(r.Body)
		time.AfterFunc(700*time.Millisecond, func() {
			again := r.Clone(context.Background())
			again.Body = io.NopCloser(bytes.NewReader(body))
			s.handle(httptest.NewRecorder(), again)
		})
		hangUp(w, "")
		return
	}
	answer := httptest.NewRecorder()
	s.handle(answer, r)
	body := answer.Body.String()
	switch fault {
	case LateReset:
		hangUp(w, "")
	case Torn:
		hangUp(w, fmt.Sprintf("HTTP/1.1 %d Torn\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", answer.Code, len(body), body[:len(body)/2]))
	case LateError:
		say(w, http.StatusInternalServerError, "InternalError", "")
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.Code)
		fmt.Fprint(w, body)
	}
}

func hangUp(w http.ResponseWriter, last string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		fmt.Fprint(conn, last)
		conn.Close()
	}
}

func say(w http.ResponseWriter, code int, reason, name string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": "fake", "code": code,
		"details": map[string]string{"name": name, "kind": "configmaps"}})
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	_, name, _ := strings.Cut(r.URL.Path, "/configmaps")
	name = strings.TrimPrefix(name, "/")
	var given object
	_ = json.NewDecoder(r.Body).Decode(&given)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	old, there := s.objects[name]
	switch {
	case strings.HasSuffix(r.URL.Path, "/namespaces"):
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodGet && name == "":
		s.list(w, r)
	case r.Method == http.MethodPost:
		if _, there = s.objects[given.name()]; there {
			say(w, http.StatusConflict, "AlreadyExists", given.name())
			return
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(s.store("ADDED", object{}, given))
	case !there:
		say(w, http.StatusNotFound, "NotFound", name)
	case r.Method == http.MethodGet:
		_ = json.NewEncoder(w).Encode(old)
	case r.Method == http.MethodPut && given.Metadata["resourceVersion"] == old.Metadata["resourceVersion"]:
		_ = json.NewEncoder(w).Encode(s.store("MODIFIED", old, given))
	case r.Method == http.MethodDelete: // its precondition always holds: no test deletes what it updates
		s.store("DELETED", old, old)
		_ = json.NewEncoder(w).Encode(map[string]string{"kind": "Status", "status": "Success"})
	default:
		say(w, http.StatusConflict, "Conflict", name)
	}
}

func (s *Server) store(kind string, before, after object) object {
	s.revision++
	after = after.at(s.revision)
	s.changes = append(s.changes, change{kind, before, after, s.revision})
	if kind == "DELETED" {
		delete(s.objects, after.name())
	} else {
		s.objects[after.name()] = after
	}
	close(s.news)
	s.news = make(chan struct{})
	return after
}

// list gives a page; the next one goes on after the name that `continue` has.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	metadata := map[string]string{"resourceVersion": strconv.FormatInt(s.revision, 10)}
	after, revision, _ := strings.Cut(r.URL.Query().Get("continue"), "@")
	if revision != "" {
		metadata["resourceVersion"] = revision
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	items := []object{}
	for _, name := range slices.Sorted(maps.Keys(s.objects)) {
		if name <= after {
			continue
		}
		if len(items) == limit {
			metadata["continue"] = items[len(items)-1].name() + "@" + metadata["resourceVersion"]
			break
		}
		items = append(items, s.objects[name])
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"metadata": metadata, "items": items})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	at, _ := strconv.ParseInt(r.URL.Query().Get("resourceVersion"), 10, 64)
	seconds, _ := strconv.Atoi(r.URL.Query().Get("timeoutSeconds"))
	over := time.After(time.Duration(seconds) * time.Second)
	encoder := json.NewEncoder(w)
	for first := true; ; first = false {
		s.mutex.Lock()
		stale, news, broken := at < s.floor, s.news, s.broken
		var fresh []change
		for _, change := range s.changes {
			if change.revision > at && (s.blind == nil || !s.blind(change.kind)) {
				fresh = append(fresh, change)
			}
		}
		at = max(at, s.revision)
		s.mutex.Unlock()
		if stale && first {
			say(w, http.StatusGone, "Expired", "")
			return
		}
		for _, change := range fresh {
			_ = encoder.Encode(map[string]any{"type": change.kind, "object": change.after})
		}
		http.NewResponseController(w).Flush()
		select {
		case <-news:
		case <-broken:
			return
		case <-over:
			return
		case <-r.Context().Done():
			return
		}
	}
}

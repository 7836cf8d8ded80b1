package main

import (
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const page = "# TYPE up gauge\nup 1\n"

func component(t *testing.T, handler http.HandlerFunc) upstream {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return upstream{"kine", server.URL + "/metrics", newClient(nil)}
}

func with[T any](t *testing.T, variable *T, value T) {
	before := *variable
	*variable = value
	t.Cleanup(func() { *variable = before })
}

func TestMetricsGoThroughAsTheyAre(t *testing.T) {
	b := newBench(t, component(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "/metrics" || r.Header.Get("Authorization") != "" || r.Header.Get("Accept") != "text/plain" {
			t.Errorf("asked for %s with %v", r.URL, r.Header)
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("Content-Encoding", r.Header.Get("Accept-Encoding"))
		packed := gzip.NewWriter(w)
		defer packed.Close()
		io.WriteString(packed, page)
	}))
	request, _ := http.NewRequest("GET", b.url+"/metrics/kine?target=elsewhere", nil)
	request.Header = http.Header{"Accept": {"text/plain"}, "Accept-Encoding": {"gzip"}, "Authorization": {"Bearer x"}}
	response, err := b.monitor().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.Header.Get("Content-Type") != "text/plain; version=0.0.4" || response.Header.Get("Set-Cookie") != "" {
		t.Error(response.Header)
	}
	plain, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(plain); err != nil || string(body) != page {
		t.Errorf("%v %q", err, body)
	}
}

func TestKubernetesIsAskedWithTheNodesOwnCertificate(t *testing.T) {
	cluster := newAuthority(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s\n", r.TLS.PeerCertificates[0].Subject.CommonName, r.URL.Path)
	}))
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{cluster.issue(wish{name: "kubelet", isServer: true})},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    cluster.pool(),
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	own := identity{server: server.URL, authority: cluster.pool(), certificate: cluster.issue(wish{name: monitor})}
	stranger := own
	stranger.authority = newAuthority(t).pool()
	for _, c := range []struct {
		own    identity
		status int
		says   string
	}{
		{own, 200, "geminios:monitor /metrics\n"},
		{stranger, 502, "kube-apiserver is down: "},
	} {
		b := newBench(t, upstreams(c.own, "192.0.2.1")...)
		if status, body := get(b.monitor(), b.url+"/metrics/kube-apiserver"); status != c.status || !strings.HasPrefix(body, c.says) {
			t.Errorf("%d %q, want %d %q", status, body, c.status, c.says)
		}
	}
}

func TestTheIndexHasEveryPath(t *testing.T) {
	b := newBench(t, upstreams(identity{server: "https://127.0.0.1:6443"}, "192.0.2.1")...)
	_, body := get(b.monitor(), b.url)
	want := "node postgresql kine kube-apiserver kube-controller-manager kube-scheduler kubelet cadvisor kube-proxy coredns gateway"
	if found := strings.Join(strings.Fields(strings.ReplaceAll(body, "/metrics/", " ")), " "); found != want {
		t.Errorf("%q", body)
	}
}

func TestOverlaysNameWhatTheyServeHere(t *testing.T) {
	if more, err := readUpstreams(filepath.Join(t.TempDir(), "none")); err != nil || more != nil {
		t.Error(more, err)
	}
	source := component(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })
	for where, want := range map[string]string{
		source.url + "\n":              "",
		"http://192.0.2.1:80/metrics":  "is not on loopback",
		"http://localhost:80/metrics":  "is not on loopback",
		"https://127.0.0.1:80/metrics": "is not on loopback",
		"":                             "is not on loopback",
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "failover"), []byte(where), 0o600); err != nil {
			t.Fatal(err)
		}
		more, err := readUpstreams(folder)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), "failover: ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", where, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, more...)
		if status, body := get(b.monitor(), b.url+"/metrics/failover"); status != 200 || body != page {
			t.Errorf("%d %q", status, body)
		}
	}
}

func TestWhatIsDownIsSaidOnceAndSoIsItsReturn(t *testing.T) {
	var status atomic.Int32
	status.Store(403)
	b := newBench(t, component(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		io.WriteString(w, page)
	}))
	client := b.monitor()
	for range 3 {
		if status, body := get(client, b.url+"/metrics/kine"); status != 502 || !strings.Contains(body, "says 403 Forbidden: # TYPE") {
			t.Errorf("%d %q", status, body)
		}
	}
	status.Store(200)
	for range 3 {
		if status, body := get(client, b.url+"/metrics/kine"); status != 200 || body != page {
			t.Errorf("%d %q", status, body)
		}
	}
	said := b.journal.String()
	if strings.Count(said, "kine is down: ") != 1 || strings.Count(said, "kine is up\n") != 1 {
		t.Error(said)
	}
}

func TestAnUpstreamThatIsDownSlowOrElsewhere(t *testing.T) {
	with(t, &scrapeTimeout, 100*time.Millisecond)
	closed := httptest.NewServer(nil)
	closed.Close()
	release := make(chan struct{})
	slow := component(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	moved := component(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
	})
	for _, c := range []struct {
		source upstream
		says   string
	}{
		{upstream{"kine", closed.URL + "/metrics", newClient(nil)}, "connection refused"},
		{slow, "has not answered within 100ms"},
		{moved, "says 302 Found"},
	} {
		b := newBench(t, c.source)
		status, body := get(b.monitor(), b.url+"/metrics/kine")
		if status != 502 || !strings.HasPrefix(body, "kine is down: ") || !strings.Contains(body, c.says) {
			t.Errorf("%d %q, want %q", status, body, c.says)
		}
	}
}

func TestHalfOfTheMetricsNeverLooksLikeAll(t *testing.T) {
	with(t, &scrapeTimeout, 200*time.Millisecond)
	with(t, &sizeLimit, 1000)
	line := strings.Repeat("x", 99) + "\n"
	for name, handler := range map[string]http.HandlerFunc{
		"too many": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat(line, 11)) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, line)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"never ending": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, line)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		b := newBench(t, component(t, handler))
		if status, body := get(b.monitor(), b.url+"/metrics/kine"); status != 0 {
			t.Errorf("%s: %d with %d bytes", name, status, len(body))
		}
		if !strings.Contains(b.journal.String(), "kine is down: ") {
			t.Errorf("%s: log: %q", name, b.journal)
		}
	}
	b := newBench(t, component(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat(line, 10)) }))
	if status, body := get(b.monitor(), b.url+"/metrics/kine"); status != 200 || len(body) != 1000 {
		t.Errorf("at the limit: %d with %d bytes", status, len(body))
	}
}

func TestScrapesOfOnePathTakeTurns(t *testing.T) {
	var running, most atomic.Int32
	b := newBench(t, component(t, func(w http.ResponseWriter, _ *http.Request) {
		most.Store(max(most.Load(), running.Add(1)))
		time.Sleep(20 * time.Millisecond)
		running.Add(-1)
		io.WriteString(w, page)
	}))
	client := b.monitor()
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if status, body := get(client, b.url+"/metrics/kine"); status != 200 {
				t.Error(status, body)
			}
		})
	}
	all.Wait()
	if most.Load() != 1 {
		t.Error(most.Load(), "at once")
	}
	with(t, &waitTimeout, time.Millisecond)
	all.Go(func() { get(client, b.url+"/metrics/kine") })
	time.Sleep(10 * time.Millisecond)
	if status, body := get(client, b.url+"/metrics/kine"); status != 503 || !strings.Contains(body, "busy") {
		t.Error(status, body)
	}
	all.Wait()
}

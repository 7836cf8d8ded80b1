package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Variables for the tests alone.
var (
	// Together below scrape_timeout of scrape.yaml, so that the reason arrives before Prometheus hangs up.
	scrapeTimeout = 18 * time.Second
	waitTimeout   = 5 * time.Second

	sizeLimit int64 = 64 << 20 // bytes on the wire; a busy API server's are 10 MB, uncompressed
)

// scraper hands one component's metrics on, to one client at a time.
type scraper struct {
	upstream
	turn chan struct{}

	mu   sync.Mutex
	down bool // what the log said last
}

func newScraper(source upstream) *scraper {
	return &scraper{upstream: source, turn: make(chan struct{}, 1)}
}

func (s *scraper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	waiting, stopWaiting := context.WithTimeout(r.Context(), waitTimeout)
	defer stopWaiting()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-waiting.Done():
		http.Error(w, "busy with another scrape of this path", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout)
	defer cancel()
	response, err := s.ask(ctx, r.Header)
	if err != nil {
		if r.Context().Err() != nil {
			return // the client left
		}
		s.tell(err)
		http.Error(w, fmt.Sprintf("%s is down: %v", s.name, err), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	for _, name := range []string{"Content-Type", "Content-Encoding"} {
		if value := response.Header.Get(name); value != "" {
			w.Header().Set(name, value)
		}
	}
	if err := copyWhole(w, response.Body); err != nil {
		if r.Context().Err() == nil {
			s.tell(err)
		}
		panic(http.ErrAbortHandler) // half of the metrics must not look like all
	}
	s.tell(nil)
}

// ask never repeats what the client's query or credentials are: it asks for one page, as itself.
func (s *scraper) ask(ctx context.Context, wishes http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Accept", "Accept-Encoding"} {
		request.Header[name] = wishes[name]
	}
	request.Header.Set("User-Agent", "monitoring-gateway")
	response, err := s.client.Do(request)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("%s has not answered within %v", s.url, scrapeTimeout)
		}
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return nil, fmt.Errorf("%s says %s: %s", s.url, response.Status, strings.TrimSpace(strings.ToValidUTF8(string(said), "?")))
	}
	return response, nil
}

func copyWhole(w io.Writer, body io.Reader) error {
	copied, err := io.Copy(w, io.LimitReader(body, sizeLimit+1))
	if err == nil && copied > sizeLimit {
		err = fmt.Errorf("has more than %d MB of metrics", sizeLimit>>20)
	}
	return err
}

// tell logs that a component went down, once, and that it is back.
func (s *scraper) tell(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && !s.down:
		log.Printf("%s is down: %v", s.name, err)
	case err == nil && s.down:
		log.Printf("%s is up", s.name)
	}
	s.down = err != nil
}

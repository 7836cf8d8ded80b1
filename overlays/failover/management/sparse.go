package main

import (
	"fmt"
	"log"
	"strings"
	"sync"
	"time"
)

// A few lines at once, then one in a while: strangers must not fill the journal.
const (
	burst    = 5
	interval = 10 * time.Second
)

// sparse is a log for what strangers cause.
type sparse struct {
	mu      sync.Mutex
	to      *log.Logger
	now     func() time.Time
	tokens  int
	last    time.Time // when a token was last given
	dropped int
}

func newSparse(to *log.Logger) *sparse {
	return &sparse{to: to, now: time.Now, tokens: burst, last: time.Now()}
}

func (s *sparse) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if earned := int(s.now().Sub(s.last) / interval); earned > 0 {
		s.tokens = min(burst, s.tokens+earned)
		s.last = s.last.Add(time.Duration(earned) * interval)
	}
	if s.tokens == 0 {
		s.dropped++
		return
	}
	s.tokens--
	line := fmt.Sprintf(format, args...)
	if s.dropped > 0 {
		line += fmt.Sprintf(" (%d lines like this were left out)", s.dropped)
		s.dropped = 0
	}
	s.to.Print(line)
}

// Write is for net/http, which tells of handshakes that failed.
func (s *sparse) Write(line []byte) (int, error) {
	s.printf("%s", strings.TrimSpace(string(line)))
	return len(line), nil
}

package history

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Clock counts nanoseconds since its start and never goes back, whatever happens to the time of day.
type Clock struct {
	start time.Time
	base  int64
}

// NewClock starts at `base`.
func NewClock(base int64) Clock { return Clock{time.Now(), base} }

// Now is the time since the start, in nanoseconds.
func (c Clock) Now() int64 { return c.base + int64(time.Since(c.start)) }

// Wall is the time of day at zero.
func (c Clock) Wall() time.Time { return c.start.Add(-time.Duration(c.base)).Round(0) }

// Writer adds records to a file. Nothing waits in the process: what Put has returned from outlives it.
type Writer struct {
	mutex sync.Mutex
	file  *os.File
	err   error
}

// New starts a history in a file that is not there yet.
func New(path string, start Start) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if os.IsExist(err) {
		return nil, fmt.Errorf("history %s is there already: name another file", path)
	}
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	writer := &Writer{file: file}
	start.Version = Version
	return writer, writer.Put(Record{Kind: Started, Start: &start})
}

// Reopen goes on with a history of a run that ended, however it did.
func Reopen(path string) (*Writer, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	last := make([]byte, 1)
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil && size > 0 {
		_, err = file.ReadAt(last, size-1)
	}
	if err == nil && size > 0 && last[0] != '\n' {
		_, err = file.Write([]byte("\n"))
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("history %s: %w", path, err)
	}
	return &Writer{file: file}, nil
}

// Put writes a record. After a failure it writes nothing more, and returns that failure.
func (w *Writer) Put(record Record) error {
	line, err := json.Marshal(record)
	if err != nil {
		return err
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.err == nil {
		if _, err := w.file.Write(append(line, '\n')); err != nil {
			w.err = fmt.Errorf("history: %w", err)
		}
	}
	return w.err
}

// Close flushes the file to the disk.
func (w *Writer) Close() error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	err := w.file.Sync()
	if closing := w.file.Close(); err == nil {
		err = closing
	}
	if w.err != nil {
		return w.err
	}
	return err
}

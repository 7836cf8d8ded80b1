// Package history is the file that a trial leaves: one JSON record a line, in the order in which they were written, never changed afterwards.
package history

import (
	"fmt"
	"math"
	"time"
)

// Version is that of the format; a newer one is refused.
const Version = 1

// Never is the time at which an operation of unknown outcome ended.
const Never = math.MaxInt64

// Kind says what a record tells.
type Kind string

// An operation is an Invoke and, unless the run was killed, one of the five outcomes.
const (
	Started  Kind = "start"
	Invoke   Kind = "invoke"
	Ok       Kind = "ok"       // acknowledged; of a read: what it saw
	Absent   Kind = "absent"   // nothing of that name is there, said the server
	Conflict Kind = "conflict" // refused: there already, or not what the precondition expects
	Failed   Kind = "failed"   // never took effect, and tells nothing about the object
	Unknown  Kind = "unknown"  // may have taken effect, or may yet

	Watching Kind = "watch"    // a watch was opened from a revision on: of list Op, or where it broke
	Event    Kind = "event"    // what it received
	Bookmark Kind = "bookmark" // the server vouches that nothing up to this revision is still to come
	Broken   Kind = "broken"   // it ended
	Gone     Kind = "gone"     // 410: its revision is too old, a list comes next

	Ended    Kind = "end"      // a run that was not killed; with a revision, the API server acknowledged a last write at it
	ReadBack Kind = "readback" // what follows was added by `verify`
)

// Do is what an operation does.
type Do string

// Writes put their own number into the object. So every content has one writer, and an object's contents are a chain.
const (
	Create Do = "create"
	Update Do = "update" // if the object is still what Expect wrote
	Delete Do = "delete" // likewise
	Get    Do = "get"
	List   Do = "list"
)

// Writes says whether it changes an object.
func (d Do) Writes() bool { return d == Create || d == Update || d == Delete }

// Item is an object in a list.
type Item struct {
	Key      string `json:"key"`
	By       int64  `json:"by"`
	Count    int64  `json:"count,omitempty"`
	Revision int64  `json:"rv"`
}

// Start is the first record: what time zero was, and of which run all this is.
type Start struct {
	Version   int       `json:"version"`
	Run       string    `json:"run"` // also the label of its objects
	Wall      time.Time `json:"wall"`
	Server    string    `json:"server"`
	Namespace string    `json:"namespace"`
}

// Record is a line of the file.
type Record struct {
	Time     int64  `json:"t"` // nanoseconds since the start, by a monotonic clock
	Kind     Kind   `json:"ev"`
	Op       int64  `json:"op,omitempty"`
	Do       Do     `json:"do,omitempty"`
	Key      string `json:"key,omitempty"`
	Expect   int64  `json:"expect,omitempty"` // the operation whose content an update or delete is about
	By       int64  `json:"by,omitempty"`     // the operation that wrote what was seen
	Count    int64  `json:"count,omitempty"`  // of a register: written, or seen
	Revision int64  `json:"rv,omitempty"`
	Items    []Item `json:"items,omitempty"`
	Watch    int    `json:"w,omitempty"`
	Type     string `json:"type,omitempty"` // of an event
	Why      string `json:"why,omitempty"`
	Start    *Start `json:"start,omitempty"`
}

// Op is an operation with its outcome.
type Op struct {
	ID            int64
	Do            Do
	Key           string
	Expect, Count int64
	Call, Return  int64 // Return is Never if it may still take effect
	Until         int64 // when the client ceased to wait
	Outcome       Kind
	By, SeenCount int64
	Revision      int64
	Items         []Item
	Why           string
	ReadBack      bool
}

// Acknowledged says whether it is a write that the server said it has done.
func (o *Op) Acknowledged() bool { return o.Do.Writes() && o.Outcome == Ok }

// Step is what happened to a watch.
type Step struct {
	Time     int64
	Kind     Kind
	Type     string
	Key      string
	By       int64
	Count    int64
	Revision int64
	List     int64 // operation that gave the revision
	Why      string
}

// History is the whole file, read.
type History struct {
	Start   Start
	Ops     map[int64]*Op
	Order   []*Op // by time of invocation
	Watches map[int][]Step
	End     *Record  // nil if the run was killed
	Last    int64    // time of the last record
	Notes   []string // what a reader should know about the file
}

// At tells a time of the run: of day, and since the start.
func (h *History) At(t int64) string {
	if t == Never {
		return "never"
	}
	return fmt.Sprintf("%s (+%.3fs)", h.Start.Wall.Add(time.Duration(t)).UTC().Format("15:04:05.000"), time.Duration(t).Seconds())
}

package history

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Load reads a file. A last line that was cut, as kill -9 or a full disk leaves it, is passed over and noted.
func Load(path string) (*History, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer file.Close()
	h, err := Read(file)
	if err != nil {
		return nil, fmt.Errorf("history %s: %w", path, err)
	}
	return h, nil
}

// Read is Load of what is open already.
func Read(source io.Reader) (*History, error) {
	builder := newBuilder()
	lines := bufio.NewReaderSize(source, 1<<16)
	torn := 0
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		whole := err == nil
		if len(bytes.TrimSpace(line)) > 0 {
			var record Record
			bad := json.Unmarshal(line, &record)
			switch {
			case torn != 0 && (bad != nil || record.Kind != ReadBack):
				return nil, fmt.Errorf("line %d is no record, and is not the last one: the file was damaged", torn)
			case bad != nil || !whole:
				torn = number
				builder.note("the last line of the run, %d, was cut", number)
			default:
				torn = 0
				if err := builder.add(record); err != nil {
					return nil, fmt.Errorf("line %d: %w", number, err)
				}
			}
		}
		if !whole {
			return builder.finish()
		}
	}
}

type builder struct {
	history *History
	keys    map[string]string // each name once in memory
	back    bool
}

func newBuilder() *builder {
	return &builder{&History{Ops: map[int64]*Op{}, Watches: map[int][]Step{}}, map[string]string{}, false}
}

func (b *builder) note(format string, args ...any) {
	b.history.Notes = append(b.history.Notes, fmt.Sprintf(format, args...))
}

func (b *builder) name(key string) string {
	if known, ok := b.keys[key]; ok {
		return known
	}
	b.keys[key] = key
	return key
}

func (b *builder) add(r Record) error {
	h := b.history
	if r.Kind == Started {
		if r.Start == nil || h.Start.Version != 0 {
			return errors.New("a start that is none")
		}
		if r.Start.Version != Version {
			return fmt.Errorf("has format %d, this program reads %d: verify it with the checker that wrote it", r.Start.Version, Version)
		}
		h.Start = *r.Start
		return nil
	}
	if h.Start.Version == 0 {
		return errors.New("the first record is no start: this is no history")
	}
	h.Last = max(h.Last, r.Time)
	switch r.Kind {
	case Invoke:
		if r.Op <= 0 || h.Ops[r.Op] != nil {
			return fmt.Errorf("operation %d is invoked twice", r.Op)
		}
		h.Ops[r.Op] = &Op{ID: r.Op, Do: r.Do, Key: b.name(r.Key), Expect: r.Expect, Count: r.Count, Call: r.Time, Return: Never, Until: Never,
			Outcome: Unknown, Why: "the run ended before it did", ReadBack: b.back}
	case Ok, Absent, Conflict, Failed, Unknown:
		op := h.Ops[r.Op]
		if op == nil || op.Return != Never || r.Time < op.Call {
			return fmt.Errorf("operation %d ends and is not under way", r.Op)
		}
		for i := range r.Items {
			r.Items[i].Key = b.name(r.Items[i].Key)
		}
		op.Outcome, op.Why, op.Return = r.Kind, r.Why, r.Time
		op.Until = r.Time
		op.By, op.SeenCount, op.Revision, op.Items = r.By, r.Count, r.Revision, r.Items
	case Watching, Event, Bookmark, Broken, Gone:
		if (r.Kind == Event || r.Kind == Bookmark) && len(h.Watches[r.Watch]) == 0 {
			return fmt.Errorf("watch %d received something before it was opened", r.Watch)
		}
		if from, ok := b.from(r); r.Kind == Watching && (!ok || from != r.Revision) {
			return fmt.Errorf("watch %d begins after revision %d, and got to, or listed, %d", r.Watch, r.Revision, from)
		}
		h.Watches[r.Watch] = append(h.Watches[r.Watch], Step{r.Time, r.Kind, r.Type, b.name(r.Key), r.By, r.Count, r.Revision, r.Op, r.Why})
	case Ended:
		h.End = &r
	case ReadBack:
		b.back = true
		b.note("a read-back was begun %s", r.Why)
	default:
		return fmt.Errorf("a record of kind %q is not known", r.Kind)
	}
	return nil
}

// from is where a watch has to begin: where its list is, or where it broke.
func (b *builder) from(r Record) (int64, bool) {
	if list := b.history.Ops[r.Op]; list != nil {
		return list.Revision, list.Do == List && list.Outcome == Ok
	}
	steps := b.history.Watches[r.Watch]
	if r.Op != 0 || len(steps) == 0 {
		return 0, false
	}
	return steps[len(steps)-1].Revision, true
}

func (b *builder) finish() (*History, error) {
	h := b.history
	if h.Start.Version == 0 {
		return nil, errors.New("is empty")
	}
	if h.End == nil {
		b.note("the run did not end by itself: what was under way counts as of unknown outcome")
	}
	for _, op := range h.Ops {
		// The client gave up, the server did not.
		if op.Outcome == Unknown {
			op.Return = Never
		}
		h.Order = append(h.Order, op)
	}
	slices.SortFunc(h.Order, func(a, b *Op) int {
		if a.Call != b.Call {
			return cmp.Compare(a.Call, b.Call)
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return h, nil
}

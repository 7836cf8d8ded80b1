package main

import (
	"context"
	"errors"
	"testing"

	"github.com/k3s-io/kine/pkg/server"
)

// loses says that it has created a key, and has another.
type loses struct {
	server.Backend
	found *server.KeyValue
	err   error
}

func (l loses) Create(context.Context, string, []byte, int64) (int64, error) { return 7, nil }

func (l loses) Get(_ context.Context, _ string, revision int64, _ bool) (int64, *server.KeyValue, error) {
	if revision != 7 {
		return revision, nil, errors.New("asked for another revision")
	}
	return 9, l.found, l.err
}

func TestACreationIsAcknowledgedOnlyIfItIsStored(t *testing.T) {
	gone := errors.New("gone")
	for name, test := range map[string]struct {
		backend  loses
		revision int64
		err      error
	}{
		"stored":          {loses{found: &server.KeyValue{ModRevision: 7}}, 7, nil},
		"not there":       {loses{}, 0, errNotStored},
		"somebody else's": {loses{found: &server.KeyValue{ModRevision: 6}}, 0, errNotStored},
		"cannot be read":  {loses{err: gone}, 0, gone},
	} {
		revision, err := stored{test.backend}.Create(context.Background(), "key", nil, 0)
		if revision != test.revision || !errors.Is(err, test.err) {
			t.Errorf("%s: %d, %v", name, revision, err)
		}
	}
}

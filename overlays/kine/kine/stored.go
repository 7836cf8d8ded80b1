package main

import (
	"context"
	"errors"

	"github.com/k3s-io/kine/pkg/server"
)

// stored is a backend that acknowledges the creation of a key only once the database has it.
//
// Kine's own Create looks whether the key is there when an insertion fails, and says that all is well if it is not: on
// a full disk it acknowledges what nobody stored (pkg/logstructured, Create).
type stored struct{ server.Backend }

var errNotStored = errors.New("the database did not store it; the log of PostgreSQL says why")

func (s stored) Create(ctx context.Context, key string, value []byte, lease int64) (int64, error) {
	revision, err := s.Backend.Create(ctx, key, value, lease)
	if err != nil {
		return revision, err
	}
	// As it was then: somebody may have changed or deleted it since.
	_, found, err := s.Backend.Get(ctx, key, revision, true)
	if err != nil {
		return 0, err
	}
	if found == nil || found.ModRevision != revision {
		return 0, errNotStored
	}
	return revision, nil
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// told is the epoch that Kubernetes was last told of, on disk.
type told struct {
	path string
	last toldFile
}

type toldFile struct {
	Epoch uint64 `json:"epoch"`
}

func openTold(folder string) (*told, error) {
	t := &told{path: filepath.Join(folder, "told.json")}
	text, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &t.last); err != nil {
		return nil, fmt.Errorf("%s: %w; remove it, and the newest change is told of again", t.path, err)
	}
	return t, nil
}

// epoch is 0 if Kubernetes was never told anything.
func (t *told) epoch() uint64 {
	return t.last.Epoch
}

func (t *told) setEpoch(epoch uint64) error {
	next := toldFile{epoch}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := replace(t.path, text); err != nil {
		return err
	}
	t.last = next
	return nil
}

// replace puts a file there that is whole whenever the power goes.
func replace(path string, text []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".told")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := file.Write(text); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

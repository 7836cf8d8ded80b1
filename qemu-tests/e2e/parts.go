package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
)

// What the suite calls specs that nothing may run beside.
const serial = "[Serial]"

// beside runs all but the serial specs, each part in a process of its own: Ginkgo runs one suite a process.
func beside(procs int) error {
	failed := make([]error, procs)
	var parts sync.WaitGroup
	for i := range procs {
		parts.Go(func() {
			part := fmt.Sprintf("%d/%d", i+1, procs)
			child := exec.Command(os.Args[0], append(slices.Clone(os.Args[1:]), "--part", part)...)
			child.Stdout, child.Stderr = os.Stdout, os.Stderr
			if err := child.Run(); err != nil {
				failed[i] = fmt.Errorf("part %s: %w", part, err)
			}
		})
	}
	parts.Wait()
	return errors.Join(failed...)
}

// alone has the serial specs.
func (list *List) alone() *List {
	return &List{Run: slices.DeleteFunc(slices.Clone(list.Run), func(name string) bool {
		return !strings.Contains(name, serial)
	})}
}

// part has every N-th of the others, so that neighbours, which wait for the same things, run beside each other.
func (list *List) part(which string) (*List, error) {
	var i, n int
	if read, err := fmt.Sscanf(which, "%d/%d", &i, &n); read != 2 || i < 1 || n < i {
		return &List{}, errors.Join(fmt.Errorf("--part %s: not I/N", which), err)
	}
	var part List
	count := 0
	for _, name := range list.Run {
		if strings.Contains(name, serial) {
			continue
		}
		if count%n == i-1 {
			part.Run = append(part.Run, name)
		}
		count++
	}
	return &part, nil
}

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2/types"
)

const (
	// What the suite calls specs that every cluster has to pass.
	conformance = "[Conformance]"
	// Specs of other packages are here too, as this one imports them.
	area = "[sig-api-machinery] "
)

// List says which specs are run and which are not, by their full names.
type List struct {
	Run []string
	Not []string
}

// parse reads one spec a line: with `+ ` before it, it is run if all are; with `- `, it is not, and the reason stands
// in a comment above.
func parse(text string, all bool) (*List, error) {
	var list List
	seen := map[string]bool{}
	reason := false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		name, not := strings.CutPrefix(line, "- ")
		name, more := strings.CutPrefix(name, "+ ")
		switch {
		case line == "":
			reason = false
			continue
		case strings.HasPrefix(line, "#"):
			reason = true
			continue
		case seen[name]:
			return nil, fmt.Errorf("line %d: twice in the list: %s", i+1, name)
		case (not || more) && !reason:
			return nil, fmt.Errorf("line %d: not run, but no comment above says why: %s", i+1, name)
		case not || more && !all:
			list.Not = append(list.Not, name)
		default:
			list.Run = append(list.Run, name)
		}
		seen[name] = true
	}
	if len(list.Run) == 0 {
		return nil, fmt.Errorf("no spec is to be run")
	}
	return &list, nil
}

func (list *List) runs(name string) bool {
	return slices.Contains(list.Run, name)
}

// compare finds names that the suite does not have, and conformance specs that the list does not have.
func (list *List) compare(specs types.SpecReports) error {
	var complaints []string
	known := map[string]bool{}
	for _, spec := range specs.WithLeafNodeType(types.NodeTypeIt) {
		name := spec.FullText()
		known[name] = true
		listed := list.runs(name) || slices.Contains(list.Not, name)
		if strings.HasPrefix(name, area) && strings.Contains(name, conformance) && !listed {
			complaints = append(complaints, "not in the list: "+name)
		}
	}
	for _, name := range slices.Concat(list.Run, list.Not) {
		if !known[name] {
			complaints = append(complaints, "the suite has no such spec: "+name)
		}
	}
	if len(complaints) > 0 {
		slices.Sort(complaints)
		return fmt.Errorf("the list is not the suite's:\n%s", strings.Join(complaints, "\n"))
	}
	return nil
}

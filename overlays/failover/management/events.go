package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"
)

// reporter writes an Event about each node for each change of the leader, once.
type reporter struct {
	set  settings
	api  *kubernetes
	told *told
	now  func() time.Time
}

// look tells of the changes since the last one that was told of. Only who leads does.
func (r *reporter) look(ctx context.Context, now status) error {
	last, newest := r.told.epoch(), now.Stored.Record.Epoch
	switch {
	case last == newest:
		return nil
	case last == 0 || last > newest:
		// A new disk, or a new site: what was before is not this program's to tell.
		last = newest - 1
	}
	// The agent has forgotten what was before its start; the newest change is on its disk.
	changes := now.Changes
	if len(changes) == 0 || changes[len(changes)-1].Epoch < newest {
		changes = append(changes[:len(changes):len(changes)], change{record: now.Stored.Record, Decided: now.At})
	}
	for _, each := range changes {
		if each.Epoch <= last || each.Epoch > newest {
			continue
		}
		for _, event := range r.events(each, now) {
			err := r.api.do(ctx, http.MethodPost, "/apis/events.k8s.io/v1/namespaces/default/events", "application/json", event, nil)
			// Its name is of the epoch: the answer of an earlier try was lost, or the other node told of it.
			if err != nil && !isThere(err) {
				return err
			}
		}
		if err := r.told.setEpoch(each.Epoch); err != nil {
			return err
		}
		log.Printf("Kubernetes was told that %s leads in epoch %d", r.name(each.Leader == now.Me), each.Epoch)
	}
	return nil
}

func (r *reporter) name(isMe bool) string {
	if isMe {
		return r.set.Node
	}
	return r.set.Peer.Node
}

var decidedBy = map[string]string{
	"both":    "both nodes agreed",
	"witness": "the witness decided",
	"proof":   "the other node could not lead any more",
	"person":  "a person decided",
}

// event is of events.k8s.io/v1, with what its validation asks for.
type event struct {
	APIVersion          string            `json:"apiVersion"`
	Kind                string            `json:"kind"`
	Metadata            map[string]string `json:"metadata"`
	EventTime           string            `json:"eventTime"`
	ReportingController string            `json:"reportingController"`
	ReportingInstance   string            `json:"reportingInstance"`
	Action              string            `json:"action"`
	Reason              string            `json:"reason"`
	Type                string            `json:"type"`
	Regarding           reference         `json:"regarding"`
	Related             reference         `json:"related"`
	Note                string            `json:"note"`
}

type reference struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	// The node's name, as in the kubelet's events: `kubectl describe node` looks for that.
	UID string `json:"uid"`
}

func (r *reporter) events(of change, now status) []event {
	isMe := of.Leader == now.Me
	leader, other := r.name(isMe), r.name(!isMe)
	kind, why := "Warning", decidedBy[of.By]
	if of.By == "both" || of.Epoch == 1 {
		kind = "Normal"
	}
	if of.Fenced != nil {
		why = "the other node was seen to be off"
	}
	note := fmt.Sprintf("leads instead of %s in epoch %d: %s", other, of.Epoch, why)
	if of.Serves != nil && of.Heard != nil && *of.Serves >= *of.Heard {
		note += fmt.Sprintf("; clients are served %d ms after %s was last heard", *of.Serves-*of.Heard, other)
	}
	at := r.now()
	if now.At >= of.Decided {
		at = at.Add(-time.Duration(now.At-of.Decided) * time.Millisecond)
	}
	to := func(name string) reference { return reference{"v1", "Node", name, name} }
	each := func(about, related, action, reason, note string) event {
		return event{
			APIVersion: "events.k8s.io/v1",
			Kind:       "Event",
			Metadata: map[string]string{
				"name":      fmt.Sprintf("geminios-failover.%d.%s", of.Epoch, about),
				"namespace": "default",
			},
			EventTime:           at.UTC().Format("2006-01-02T15:04:05.000000Z"),
			ReportingController: "geminios/failover",
			ReportingInstance:   r.set.Node,
			Action:              action,
			Reason:              reason,
			Type:                kind,
			Regarding:           to(about),
			Related:             to(related),
			Note:                about + " " + note,
		}
	}
	if of.Epoch == 1 {
		return []event{each(leader, other, "Lead", "Leads", "leads: the site is new")}
	}
	return []event{
		each(leader, other, "Lead", "Leads", note),
		each(other, leader, "Follow", "LeadsNoMore", fmt.Sprintf("leads no more: %s does, in epoch %d", leader, of.Epoch)),
	}
}

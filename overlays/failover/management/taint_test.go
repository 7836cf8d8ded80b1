package main

import (
	"io"
	"log"
	"strings"
	"testing"
	"time"
)

const (
	theirs  = "example.com/mine=:NoSchedule"
	ours    = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
	aPerson = `[{"key":"node.kubernetes.io/out-of-service","value":"nodeshutdown","effect":"NoExecute"}]`
)

func newTainter(t *testing.T) (*tainter, *fakeCluster) {
	log.SetOutput(io.Discard)
	with(t, &lookInterval, 0)
	c := newFakeCluster(t)
	return &tainter{set: settings{Node: "node-a", Peer: peer{"node-b", ""}}, api: c.api()}, c
}

// leader is the agent's status of a leader that was fenced or not, heard the other node or not, and what that says.
func leader(fenced, heard, peer string) string {
	text := strings.Replace(agentStatus, `"fenced":null`, `"fenced":`+fenced, 1)
	text = strings.Replace(text, `"heard":120`, `"heard":`+heard, 1)
	return strings.Replace(text, `"peer":{"standby":{"streams":true}}`, `"peer":`+peer, 1)
}

func TestTheTaintComesWithAFenceAndGoesWithTheNodesReturn(t *testing.T) {
	taint, c := newTainter(t)
	for _, step := range []struct{ what, status, want string }{
		{"both are there", leader("null", "100", `{"standby":{"streams":true}}`), theirs},
		{"the witness decided, or a person, or time", leader("null", "4000", `{"primary":{"covered":false}}`), theirs},
		{"never heard, as after a start", leader("null", "null", "null"), theirs},
		{"seen to be off", leader("900", "4000", `{"primary":{"covered":false}}`), theirs + " " + ours + " epoch 3"},
		{"still off", leader("90000", "94000", `{"primary":{"covered":false}}`), theirs + " " + ours + " epoch 3"},
		{"the agent has forgotten", leader("null", "null", "null"), theirs + " " + ours + " epoch 3"},
		{"it speaks, and does not follow yet", leader("null", "100", `{"standby":{"streams":false}}`), theirs + " " + ours + " epoch 3"},
		{"it followed, and was silent since", leader("null", "9000", `{"standby":{"streams":true}}`), theirs + " " + ours + " epoch 3"},
		{"it follows", leader("null", "100", `{"standby":{"streams":true}}`), theirs},
		// An agent would not say so.
		{"off, and heard", leader("900", "100", `{"primary":{"covered":false}}`), theirs},
	} {
		if err := taint.look(t.Context(), statusOf(t, step.status)); err != nil {
			t.Fatal(step.what, err)
		}
		if found := c.taints("node-b"); found != step.want {
			t.Errorf("%s: %q, want %q", step.what, found, step.want)
		}
		if found := c.taints("node-a"); found != theirs {
			t.Errorf("%s: this node: %q", step.what, found)
		}
	}
}

func TestATaintOfAPersonStays(t *testing.T) {
	taint, c := newTainter(t)
	for _, status := range []string{leader("900", "4000", "null"), leader("null", "100", `{"standby":{"streams":true}}`)} {
		c.put("node-a", aPerson, "")
		c.put("node-b", aPerson, "")
		if err := taint.look(t.Context(), statusOf(t, status)); err != nil {
			t.Fatal(err)
		}
		if a, b := c.taints("node-a"), c.taints("node-b"); a != ours || b != ours {
			t.Errorf("%q %q", a, b)
		}
	}
}

func TestWhoLeadsIsInService(t *testing.T) {
	taint, c := newTainter(t)
	// The other node fenced this one, and was lost before it took the taint away.
	c.put("node-a", aPerson, "2")
	if err := taint.look(t.Context(), statusOf(t, leader("null", "9000", "null"))); err != nil || c.taints("node-a") != "" {
		t.Error(err, c.taints("node-a"))
	}
}

func TestTheTaintIsTriedAgainAndNobodysChangeIsLost(t *testing.T) {
	taint, c := newTainter(t)
	off := statusOf(t, leader("900", "4000", "null"))
	c.trouble = once(503, 0, 500, 0, 409)
	for range 3 {
		if err := taint.look(t.Context(), off); err == nil {
			t.Error("no error")
		}
	}
	for range 2 {
		if err := taint.look(t.Context(), off); err != nil {
			t.Error(err)
		}
	}
	if found := c.taints("node-b"); found != theirs+" "+ours+" epoch 3" {
		t.Error(found)
	}
}

func TestNodesAreNotLookedAtAllTheTime(t *testing.T) {
	taint, c := newTainter(t)
	with(t, &lookInterval, time.Hour)
	asked := 0
	c.trouble = func() int { asked++; return 0 }
	for range 5 {
		if err := taint.look(t.Context(), statusOf(t, agentStatus)); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 2 {
		t.Error(asked)
	}
}

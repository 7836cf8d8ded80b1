package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"testing"
	"time"
)

func noted(c *fakeCluster) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for name, event := range c.events {
		all = append(all, fmt.Sprintf("%s: %s %s %s: %s", name, event.Type, event.Reason, event.Regarding.Name, event.Note))
	}
	slices.Sort(all)
	return all
}

// leading is the agent's status of a leader in an epoch that a decision of `by` began.
func leading(epoch int, by, changes string) string {
	text := strings.Replace(agentStatus, `"epoch":3`, fmt.Sprintf(`"epoch":%d`, epoch), 1)
	text = strings.Replace(text, `"by":"witness"`, fmt.Sprintf(`"by":%q`, by), 1)
	return strings.Replace(text, `"changes":[]`, `"changes":[`+changes+`]`, 1)
}

func newReporter(t *testing.T, c *fakeCluster, state string) *reporter {
	log.SetOutput(io.Discard)
	told, err := openTold(state)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC) }
	return &reporter{set: settings{Node: "node-a", Peer: peer{"node-b", ""}}, api: c.api(), told: told, now: now}
}

func TestAnEventForEachNodeAndChange(t *testing.T) {
	c, state := newFakeCluster(t), t.TempDir()
	changes := `{"epoch":3,"leader":"a","by":"both","decided":10000},` +
		`{"epoch":4,"leader":"b","by":"witness","decided":60000,"heard":57900,"serves":60400},` +
		`{"epoch":5,"leader":"a","by":"proof","decided":80000,"heard":75000,"fenced":79000,"serves":80500}`
	r := newReporter(t, c, state)
	if err := r.told.setEpoch(3); err != nil {
		t.Fatal(err)
	}
	if err := r.look(t.Context(), statusOf(t, leading(5, "proof", changes))); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"geminios-failover.4.node-a: Warning LeadsNoMore node-a: node-a leads no more: node-b does, in epoch 4",
		"geminios-failover.4.node-b: Warning Leads node-b: node-b leads instead of node-a in epoch 4: the witness decided; clients are served 2500 ms after node-a was last heard",
		"geminios-failover.5.node-a: Warning Leads node-a: node-a leads instead of node-b in epoch 5: the other node was seen to be off; clients are served 5500 ms after node-b was last heard",
		"geminios-failover.5.node-b: Warning LeadsNoMore node-b: node-b leads no more: node-a does, in epoch 5",
	}
	if found := noted(c); !slices.Equal(found, want) {
		t.Errorf("%s", strings.Join(found, "\n"))
	}
	// 90 s after the machine started, and this was at 80 s.
	if at := c.events["geminios-failover.5.node-a"].EventTime; at != "2031-02-03T04:04:56.000000Z" {
		t.Error(at)
	}
	// Neither again now, nor after a restart.
	for _, r := range []*reporter{r, newReporter(t, c, state)} {
		if err := r.look(t.Context(), statusOf(t, leading(5, "proof", changes))); err != nil || c.posts != 4 {
			t.Error(err, c.posts)
		}
	}
}

func TestWhatTheAgentForgotAndWhatWasBeforeThisDisk(t *testing.T) {
	for _, c := range []struct {
		told, epoch uint64
		by, changes string
		says        string
	}{
		{0, 1, "person", "", "Normal Leads node-a: node-a leads: the site is new"},
		{0, 7, "both", `{"epoch":6,"leader":"b","by":"witness","decided":1}`, "Normal Leads node-a: node-a leads instead of node-b in epoch 7: both nodes agreed"},
		{4, 7, "person", "", "Warning Leads node-a: node-a leads instead of node-b in epoch 7: a person decided"},
		{9, 7, "proof", "", "Warning Leads node-a: node-a leads instead of node-b in epoch 7: the other node could not lead any more"},
		{7, 7, "proof", "", ""},
	} {
		cluster := newFakeCluster(t)
		r := newReporter(t, cluster, t.TempDir())
		if err := r.told.setEpoch(c.told); err != nil {
			t.Fatal(err)
		}
		if err := r.look(t.Context(), statusOf(t, leading(int(c.epoch), c.by, c.changes))); err != nil {
			t.Error(err)
		}
		all := noted(cluster)
		if len(all) > 2 || c.says == "" && len(all) > 0 || c.says != "" && !strings.HasSuffix(all[0], c.says) {
			t.Errorf("%+v: %q", c, all)
		}
	}
}

func TestAnEventIsWrittenOnceWhateverTheAPIServerDoes(t *testing.T) {
	quick(t)
	cluster, asked, state := newFakeCluster(t), newFakeAgent(t), t.TempDir()
	log.SetOutput(io.Discard)
	asked.say("status", strings.Replace(leading(4, "witness", ""), `"peer":{"standby":{"streams":true}}`, `"peer":null`, 1))
	// It is down, has no rights yet, writes and does not answer, for each of the two events; and looks at nodes come between.
	cluster.trouble = once(503, 403, 500, -1, -1, 500, 429, -1, 503, -1)
	opts := options{state: state, kubeconfig: cluster.kubeconfig}
	set := settings{Node: "node-a", Peer: peer{"node-b", ""}}
	run := func() func() {
		watch, err := newWatch(set, agent{asked.path}, opts)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { watch.run(ctx); close(ended) }()
		return func() { stop(); <-ended }
	}
	isTold := func(epoch uint64) func() bool {
		return func() bool {
			told, err := openTold(state)
			return err == nil && told.epoch() == epoch
		}
	}
	stop := run()
	until(t, "epoch 4 is told of", isTold(4))
	stop()
	// The program and the API server begin anew; while this node does not lead, it tells nothing.
	asked.say("status", strings.Replace(leading(5, "witness", ""), `"serves":3`, `"serves":null`, 1))
	stop = run()
	time.Sleep(30 * time.Millisecond)
	cluster.mu.Lock()
	if len(cluster.events) != 2 {
		t.Error(len(cluster.events), "events of epoch 4")
	}
	cluster.trouble = once(503, -1, -1, 503)
	cluster.mu.Unlock()
	asked.say("status", leading(6, "witness", `{"epoch":5,"leader":"b","by":"both","decided":1},{"epoch":6,"leader":"a","by":"both","decided":2}`))
	until(t, "epoch 6 is told of", isTold(6))
	stop()
	if all := noted(cluster); len(all) != 6 {
		t.Errorf("%s", strings.Join(all, "\n"))
	}
}

func TestAFileOfWhatWasToldThatIsDamaged(t *testing.T) {
	folder := t.TempDir()
	write(t, folder+"/told.json", []byte("{"))
	if _, err := openTold(folder); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Error(err)
	}
}

package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestOneHandOverAtATime(t *testing.T) {
	with(t, &handOverPoll, 5*time.Millisecond)
	b := newBench(t)
	client := b.of(operators)
	if status, said := ask(client, "POST", b.url+"/v1/hand-over", ""); status != 202 {
		t.Fatal(status, said)
	}
	if status, said := ask(client, "POST", b.url+"/v1/hand-over", ""); status != 409 || !strings.Contains(said, "a hand-over is under way") {
		t.Error(status, said)
	}
	b.agent.say("status", strings.Replace(agentStatus, `"epoch":3`, `"epoch":4`, 1))
	b.agent.say("hand-over", `{"refused":"this node does not lead; ask the other one"}`)
	until(t, "another may be asked for", func() bool {
		_, said := ask(client, "POST", b.url+"/v1/hand-over", "")
		return strings.Contains(said, "this node does not lead")
	})
	// What was refused is over.
	if status, said := ask(client, "POST", b.url+"/v1/hand-over", ""); status != 409 || !strings.Contains(said, "this node does not lead") {
		t.Error(status, said)
	}
	if count := b.agent.count("hand-over"); count != 3 {
		t.Error(count)
	}
}

func TestAHandOverThatComesToNothingIsOverAfterAWhile(t *testing.T) {
	with(t, &handOverTimeout, 50*time.Millisecond)
	with(t, &handOverPoll, 5*time.Millisecond)
	b := newBench(t)
	client := b.of(operators)
	for range 2 {
		until(t, "it begins", func() bool {
			status, _ := ask(client, "POST", b.url+"/v1/hand-over", "")
			return status == 202
		})
	}
}

func TestAHandOverTakesNoWords(t *testing.T) {
	b := newBench(t)
	for body, want := range map[string]int{"{}": 400, strings.Repeat("x", bodyLimit+1): 413} {
		if status, said := ask(b.of(operators), "POST", b.url+"/v1/hand-over", body); status != want || !strings.Contains(said, `"error"`) {
			t.Error(status, said)
		}
	}
	if b.agent.count("hand-over") != 0 {
		t.Error("it was asked for")
	}
}

func TestAnAgentThatDoesNotRunOrHangs(t *testing.T) {
	b := newBench(t)
	client := b.of(operators)
	b.agent.say("story", `{"error":"the agent is ending"}`)
	if status, said := ask(client, "GET", b.url+"/v1/story", ""); status != 502 || !strings.Contains(said, "the agent is ending") {
		t.Error(status, said)
	}
	b.agent.say("metrics", strings.Repeat("x", agentLimit+1))
	if status, said := ask(client, "GET", b.url+"/v1/metrics", ""); status != 502 || !strings.Contains(said, "more than") {
		t.Error(status, said)
	}
	b.agent.say("status", "hangs")
	with(t, &agentTimeout, 50*time.Millisecond)
	if status, said := ask(client, "GET", b.url+"/v1/status", ""); status != 504 || !strings.Contains(said, "does not answer") {
		t.Error(status, said)
	}
	if err := os.Remove(b.agent.path); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"GET /v1/status", "GET /v1/story", "GET /v1/metrics", "POST /v1/hand-over"} {
		method, path, _ := strings.Cut(path, " ")
		status, said := ask(client, method, b.url+path, "")
		if status != 503 || !strings.Contains(said, `{"error":"the failover agent of this node does not run","help":"on the node: journalctl -u geminios-failover"}`) {
			t.Error(path, status, said)
		}
	}
}

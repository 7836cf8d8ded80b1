package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Non-graceful shutdown of a node (kubernetes.io, "Node Shutdowns"): with this taint pods of a machine that is off are removed at
// once and their volumes freed, so that they start on the other one.
const (
	outOfService = "node.kubernetes.io/out-of-service"
	nodeShutdown = "nodeshutdown"
	// Says that the taint is this program's: one of a person stays.
	mark = "geminios/out-of-service-since-epoch"
)

// A variable for the tests alone: how often the nodes are looked at although nothing changed.
var lookInterval = time.Minute

// tainter keeps the taint on the other node from a fence that succeeded until that node follows again.
type tainter struct {
	set  settings
	api  *kubernetes
	done string    // what was last seen to be so
	at   time.Time // when
}

// look acts on what the agent itself saw. A decision of the witness, or silence, says nothing of the other machine's pods: they may
// still run and write.
func (t *tainter) look(ctx context.Context, now status) error {
	isOff, isBack := now.Fenced != nil && !now.isPeerHeard(), now.isPeerFollowing()
	key := fmt.Sprintln(isOff, isBack, now.Stored.Record.Epoch)
	if key == t.done && time.Since(t.at) < lookInterval {
		return nil
	}
	if isOff || isBack {
		if err := t.keep(ctx, t.set.Peer.Node, isOff, now.Stored.Record.Epoch); err != nil {
			return err
		}
	}
	// Whoever leads is in service, whatever the other node last said of it.
	if err := t.keep(ctx, t.set.Node, false, 0); err != nil {
		return err
	}
	t.done, t.at = key, time.Now()
	return nil
}

type node struct {
	Metadata struct {
		ResourceVersion string            `json:"resourceVersion"`
		Annotations     map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Taints []json.RawMessage `json:"taints"`
	} `json:"spec"`
}

// keep makes the taint be there, or not. What changes between the look and the change makes it fail, to be tried again.
func (t *tainter) keep(ctx context.Context, name string, isWanted bool, epoch uint64) error {
	path := "/api/v1/nodes/" + name
	var found node
	if err := t.api.do(ctx, http.MethodGet, path, "", nil, &found); err != nil {
		return err
	}
	_, isOurs := found.Metadata.Annotations[mark]
	isTaint := func(taint json.RawMessage) bool {
		var of struct {
			Key string `json:"key"`
		}
		return json.Unmarshal(taint, &of) == nil && of.Key == outOfService
	}
	isThere := slices.ContainsFunc(found.Spec.Taints, isTaint)
	if isWanted && isThere || !isWanted && !isOurs {
		return nil
	}
	rest := slices.DeleteFunc(slices.Clone(found.Spec.Taints), isTaint)
	var since any
	if isWanted {
		taint, err := json.Marshal(map[string]string{"key": outOfService, "value": nodeShutdown, "effect": "NoExecute"})
		if err != nil {
			return err
		}
		rest, since = append(rest, taint), strconv.FormatUint(epoch, 10)
	}
	patch := map[string]any{
		"metadata": map[string]any{
			"resourceVersion": found.Metadata.ResourceVersion,
			"annotations":     map[string]any{mark: since},
		},
		"spec": map[string]any{"taints": rest},
	}
	if err := t.api.do(ctx, http.MethodPatch, path, "application/merge-patch+json", patch, nil); err != nil {
		return err
	}
	if isWanted {
		log.Printf("node %s is out of service: it was seen to be off; its pods go elsewhere", name)
	} else {
		log.Printf("node %s is in service again", name)
	}
	return nil
}

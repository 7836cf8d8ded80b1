package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"geminios/failover-checker/history"
)

// status is the API server's own word on a request that it did not carry out (metav1.Status).
type status struct {
	Kind    string `json:"kind"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Details struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
	} `json:"details"`
}

// refusals are given before anything is stored. 429 is not among them: it may also come from the storage, half-way through.
var refusals = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
	http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity,
}

// classify says what is certain. In doubt it says unknown, which no check can mistake for a promise.
func classify(do history.Do, key string, r reply) Answer {
	switch {
	case r.err != nil && !r.sent:
		return Answer{Outcome: history.Failed, Why: "not sent: " + r.err.Error()}
	case r.err != nil:
		return Answer{Outcome: history.Unknown, Why: r.why()}
	case r.status == http.StatusOK, r.status == http.StatusCreated && do == history.Create:
		return Answer{Outcome: history.Ok}
	}
	outcome := history.Unknown
	if said, ok := r.said(); ok {
		switch {
		case r.status == http.StatusConflict && do == history.Create && said.Reason == "AlreadyExists",
			r.status == http.StatusConflict && do != history.Create && said.Reason == "Conflict":
			outcome = history.Conflict
		case r.status == http.StatusNotFound && said.Reason == "NotFound" && said.Details.Kind == "configmaps" && said.Details.Name == key && do != history.Create:
			outcome = history.Absent
		case slices.Contains(refusals, r.status):
			outcome = history.Failed
		}
	}
	return Answer{Outcome: outcome, Why: r.why()}
}

// said is the server's Status, if this is one: a refusal by something else on the way says nothing about the server.
func (r reply) said() (status, bool) {
	var said status
	err := json.Unmarshal(r.body, &said)
	return said, err == nil && said.Kind == "Status"
}

func (r reply) why() string {
	if r.err != nil && r.status != 0 {
		return fmt.Sprintf("%d, and then: %v", r.status, r.err)
	}
	if r.err != nil {
		return r.err.Error()
	}
	said, ok := r.said()
	if !ok {
		return fmt.Sprintf("%d, not in the API server's words", r.status)
	}
	return fmt.Sprintf("%d %s: %s", r.status, said.Reason, said.Message)
}

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/tls"
)

// fakeCluster is as much of an API server as this program asks for.
type fakeCluster struct {
	t          *testing.T
	kubeconfig string

	mu      sync.Mutex
	trouble func() int // of the next request: an HTTP status, -1 to do it and hang up, 0 for none
	events  map[string]event
	posts   int
	nodes   map[string]map[string]any
	version int
}

func newFakeCluster(t *testing.T) *fakeCluster {
	c := &fakeCluster{t: t, trouble: func() int { return 0 }, events: map[string]event{}, nodes: map[string]map[string]any{}}
	for _, name := range []string{"node-a", "node-b"} {
		c.put(name, `[{"key":"example.com/mine","effect":"NoSchedule"}]`, "")
	}
	authority := newAuthority(t, "kubernetes")
	server := httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{authority.issue(wish{name: "kube-apiserver", isServer: true})},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    authority.pool(),
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	client := authority.issue(wish{name: "geminios:management"})
	encoded := base64.StdEncoding.EncodeToString
	c.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	write(t, c.kubeconfig, fmt.Appendf(nil, "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: %s\n    server: %s\n  name: kubernetes\n"+
		"users:\n- name: geminios:management\n  user:\n    client-certificate-data: %s\n    client-key-data: %s\n",
		encoded(encode("CERTIFICATE", authority.certificate.Raw)), server.URL,
		encoded(encode("CERTIFICATE", client.Certificate[0])), encoded(authority.encodeKey(client.PrivateKey))))
	return c
}

func (c *fakeCluster) api() *kubernetes {
	api, err := openKubernetes(c.kubeconfig)
	if err != nil {
		c.t.Fatal(err)
	}
	return api
}

// put makes a node, with taints as JSON, and the mark of the epoch if there is one.
func (c *fakeCluster) put(name, taints, epoch string) {
	var list []any
	if err := json.Unmarshal([]byte(taints), &list); err != nil {
		c.t.Fatal(err)
	}
	annotations := map[string]any{"example.com/a": "b"}
	if epoch != "" {
		annotations[mark] = epoch
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.nodes[name] = map[string]any{
		"metadata": map[string]any{"resourceVersion": fmt.Sprint(c.version), "annotations": annotations},
		"spec":     map[string]any{"taints": list},
	}
}

// taints are those of a node, and its mark.
func (c *fakeCluster) taints(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	node := c.nodes[name]
	var all []string
	for _, taint := range node["spec"].(map[string]any)["taints"].([]any) {
		of := taint.(map[string]any)
		all = append(all, strings.TrimSuffix(fmt.Sprintf("%v=%v:%v", of["key"], of["value"], of["effect"]), ""))
	}
	if epoch, isMarked := node["metadata"].(map[string]any)["annotations"].(map[string]any)[mark]; isMarked {
		all = append(all, "epoch "+epoch.(string))
	}
	return strings.ReplaceAll(strings.Join(all, " "), "<nil>", "")
}

func (c *fakeCluster) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	trouble := c.trouble()
	if trouble > 0 {
		c.say(w, trouble, map[string]any{"message": "not now"})
		return
	}
	code, body := c.do(r)
	if trouble < 0 {
		panic(http.ErrAbortHandler)
	}
	c.say(w, code, body)
}

func (c *fakeCluster) say(w http.ResponseWriter, code int, body any) {
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(body)
}

func (c *fakeCluster) do(r *http.Request) (int, any) {
	if r.Method == http.MethodPost {
		var made event
		if err := json.NewDecoder(r.Body).Decode(&made); err != nil || r.URL.Path != "/apis/events.k8s.io/v1/namespaces/default/events" {
			return 400, map[string]any{"message": r.URL.Path}
		}
		c.posts++
		if _, isThere := c.events[made.Metadata["name"]]; isThere {
			return 409, map[string]any{"message": "already exists"}
		}
		c.events[made.Metadata["name"]] = made
		return 201, made
	}
	name := strings.TrimPrefix(r.URL.Path, "/api/v1/nodes/")
	node, isThere := c.nodes[name]
	if !isThere {
		return 404, map[string]any{"message": "no such node"}
	}
	if r.Method == http.MethodGet {
		return 200, node
	}
	var patch map[string]any
	if err := json.NewDecoder(r.Body).Decode(&patch); err != nil || r.Header.Get("Content-Type") != "application/merge-patch+json" {
		return 415, map[string]any{"message": "no merge patch"}
	}
	if patch["metadata"].(map[string]any)["resourceVersion"] != node["metadata"].(map[string]any)["resourceVersion"] {
		return 409, map[string]any{"message": "it has been modified"}
	}
	c.nodes[name] = merge(node, patch)
	c.version++
	c.nodes[name]["metadata"].(map[string]any)["resourceVersion"] = fmt.Sprint(c.version)
	return 200, c.nodes[name]
}

// merge is RFC 7396.
func merge(into, patch map[string]any) map[string]any {
	for key, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(into, key)
		case map[string]any:
			inner, _ := into[key].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			into[key] = merge(inner, value)
		default:
			into[key] = value
		}
	}
	return into
}

// once gives each trouble once, and then none.
func once(troubles ...int) func() int {
	return func() int {
		if len(troubles) == 0 {
			return 0
		}
		next := troubles[0]
		troubles = troubles[1:]
		return next
	}
}

func quick(t *testing.T) {
	with(t, &watchInterval, 2*time.Millisecond)
	with(t, &retryFirst, 2*time.Millisecond)
	with(t, &retryMost, 5*time.Millisecond)
	with(t, &lookInterval, 0)
}

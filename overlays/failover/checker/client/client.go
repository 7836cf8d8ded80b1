// Package client speaks with a Kubernetes API server about ConfigMaps, and says of each request what is certain about its effect.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"geminios/failover-checker/history"
)

// Label is on each object of a run; its value is the run's name.
const Label = "geminios.io/failover-checker"

// largest answer that is read: a page of a list.
const largest = 16 << 20

const pageSize = 500

// Client makes each request once, on a connection of its own while it lasts: nothing is sent a second time behind the caller's back.
type Client struct {
	http      *http.Client
	target    Target
	namespace string
	run       string
	timeout   time.Duration
}

// Answer is what is certain after a request.
type Answer struct {
	Outcome  history.Kind
	Why      string // in words, unless acknowledged
	By       int64  // what the object holds; 0 is not a content of this checker
	Count    int64
	Revision int64
	Items    []history.Item
}

// New makes a client whose requests take at most `timeout` each; a page of a list may take five times as long.
func New(target Target, namespace, run string, timeout time.Duration) *Client {
	// One request at a time on a connection: with HTTP/2 all would hang together on a connection whose other end is gone.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: timeout, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3}}
	return &Client{
		http: &http.Client{
			Transport: &http.Transport{
				DialContext: dialer.DialContext, TLSClientConfig: target.TLS, TLSHandshakeTimeout: timeout,
				Protocols: &protocols, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		target: target, namespace: namespace, run: run, timeout: timeout,
	}
}

type meta struct {
	Name            string            `json:"name,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Continue        string            `json:"continue,omitempty"`
}

type configMap struct {
	APIVersion string            `json:"apiVersion,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	Metadata   meta              `json:"metadata"`
	Data       map[string]string `json:"data,omitempty"`
}

func (c *Client) object(key string, by, count int64, revision string) configMap {
	return configMap{"v1", "ConfigMap", meta{Name: key, Labels: map[string]string{Label: c.run}, ResourceVersion: revision},
		map[string]string{"by": strconv.FormatInt(by, 10), "count": strconv.FormatInt(count, 10)}}
}

// item reads an object. What is not as this checker writes it has the writer 0, which is nobody.
func (m *configMap) item() (history.Item, error) {
	revision, err := strconv.ParseInt(m.Metadata.ResourceVersion, 10, 64)
	if err != nil || revision <= 0 || m.Metadata.Name == "" {
		return history.Item{}, fmt.Errorf("object %q with resourceVersion %q", m.Metadata.Name, m.Metadata.ResourceVersion)
	}
	by, _ := strconv.ParseInt(m.Data["by"], 10, 64)
	count, _ := strconv.ParseInt(m.Data["count"], 10, 64)
	return history.Item{Key: m.Metadata.Name, By: by, Count: count, Revision: revision}, nil
}

func (c *Client) path(key string) string {
	path := "/api/v1/namespaces/" + c.namespace + "/configmaps"
	if key != "" {
		path += "/" + key
	}
	return path
}

// Create makes an object that operation `by` writes.
func (c *Client) Create(ctx context.Context, key string, by, count int64) Answer {
	return c.one(ctx, history.Create, key, http.MethodPost, c.path(""), c.object(key, by, count, ""))
}

// Update replaces the object if it still has the revision.
func (c *Client) Update(ctx context.Context, key string, by, count, revision int64) Answer {
	return c.one(ctx, history.Update, key, http.MethodPut, c.path(key), c.object(key, by, count, strconv.FormatInt(revision, 10)))
}

// Delete removes the object if it still has the revision.
func (c *Client) Delete(ctx context.Context, key string, revision int64) Answer {
	options := map[string]any{"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": map[string]string{"resourceVersion": strconv.FormatInt(revision, 10)}}
	return c.one(ctx, history.Delete, key, http.MethodDelete, c.path(key), options)
}

// Get reads the object as of now: no resourceVersion means a quorum read.
func (c *Client) Get(ctx context.Context, key string) Answer {
	return c.one(ctx, history.Get, key, http.MethodGet, c.path(key), nil)
}

func (c *Client) one(ctx context.Context, do history.Do, key, method, path string, body any) Answer {
	reply := c.send(ctx, c.timeout, method, path, body)
	answer := classify(do, key, reply)
	if answer.Outcome != history.Ok || do == history.Delete {
		return answer
	}
	var object configMap
	if err := json.Unmarshal(reply.body, &object); err != nil {
		return Answer{Outcome: history.Unknown, Why: "the answer cannot be read: " + err.Error()}
	}
	item, err := object.item()
	if err != nil || item.Key != key {
		return Answer{Outcome: history.Unknown, Why: fmt.Sprintf("the answer is about another object: %s, %v", item.Key, err)}
	}
	return Answer{Outcome: history.Ok, By: item.By, Count: item.Count, Revision: item.Revision}
}

// List reads all objects of the run as of now, page by page at one revision.
func (c *Client) List(ctx context.Context) Answer {
	answer := Answer{Outcome: history.Ok}
	query := url.Values{"labelSelector": {Label + "=" + c.run}, "limit": {strconv.Itoa(pageSize)}}
	for {
		reply := c.send(ctx, 5*c.timeout, http.MethodGet, c.path("")+"?"+query.Encode(), nil)
		if page := classify(history.List, "", reply); page.Outcome != history.Ok {
			return page
		}
		var list struct {
			Metadata meta        `json:"metadata"`
			Items    []configMap `json:"items"`
		}
		if err := json.Unmarshal(reply.body, &list); err != nil {
			return Answer{Outcome: history.Unknown, Why: "the list cannot be read: " + err.Error()}
		}
		revision, err := strconv.ParseInt(list.Metadata.ResourceVersion, 10, 64)
		if err != nil || (answer.Revision != 0 && answer.Revision != revision) {
			return Answer{Outcome: history.Unknown, Why: fmt.Sprintf("a page of the list is of revision %q, the first was of %d", list.Metadata.ResourceVersion, answer.Revision)}
		}
		answer.Revision = revision
		for i := range list.Items {
			item, err := list.Items[i].item()
			if err != nil {
				return Answer{Outcome: history.Unknown, Why: "the list holds " + err.Error()}
			}
			answer.Items = append(answer.Items, item)
		}
		if list.Metadata.Continue == "" {
			return answer
		}
		query.Set("continue", list.Metadata.Continue)
	}
}

// MakeNamespace makes the namespace, or finds it there.
func (c *Client) MakeNamespace(ctx context.Context) error {
	reply := c.send(ctx, c.timeout, http.MethodPost, "/api/v1/namespaces", configMap{"v1", "Namespace", meta{Name: c.namespace}, nil})
	if reply.err == nil && (reply.status == http.StatusCreated || reply.status == http.StatusConflict) {
		return nil
	}
	return fmt.Errorf("namespace %s: %s", c.namespace, reply.why())
}

// reply is what came back: a whole answer, or an error.
type reply struct {
	sent   bool // something may have reached the server
	status int
	body   []byte
	err    error
}

func (c *Client) send(ctx context.Context, timeout time.Duration, method, path string, body any) reply {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	request, err := c.request(ctx, method, path, body)
	if err != nil {
		return reply{err: err}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return reply{sent: connected.Load(), err: err}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, largest+1))
	if err == nil && len(content) > largest {
		err = fmt.Errorf("the answer is longer than %d bytes", largest)
	}
	return reply{true, response.StatusCode, content, err}
}

func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.target.Server+path, content)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "geminios-failover-checker")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.target.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.target.Token)
	}
	return request, nil
}

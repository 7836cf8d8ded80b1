package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Watched is an event, or a bookmark.
type Watched struct {
	Type     string // ADDED, MODIFIED, DELETED, BOOKMARK
	Key      string
	By       int64
	Count    int64
	Revision int64
}

// Watch asks for all changes after a revision. It returns why it ended, and whether that is since the revision is too old.
// The server shall end it after `lasts`; it is given up when nothing has come for `idle`.
func (c *Client) Watch(ctx context.Context, from int64, lasts, idle time.Duration, opened func(), event func(Watched)) (why string, gone bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(idle, func() { cancel(fmt.Errorf("nothing came for %s", idle)) })
	defer silence.Stop()
	query := url.Values{
		"watch": {"1"}, "resourceVersion": {strconv.FormatInt(from, 10)}, "allowWatchBookmarks": {"true"},
		"timeoutSeconds": {strconv.Itoa(int(lasts.Seconds()))}, "labelSelector": {Label + "=" + c.run},
	}
	request, err := c.request(ctx, http.MethodGet, c.path("")+"?"+query.Encode(), nil)
	if err != nil {
		return err.Error(), false
	}
	response, err := c.http.Do(request)
	if err != nil {
		return because(ctx, err), false
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		return reply{true, response.StatusCode, body, err}.why(), response.StatusCode == http.StatusGone
	}
	opened()
	events := json.NewDecoder(response.Body)
	for {
		var next struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := events.Decode(&next); err != nil {
			return because(ctx, err), false
		}
		silence.Reset(idle)
		if next.Type == "ERROR" {
			var said struct {
				Code int `json:"code"`
			}
			_ = json.Unmarshal(next.Object, &said) // what cannot be read is no 410
			return reply{true, said.Code, next.Object, nil}.why(), said.Code == http.StatusGone
		}
		seen, err := watched(next.Type, next.Object)
		if err != nil {
			return err.Error(), false
		}
		event(seen)
	}
}

func watched(kind string, text []byte) (Watched, error) {
	var object configMap
	if err := json.Unmarshal(text, &object); err != nil {
		return Watched{}, fmt.Errorf("an event cannot be read: %w", err)
	}
	if kind == "BOOKMARK" {
		object.Metadata.Name = "bookmark" // it has none
	}
	item, err := object.item()
	if err != nil {
		return Watched{}, fmt.Errorf("an event holds %w", err)
	}
	return Watched{kind, item.Key, item.By, item.Count, item.Revision}, nil
}

func because(ctx context.Context, err error) string {
	if cause := context.Cause(ctx); cause != nil {
		return cause.Error()
	}
	return err.Error()
}

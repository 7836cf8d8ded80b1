package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// upstream is one component's metrics: the path here, and where they are on this node.
type upstream struct {
	name   string
	url    string
	client *http.Client
}

// upstreams are all that a node has. What Kubernetes serves asks who asks.
func upstreams(own identity, nodeIP string) []upstream {
	open := newClient(nil)
	known := newClient(&tls.Config{
		MinVersion:   tls.VersionTLS12,
		RootCAs:      own.authority,
		Certificates: []tls.Certificate{own.certificate},
	})
	kubelet := "https://" + net.JoinHostPort(nodeIP, "10250")
	return []upstream{
		{"node", "http://127.0.0.1:9100/metrics", open},
		{"postgresql", "http://127.0.0.1:9187/metrics", open},
		{"kine", "http://127.0.0.1:2381/metrics", open},
		{"kube-apiserver", own.server + "/metrics", known},
		{"kube-controller-manager", "https://127.0.0.1:10257/metrics", known},
		{"kube-scheduler", "https://127.0.0.1:10259/metrics", known},
		{"kubelet", kubelet + "/metrics", known},
		{"cadvisor", kubelet + "/metrics/cadvisor", known},
		{"kube-proxy", "http://127.0.0.1:10249/metrics", open},
		{"coredns", "http://127.0.0.1:9153/metrics", open},
	}
}

// readUpstreams takes what other overlays of the image serve on loopback: a file each, with the URL. No folder, no others.
func readUpstreams(folder string) ([]upstream, error) {
	files, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var more []upstream
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			return nil, err
		}
		where := strings.TrimSpace(string(text))
		parsed, err := url.Parse(where)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name(), err)
		}
		if at, err := netip.ParseAddrPort(parsed.Host); parsed.Scheme != "http" || err != nil || !at.Addr().IsLoopback() {
			return nil, fmt.Errorf("%s: %s is not on loopback, such as http://127.0.0.1:1/metrics", file.Name(), where)
		}
		more = append(more, upstream{file.Name(), where, newClient(nil)})
	}
	return more, nil
}

// newClient goes where it is told: no proxy of the environment, no redirection.
func newClient(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSClientConfig:     config,
			TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 1,
			IdleConnTimeout:     2 * time.Minute,
			DisableCompression:  true, // what is compressed goes to the client as it is
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// expiry is when a certificate ends that nobody else tells of.
type expiry struct {
	certificate string
	at          time.Time
}

// newPages serves the index, each component's metrics, and the gateway's own.
func newPages(sources []upstream, expiries []expiry) http.Handler {
	mux := http.NewServeMux()
	var index strings.Builder
	for _, source := range sources {
		path := "/metrics/" + source.name
		mux.Handle(path, newScraper(source))
		fmt.Fprintln(&index, path)
	}
	fmt.Fprintln(&index, "/metrics/gateway")
	mux.HandleFunc("/metrics/gateway", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		all := append(expiries[:len(expiries):len(expiries)], expiry{"client", r.TLS.PeerCertificates[0].NotAfter})
		fmt.Fprintln(w, "# HELP geminios_certificate_expiry_timestamp_seconds When a certificate ends; client: of who asks.")
		fmt.Fprintln(w, "# TYPE geminios_certificate_expiry_timestamp_seconds gauge")
		for _, e := range all {
			fmt.Fprintf(w, "geminios_certificate_expiry_timestamp_seconds{certificate=%q} %d\n", e.certificate, e.at.Unix())
		}
	})
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, index.String())
	})
	return mux
}

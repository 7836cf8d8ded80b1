package main

import (
	"fmt"
	"net/http"
)

// newMetricsServer is for the gateway of overlay monitoring, which asks who asks.
func newMetricsServer(asked agent, identities *identities, complaints *sparse) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		said, err := asked.ask(r.Context(), "metrics")
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		w.Write(said)
		now := identities.get()
		const name = "geminios_management_certificate_expiry_timestamp_seconds"
		fmt.Fprintf(w, "# HELP %s When a certificate of the management port ends.\n# TYPE %s gauge\n", name, name)
		fmt.Fprintf(w, "%s{certificate=\"node\"} %d\n", name, now.pair.Leaf.NotAfter.Unix())
		fmt.Fprintf(w, "%s{certificate=\"authority\"} %d\n", name, now.authority.NotAfter.Unix())
	})
	return newServer(mux, complaints)
}

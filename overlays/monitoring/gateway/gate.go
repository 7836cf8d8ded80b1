package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Who may read: the user of monitor.conf, and who may do anything in the cluster.
const monitor = "geminios:monitor"

var administrators = []string{"geminios:cluster-admins", "system:masters"}

// gate lets through whom it knows; /healthz says nothing that a port scan would not.
type gate struct {
	roots  *x509.CertPool
	denied *sparse
	inside http.Handler
	now    func() time.Time
}

func newGate(roots *x509.CertPool, denied *sparse, inside http.Handler) *gate {
	return &gate{roots, denied, inside, time.Now}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == "/healthz" {
		fmt.Fprintln(w, "ok")
		return
	}
	if status, err := g.judge(r.TLS); err != nil {
		g.denied.printf("denied %s %.100q: %v", r.RemoteAddr, r.URL.Path, err)
		http.Error(w, err.Error(), status)
		return
	}
	g.inside.ServeHTTP(w, r)
}

// judge looks at each request, not at the handshake: a certificate may expire while a connection lives.
func (g *gate) judge(state *tls.ConnectionState) (int, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return http.StatusUnauthorized, errors.New("no client certificate")
	}
	leaf := state.PeerCertificates[0]
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:       g.roots,
		CurrentTime: g.now(),
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return http.StatusUnauthorized, fmt.Errorf("client certificate: %w", err)
	}
	isAdministrator := func(group string) bool { return slices.Contains(administrators, group) }
	if leaf.Subject.CommonName != monitor && !slices.ContainsFunc(leaf.Subject.Organization, isAdministrator) {
		return http.StatusForbidden, fmt.Errorf("user %.100q may not read metrics", leaf.Subject.CommonName)
	}
	return http.StatusOK, nil
}

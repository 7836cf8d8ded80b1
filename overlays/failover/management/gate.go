package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Organizations of certificates.
const (
	viewers   = "geminios:viewers"
	operators = "geminios:operators"
)

// route is one thing that can be asked for, by whom.
type route struct {
	method string
	groups []string
	serve  http.HandlerFunc
}

// gate lets through whom it knows, to what is theirs.
type gate struct {
	identities *identities
	routes     map[string]route
	denied     *sparse
	now        func() time.Time
}

func newGate(identities *identities, routes map[string]route, denied *sparse) *gate {
	return &gate{identities, routes, denied, time.Now}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	who, err := g.judge(r.TLS)
	if err != nil {
		g.denied.printf("denied %s %.100q: %v", r.RemoteAddr, r.URL.Path, err)
		refuse(w, http.StatusUnauthorized, err.Error(), "connect again, with a certificate that is valid now")
		return
	}
	route, isThere := g.routes[r.URL.Path]
	switch {
	case !isThere:
		refuse(w, http.StatusNotFound, "there is no such path", "GET /v1/status, /v1/story, /v1/metrics; POST /v1/hand-over")
	case r.Method != route.method:
		w.Header().Set("Allow", route.method)
		refuse(w, http.StatusMethodNotAllowed, "only "+route.method, "")
	case !slices.ContainsFunc(who.Organization, func(group string) bool { return slices.Contains(route.groups, group) }):
		g.denied.printf("denied %s %q %s: organization %.100q", r.RemoteAddr, who.CommonName, r.URL.Path, who.Organization)
		refuse(w, http.StatusForbidden, fmt.Sprintf("%.100q may not do this", who.CommonName),
			fmt.Sprintf("it takes a certificate whose Organization is one of %q", route.groups))
	default:
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit)
		route.serve(w, r)
	}
}

// who tells whose certificate it is.
type who struct {
	CommonName   string
	Organization []string
}

// judge looks at each request, not at the handshake alone: while a connection lives a certificate may end, and the authority be
// exchanged.
func (g *gate) judge(state *tls.ConnectionState) (who, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return who{}, errors.New("no client certificate")
	}
	leaf, between := state.PeerCertificates[0], x509.NewCertPool()
	for _, certificate := range state.PeerCertificates[1:] {
		between.AddCert(certificate)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots:         g.identities.get().roots,
		Intermediates: between,
		CurrentTime:   g.now(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return who{}, fmt.Errorf("client certificate: %w", err)
	}
	return who{leaf.Subject.CommonName, leaf.Subject.Organization}, nil
}

// refusal is what is said when something is not done.
type refusal struct {
	Error string `json:"error"`
	Help  string `json:"help,omitempty"`
}

func refuse(w http.ResponseWriter, code int, why, help string) {
	answer(w, code, refusal{why, help})
}

func answer(w http.ResponseWriter, code int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		code, text = http.StatusInternalServerError, []byte(`{"error":"the answer is no JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(append(text, '\n'))
}

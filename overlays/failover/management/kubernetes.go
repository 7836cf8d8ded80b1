package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// A variable for the tests alone.
var apiTimeout = 5 * time.Second

// answerLimit is of the API server's answers, in bytes; a Node has some 10 kB.
const answerLimit = 4 << 20

// kubernetes is the API server of this node, as a user that may do little there.
type kubernetes struct {
	server string
	client *http.Client
}

// openKubernetes reads a kubeconfig as geminios-bootstrap writes it: a line each for all that is needed.
func openKubernetes(path string) (*kubernetes, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if key, value, isPair := strings.Cut(strings.TrimSpace(lines.Text()), ": "); isPair {
			found[key] = value
		}
	}
	data := func(key string) []byte {
		decoded, _ := base64.StdEncoding.DecodeString(found[key])
		return decoded
	}
	authority, err := decodeCertificate(data("certificate-authority-data"))
	if err != nil {
		return nil, fmt.Errorf("%s: certificate-authority-data: %w", path, err)
	}
	pair, err := tls.X509KeyPair(data("client-certificate-data"), data("client-key-data"))
	if err != nil {
		return nil, fmt.Errorf("%s: client certificate: %w", path, err)
	}
	if found["server"] == "" {
		return nil, fmt.Errorf("%s: names no server", path)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	return &kubernetes{found["server"], &http.Client{
		// No proxy of the environment, no redirection.
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: apiTimeout}).DialContext,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{pair}},
			TLSHandshakeTimeout: apiTimeout,
			MaxIdleConnsPerHost: 1,
			IdleConnTimeout:     time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// apiError is the API server's own no.
type apiError struct {
	code    int
	message string
}

func (e apiError) Error() string {
	return fmt.Sprintf("the API server says %d: %s", e.code, e.message)
}

// isThere: what was to be made has been made before.
func isThere(err error) bool {
	var said apiError
	return errors.As(err, &said) && said.code == http.StatusConflict
}

// do asks, and puts the answer into `into` if that is not nil.
func (k *kubernetes) do(ctx context.Context, method, path, kind string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, k.server+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", kind)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "geminios-site")
	response, err := k.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		var why struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(said, &why)
		return apiError{response.StatusCode, fmt.Sprintf("%.300s", why.Message)}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(said, into)
}

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// identity is who this node is to those who connect, and by whose word it believes who they are.
type identity struct {
	pair      tls.Certificate
	authority *x509.Certificate
	roots     *x509.CertPool
}

// identities are the newest that could be read: files may be exchanged while this runs, one after the other.
type identities struct {
	folder string

	mu        sync.Mutex
	current   identity
	stamp     string // of the files that current was made of
	complaint string // said last
}

func openIdentities(folder string) (*identities, error) {
	all := &identities{folder: folder}
	stamp, err := all.look()
	if err != nil {
		return nil, err
	}
	all.stamp = stamp
	all.current, err = readIdentity(folder)
	return all, err
}

func (i *identities) get() identity {
	i.mu.Lock()
	defer i.mu.Unlock()
	stamp, err := i.look()
	if err == nil && stamp != i.stamp {
		var next identity
		if next, err = readIdentity(i.folder); err == nil {
			i.current, i.stamp = next, stamp
			log.Println("has new certificates; this node's ends", next.pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
		}
	}
	said := ""
	if err != nil {
		said = err.Error()
	}
	if said != "" && said != i.complaint {
		log.Println("goes on with the certificates it has:", said)
	}
	i.complaint = said
	return i.current
}

// look tells when a file was exchanged.
func (i *identities) look() (string, error) {
	stamp := ""
	for _, name := range []string{"ca.crt", "node.crt", "node.key"} {
		info, err := os.Stat(filepath.Join(i.folder, name))
		if err != nil {
			return "", err
		}
		stamp += fmt.Sprintln(info.Size(), info.ModTime().UnixNano())
	}
	return stamp, nil
}

func readIdentity(folder string) (identity, error) {
	path := func(name string) string { return filepath.Join(folder, name) }
	var id identity
	text, err := os.ReadFile(path("ca.crt"))
	if err != nil {
		return id, err
	}
	if id.authority, err = decodeCertificate(text); err != nil {
		return id, fmt.Errorf("%s: %w", path("ca.crt"), err)
	}
	id.roots = x509.NewCertPool()
	// While the authority is exchanged the file holds both.
	id.roots.AppendCertsFromPEM(text)
	if id.pair, err = tls.LoadX509KeyPair(path("node.crt"), path("node.key")); err != nil {
		return id, fmt.Errorf("%s: %w", path("node.crt"), err)
	}
	// Clients would refuse it with fewer words.
	_, err = id.pair.Leaf.Verify(x509.VerifyOptions{Roots: id.roots, CurrentTime: id.pair.Leaf.NotBefore.Add(time.Second)})
	if err != nil {
		return id, fmt.Errorf("%s: is not of the authority in ca.crt: %w", path("node.crt"), err)
	}
	return id, nil
}

func decodeCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("holds no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// newSecured speaks TLS 1.3 to those who have a certificate of the site's authority, and to nobody else.
func newSecured(inner net.Listener, identities *identities) net.Listener {
	return tls.NewListener(inner, &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now := identities.get()
			return &tls.Config{
				MinVersion:   tls.VersionTLS13,
				Certificates: []tls.Certificate{now.pair},
				ClientAuth:   tls.RequireAndVerifyClientCert,
				ClientCAs:    now.roots,
				// A ticket would outlive what it was given for.
				SessionTicketsDisabled: true,
				NextProtos:             []string{"http/1.1"},
			}, nil
		},
	})
}

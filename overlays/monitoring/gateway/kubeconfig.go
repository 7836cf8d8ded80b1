package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// identity is who the gateway is to Kubernetes, and whom it believes.
type identity struct {
	server      string // URL of the API server
	authority   *x509.CertPool
	certificate tls.Certificate
}

// readKubeconfig takes a kubeconfig with one cluster and one user, such as geminios-bootstrap writes.
func readKubeconfig(path string) (identity, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return identity{}, err
	}
	var file struct {
		Clusters []struct {
			Cluster struct {
				Server    string `json:"server"`
				Authority []byte `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Certificate []byte `json:"client-certificate-data"`
				Key         []byte `json:"client-key-data"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return identity{}, errors.New("is no YAML") // the parser's message may hold the key
	}
	if len(file.Clusters) != 1 || len(file.Users) != 1 {
		return identity{}, fmt.Errorf("has %d clusters and %d users instead of one each", len(file.Clusters), len(file.Users))
	}
	cluster, user := file.Clusters[0].Cluster, file.Users[0].User
	authority, err := decodeCertificate(cluster.Authority)
	if err != nil {
		return identity{}, fmt.Errorf("certificate-authority-data: %w", err)
	}
	pair, err := tls.X509KeyPair(user.Certificate, user.Key)
	if err != nil {
		return identity{}, fmt.Errorf("client certificate: %w", err)
	}
	who := identity{server: cluster.Server, authority: x509.NewCertPool(), certificate: pair}
	who.authority.AddCert(authority)
	return who, nil
}

func decodeCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("holds no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

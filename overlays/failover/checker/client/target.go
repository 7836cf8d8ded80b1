package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// Target is an API server, and who the checker is to it.
type Target struct {
	Server string // https://ADDRESS:PORT
	TLS    *tls.Config
	Token  string
}

// Files name what a target is made of, where no kubeconfig does.
type Files struct {
	Server, Authority, Certificate, Key, Token string
}

// Open reads a target from its files. What is named beside a kubeconfig replaces what that has.
func Open(kubeconfig string, files Files) (Target, error) {
	var parts pieces
	if kubeconfig != "" {
		var err error
		if parts, err = readKubeconfig(kubeconfig); err != nil {
			return Target{}, fmt.Errorf("--kubeconfig %s: %w", kubeconfig, err)
		}
	}
	if files.Server != "" {
		parts.server = files.Server
	}
	for _, given := range []struct {
		flag, path string
		into       *[]byte
	}{{"ca", files.Authority, &parts.authority}, {"cert", files.Certificate, &parts.certificate}, {"key", files.Key, &parts.key}, {"token-file", files.Token, &parts.token}} {
		if given.path == "" {
			continue
		}
		text, err := os.ReadFile(given.path)
		if err != nil {
			return Target{}, fmt.Errorf("--%s: %w", given.flag, err)
		}
		*given.into = text
	}
	return parts.target()
}

type pieces struct {
	server, serverName                 string
	authority, certificate, key, token []byte
}

func (p pieces) target() (Target, error) {
	address, err := url.Parse(p.server)
	if err != nil || address.Scheme != "https" || address.Host == "" {
		return Target{}, fmt.Errorf("server %q: is no https:// URL", p.server)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: p.serverName}
	if len(p.authority) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(p.authority) {
			return Target{}, errors.New("the authority's file holds no certificate")
		}
	}
	if len(p.certificate) > 0 || len(p.key) > 0 {
		pair, err := tls.X509KeyPair(p.certificate, p.key)
		if err != nil {
			return Target{}, fmt.Errorf("client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	token := strings.TrimSpace(string(p.token))
	if token == "" && len(config.Certificates) == 0 {
		return Target{}, errors.New("neither a client certificate nor a token: name --kubeconfig, or --cert and --key, or --token-file")
	}
	return Target{strings.TrimSuffix(p.server, "/"), config, token}, nil
}

type kubeconfig struct {
	CurrentContext string `json:"current-context"`
	Contexts       []struct {
		Name    string `json:"name"`
		Context struct {
			Cluster string `json:"cluster"`
			User    string `json:"user"`
		} `json:"context"`
	} `json:"contexts"`
	Clusters []struct {
		Name    string `json:"name"`
		Cluster struct {
			Server        string `json:"server"`
			ServerName    string `json:"tls-server-name"`
			Authority     []byte `json:"certificate-authority-data"`
			AuthorityFile string `json:"certificate-authority"`
		} `json:"cluster"`
	} `json:"clusters"`
	Users []struct {
		Name string `json:"name"`
		User struct {
			Certificate     []byte `json:"client-certificate-data"`
			CertificateFile string `json:"client-certificate"`
			Key             []byte `json:"client-key-data"`
			KeyFile         string `json:"client-key"`
			Token           string `json:"token"`
			TokenFile       string `json:"tokenFile"`
		} `json:"user"`
	} `json:"users"`
}

// readKubeconfig takes the current context's cluster and user.
func readKubeconfig(path string) (pieces, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return pieces{}, err
	}
	var file kubeconfig
	if err := yaml.Unmarshal(text, &file); err != nil {
		return pieces{}, errors.New("is no YAML") // the parser's message may hold the key
	}
	var found pieces
	for _, context := range file.Contexts {
		if context.Name != file.CurrentContext {
			continue
		}
		for _, entry := range file.Clusters {
			if entry.Name == context.Context.Cluster {
				found.server, found.serverName = entry.Cluster.Server, entry.Cluster.ServerName
				if found.authority, err = inlineOr(path, entry.Cluster.Authority, entry.Cluster.AuthorityFile); err != nil {
					return found, err
				}
			}
		}
		for _, entry := range file.Users {
			if entry.Name == context.Context.User {
				user := entry.User
				if found.certificate, err = inlineOr(path, user.Certificate, user.CertificateFile); err != nil {
					return found, err
				}
				if found.key, err = inlineOr(path, user.Key, user.KeyFile); err != nil {
					return found, err
				}
				if found.token, err = inlineOr(path, []byte(user.Token), user.TokenFile); err != nil {
					return found, err
				}
			}
		}
	}
	if found.server == "" {
		return found, fmt.Errorf("has no cluster for its current-context %q", file.CurrentContext)
	}
	return found, nil
}

// inlineOr reads the file that a kubeconfig names, relative to itself, where it does not hold the content.
func inlineOr(config string, inline []byte, path string) ([]byte, error) {
	if len(inline) > 0 || path == "" {
		return inline, nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(config), path)
	}
	return os.ReadFile(path)
}

// The one way to this node's metrics: HTTPS for those whose certificate the cluster's authority signed and who may read them.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Those of the other servers of this node; TLS 1.3 has its own.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

type options struct {
	listen, certificate, key, clientCA, kubeconfig, nodeIP, more string
}

func parse(args []string, help io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("monitoring-gateway", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&opts.listen, "listen", ":9443", "`address` and port to serve on")
	flags.StringVar(&opts.certificate, "cert", "", "`file` with the server's certificate")
	flags.StringVar(&opts.key, "key", "", "`file` with its key")
	flags.StringVar(&opts.clientCA, "client-ca", "", "`file` with the authority that signs clients' certificates")
	flags.StringVar(&opts.kubeconfig, "kubeconfig", "", "`file` with what the gateway itself asks Kubernetes with")
	flags.StringVar(&opts.nodeIP, "node-ip", "", "`address` that this node's kubelet serves on")
	flags.StringVar(&opts.more, "more", "/usr/share/geminios/monitoring/upstreams", "`folder` in which other overlays name what they serve here")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(help, "usage: monitoring-gateway --cert FILE --key FILE --client-ca FILE --kubeconfig FILE --node-ip ADDRESS")
			flags.SetOutput(help)
			flags.PrintDefaults()
		}
		return opts, err
	}
	if flags.NArg() > 0 {
		return opts, fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	for _, given := range []struct{ name, value string }{
		{"cert", opts.certificate}, {"key", opts.key}, {"client-ca", opts.clientCA}, {"kubeconfig", opts.kubeconfig}, {"node-ip", opts.nodeIP},
	} {
		if given.value == "" {
			return opts, fmt.Errorf("--%s is missing", given.name)
		}
	}
	if net.ParseIP(opts.nodeIP) == nil {
		return opts, fmt.Errorf("--node-ip %s: is not an address", opts.nodeIP)
	}
	return opts, nil
}

func main() {
	log.SetFlags(0) // the journal has the time
	opts, err := parse(os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "monitoring-gateway: %v\nTry `monitoring-gateway --help`.\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, opts); err != nil {
		log.Fatalln("monitoring-gateway:", err)
	}
}

func run(ctx context.Context, opts options) error {
	pair, err := tls.LoadX509KeyPair(opts.certificate, opts.key)
	if err != nil {
		return fmt.Errorf("--cert: %w", err)
	}
	authority, roots, err := readAuthority(opts.clientCA)
	if err != nil {
		return fmt.Errorf("--client-ca: %w", err)
	}
	own, err := readKubeconfig(opts.kubeconfig)
	if err != nil {
		return fmt.Errorf("--kubeconfig %s: %w", opts.kubeconfig, err)
	}
	more, err := readUpstreams(opts.more)
	if err != nil {
		return fmt.Errorf("--more: %w", err)
	}
	expiries := []expiry{{"server", pair.Leaf.NotAfter}, {"gateway", own.certificate.Leaf.NotAfter}, {"authority", authority.NotAfter}}
	listener, err := net.Listen("tcp", opts.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	denied := newSparse(log.Default())
	server := newServer(pair, denied, newGate(roots, denied, newPages(append(upstreams(own, opts.nodeIP), more...), expiries)))
	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(listener, "", "") }()
	log.Println("serves on", listener.Addr())
	if err := notify("READY=1"); err != nil {
		return err
	}
	select {
	case err = <-failed:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if server.Shutdown(closing) != nil {
		server.Close() // a scrape that would not end
	}
	return nil
}

// newServer takes any client certificate or none: whoever is refused shall hear why, and so shall the log.
func newServer(pair tls.Certificate, complaints io.Writer, handler http.Handler) *http.Server {
	return &http.Server{
		Handler: handler,
		TLSConfig: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			CipherSuites: suites,
			Certificates: []tls.Certificate{pair},
			ClientAuth:   tls.RequestClientCert,
		},
		// One request at a time on a connection: nobody needs HTTP/2 here, and strangers could use it to tire us.
		Protocols:         http1(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      waitTimeout + scrapeTimeout + 5*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(complaints, "", 0),
	}
}

func http1() *http.Protocols {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &protocols
}

func readAuthority(path string) (*x509.Certificate, *x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := decodeCertificate(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return certificate, roots, nil
}

// notify tells systemd (sd_notify(3)), if it started this.
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}

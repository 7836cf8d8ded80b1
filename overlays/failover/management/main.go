// One port of a node of a pair for those who look after it, and what Kubernetes is told of the pair.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

type options struct {
	folder, state, kubeconfig string
}

func parse(args []string, help io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("geminios-site", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&opts.folder, "folder", "/var/lib/geminios/management", "`folder` with settings.json, ca.crt, node.crt and node.key")
	flags.StringVar(&opts.state, "state", "/var/lib/geminios-management", "`folder` for what Kubernetes was told")
	flags.StringVar(&opts.kubeconfig, "kubeconfig", "", "`file` with what Kubernetes is told by; without it, it is told nothing")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(help, "usage: geminios-site [--folder DIR] [--state DIR] [--kubeconfig FILE]")
			flags.SetOutput(help)
			flags.PrintDefaults()
		}
		return opts, err
	}
	if flags.NArg() > 0 {
		return opts, fmt.Errorf("%q is not a flag", flags.Arg(0))
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
		fmt.Fprintf(os.Stderr, "geminios-site: %v\nTry `geminios-site --help`.\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, opts); err != nil {
		log.Fatalln("geminios-site:", err)
	}
}

func run(ctx context.Context, opts options) error {
	set, err := readSettings(filepath.Join(opts.folder, "settings.json"))
	if err != nil {
		return err
	}
	identities, err := openIdentities(opts.folder)
	if err != nil {
		return err
	}
	asked := agent{set.Agent}
	strangers := newSparse(log.Default())

	port, err := net.Listen("tcp", set.Listen)
	if err != nil {
		return fmt.Errorf("settings.json: listen: %w", err)
	}
	loopback, err := net.Listen("tcp", set.Metrics)
	if err != nil {
		return fmt.Errorf("settings.json: metrics: %w", err)
	}
	servers := map[*http.Server]net.Listener{
		newServer(newGate(identities, newRoutes(set, asked), strangers), strangers): newSecured(newLimited(port, strangers), identities),
		newMetricsServer(asked, identities, strangers):                              loopback,
	}
	failed := make(chan error, len(servers)+1)
	for server, listener := range servers {
		go func() { failed <- server.Serve(listener) }()
	}
	if opts.kubeconfig != "" {
		watch, err := newWatch(set, asked, opts)
		if err != nil {
			return err
		}
		go watch.run(ctx)
	}
	log.Println("serves on", port.Addr())
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
	for server := range servers {
		if server.Shutdown(closing) != nil {
			server.Close()
		}
	}
	return nil
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

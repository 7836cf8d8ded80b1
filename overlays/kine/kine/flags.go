package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime/debug"
	"strings"
)

type options struct {
	socket   string // path
	endpoint string
	metrics  string // empty: none
	version  bool
}

// parse refuses what would open the database to others: the socket and the metrics ask nobody who they are.
func parse(args []string, help io.Writer) (options, error) {
	var opts options
	var listen string
	flags := flag.NewFlagSet("kine", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&listen, "listen", "unix:///run/kine/kine.sock", "`socket` for the API server, unix:///PATH")
	flags.StringVar(&opts.endpoint, "endpoint", "", "the `database`, such as postgres://kine@/kine?host=/run/postgresql")
	flags.StringVar(&opts.metrics, "metrics", "", "loopback `address` and port of /metrics, such as 127.0.0.1:2381; none if empty")
	flags.BoolVar(&opts.version, "version", false, "print Kine's version")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(help, "usage: kine --endpoint DATABASE [--listen SOCKET] [--metrics ADDRESS]")
			flags.SetOutput(help)
			flags.PrintDefaults()
		}
		return opts, err
	}
	if opts.version {
		return opts, nil
	}
	if flags.NArg() > 0 {
		return opts, fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	if !strings.HasPrefix(opts.endpoint, "postgres://") && !strings.HasPrefix(opts.endpoint, "postgresql://") {
		return opts, errors.New("--endpoint must begin with postgres://") // not repeated: it may hold a password
	}
	socket, isUnix := strings.CutPrefix(listen, "unix://")
	if !isUnix || !filepath.IsAbs(socket) {
		return opts, fmt.Errorf("--listen %s: must be unix:// and an absolute path", listen)
	}
	opts.socket = socket
	if opts.metrics == "" {
		return opts, nil
	}
	host, _, err := net.SplitHostPort(opts.metrics)
	if err != nil {
		return opts, fmt.Errorf("--metrics: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return opts, fmt.Errorf("--metrics %s: must be a loopback address, such as 127.0.0.1:2381", opts.metrics)
	}
	return opts, nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/k3s-io/kine" {
				return dep.Version
			}
		}
	}
	return "unknown"
}

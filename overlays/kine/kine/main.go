// Kine with one driver, PostgreSQL: serves the part of etcd's interface that Kubernetes uses, on a Unix socket.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/drivers/generic"
	_ "github.com/k3s-io/kine/pkg/drivers/pgsql"
	"github.com/k3s-io/kine/pkg/metrics"
	"github.com/k3s-io/kine/pkg/server"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// How long open watches may take to end after SIGTERM.
const stopTimeout = 2 * time.Second

func main() {
	logrus.SetFormatter(&logrus.TextFormatter{DisableColors: true, DisableTimestamp: true}) // the journal has the time
	opts, err := parse(os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "kine: %v\nTry `kine --help`.\n", err)
		os.Exit(2)
	}
	if opts.version {
		fmt.Println("kine", version())
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, opts, os.Stderr); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "kine:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Watches end before the connections to the database do.
func run(ctx context.Context, opts options, log io.Writer) error {
	var wg sync.WaitGroup
	backendCtx, closeBackend := context.WithCancel(context.Background())
	defer wg.Wait()
	defer closeBackend()
	stopWaiting := context.AfterFunc(ctx, closeBackend) // while the database is awaited, SIGTERM ends that

	_, backend, err := drivers.New(backendCtx, &wg, databaseConfig(opts.endpoint))
	if err != nil {
		return fmt.Errorf("database of --endpoint: %w", err)
	}
	if err := backend.Start(backendCtx); err != nil {
		return fmt.Errorf("database of --endpoint: %w", err)
	}
	if !stopWaiting() {
		return ctx.Err()
	}

	listener, err := listen(opts.socket)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer listener.Close()
	failed := make(chan error, 2)
	if opts.metrics != "" {
		stopMetrics, err := serveMetrics(opts.metrics, failed)
		if err != nil {
			return fmt.Errorf("--metrics: %w", err)
		}
		defer stopMetrics()
	}

	// Kubernetes asks for watch progress if the version says that etcd can tell it; the two values are Kine's defaults.
	grpcServer := newServer()
	server.New(stored{backend}, "unix", 5*time.Second, "3.6.11").Register(grpcServer)
	go func() { failed <- grpcServer.Serve(listener) }()
	fmt.Fprintf(log, "kine %s serves on %s\n", version(), opts.socket)
	if err := notify("READY=1"); err != nil {
		return err
	}

	select {
	case err = <-failed:
	case <-ctx.Done():
		err = notify("STOPPING=1")
	}
	timer := time.AfterFunc(stopTimeout, grpcServer.Stop)
	defer timer.Stop()
	grpcServer.GracefulStop()
	return err
}

func databaseConfig(endpoint string) *drivers.Config {
	metrics.RegisterCoreCollectors()
	metrics.Registry.MustRegister(metrics.SQLTotal, metrics.SQLTime, metrics.CompactTotal, metrics.InsertErrorsTotal)
	return &drivers.Config{
		MetricsRegisterer: metrics.Registry,
		Endpoint:          endpoint,
		// Of PostgreSQL's 50 connections, 20 stay for others.
		ConnectionPoolConfig: generic.ConnectionPoolConfig{MaxIdle: 10, MaxOpen: 30, MaxIdleTime: 2 * time.Minute},
		// Kine's defaults. The API server compacts, so Kine has no interval.
		PollInterval:     time.Second,
		PollBatchSize:    500,
		CompactTimeout:   5 * time.Second,
		CompactMinRetain: 1000,
		CompactBatchSize: 1000,
	}
}

// newServer has etcd's limits (etcd server/embed: keepalive, 1.5 MiB a request and 512 KiB beyond).
func newServer() *grpc.Server {
	return grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 2 * time.Hour, Timeout: 20 * time.Second}),
		grpc.MaxConcurrentStreams(math.MaxUint32),
		grpc.MaxRecvMsgSize(2<<20),
		grpc.MaxSendMsgSize(math.MaxInt32),
	)
}

func serveMetrics(address string, failed chan<- error) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{}))
	httpServer := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := httpServer.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("metrics: %w", err)
		}
	}()
	return func() { httpServer.Close() }, nil
}

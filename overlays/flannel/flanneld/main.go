// flannel for nodes of a Kubernetes cluster: takes the node's subnet from the API server and keeps the ways to the others.
// flannel's own main also links etcd, udp, ipsec and clouds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	_ "github.com/flannel-io/flannel/pkg/backend/wireguard"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr/nftables"
)

const (
	subnetFile       = "/run/flannel/subnet.env" // the CNI plugin reads it
	annotationPrefix = "flannel.alpha.coreos.com"
)

type options struct {
	kubeconfig, nodeName, iface, netConfig string
	version                                bool
}

func parse(args []string, help io.Writer) (options, error) {
	var opts options
	flags := flag.NewFlagSet("flanneld", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&opts.kubeconfig, "kubeconfig", "", "`file` that says how to reach the API server")
	flags.StringVar(&opts.nodeName, "node-name", "", "this node's `name`")
	flags.StringVar(&opts.netConfig, "net-config", "", "`file` with the network, net-conf.json")
	flags.StringVar(&opts.iface, "iface", "", "`interface` or its address, to reach other nodes; that of the default route if empty")
	flags.BoolVar(&opts.version, "version", false, "print flannel's version")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(help, "usage: flanneld --kubeconfig FILE --node-name NAME --net-config FILE [--iface INTERFACE]")
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
	for name, value := range map[string]string{"kubeconfig": opts.kubeconfig, "node-name": opts.nodeName, "net-config": opts.netConfig} {
		if value == "" {
			return opts, fmt.Errorf("--%s is missing", name)
		}
	}
	return opts, nil
}

func main() {
	opts, err := parse(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "flanneld: %v\nTry `flanneld --help`.\n", err)
		os.Exit(2)
	case opts.version:
		fmt.Println("flanneld", version())
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, opts); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "flanneld:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Devices, routes and rules stay: pods keep their network while flanneld restarts.
func run(parent context.Context, opts options) error {
	ctx, cancel := context.WithCancel(parent)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	os.Setenv("NODE_NAME", opts.nodeName) // the only way to tell the subnet manager
	leases, err := kube.NewSubnetManager(ctx, "", opts.kubeconfig, annotationPrefix, opts.netConfig, true)
	if err != nil {
		return fmt.Errorf("API server: %w", err)
	}
	config, err := leases.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("--net-config %s: %w", opts.netConfig, err)
	}
	iface, err := externalInterface(ctx, leases, config, opts.iface)
	if err != nil {
		return fmt.Errorf("interface to other nodes: %w", err)
	}
	kind, err := backend.NewManager(ctx, leases, iface).GetBackend(config.BackendType)
	if err != nil {
		return fmt.Errorf("--net-config %s: %w (vxlan, host-gw and wireguard are known)", opts.netConfig, err)
	}
	network, err := kind.RegisterNetwork(ctx, &wg, config)
	if err != nil {
		return fmt.Errorf("%s: %w", config.BackendType, err)
	}
	if err := masquerade(ctx, config, network); err != nil {
		return err
	}
	lease := network.Lease()
	if err := leases.HandleSubnetFile(subnetFile, config, true, lease.Subnet, lease.IPv6Subnet, network.MTU()); err != nil {
		return fmt.Errorf("%s: %w", subnetFile, err)
	}
	wg.Go(func() {
		defer cancel() // a backend that stops by itself is an end
		network.Run(ctx)
	})
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		return fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	if err := leases.CompleteLease(ctx, lease, &wg); err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	<-ctx.Done()
	return errors.New("the backend stopped")
}

// externalInterface honours an address that an administrator has given the node by annotation.
func externalInterface(ctx context.Context, leases subnet.Manager, config *subnet.Config, name string) (*backend.ExternalInterface, error) {
	stack, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return nil, err
	}
	var public ipmatch.PublicIPOpts
	public.PublicIP, public.PublicIPv6 = leases.GetStoredPublicIP(ctx)
	if name == "" {
		name = public.PublicIP
	}
	return ipmatch.LookupExtIface(name, "", "", stack, public)
}

// masquerade hides pods behind the node's address where they leave the pod network, by nftables whatever net-conf.json says.
func masquerade(ctx context.Context, config *subnet.Config, network backend.Network) error {
	rules := &nftables.NFTablesManager{}
	if err := rules.Init(ctx); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	// What was before matters to the iptables rules only; nor does this one resynchronise.
	err := rules.SetupAndEnsureMasqRules(ctx, config.Network, ip.IP4Net{}, ip.IP4Net{},
		config.IPv6Network, ip.IP6Net{}, ip.IP6Net{}, network.Lease(), 0, false)
	if err != nil {
		return err
	}
	rules.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, 0)
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/flannel-io/flannel" {
				return dep.Version
			}
		}
	}
	return "unknown"
}

// One program for every part of Kubernetes that runs on the device: they share most of their code, and so its bytes and pages.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	_ "time/tzdata" // the API server and the controller manager check the time zones of CronJobs

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

type component struct {
	name string
	run  func() int
}

// Constructors register flags and feature gates of the whole process: only the chosen one may be called.
var components = []component{
	{"kube-apiserver", server(apiserver.NewAPIServerCommand)},
	{"kube-controller-manager", server(controllers.NewControllerManagerCommand)},
	{"kube-proxy", server(proxy.NewProxyCommand)},
	{"kube-scheduler", server(func() *cobra.Command { return scheduler.NewSchedulerCommand() })},
	{"kubectl", kubectl},
	{"kubelet", server(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) })},
}

func main() {
	chosen, args, err := pick(os.Args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "kube: %v\n%s", err, usage())
		os.Exit(2)
	}
	os.Args = args // read by cobra, and by kubectl to find plugins
	os.Exit(chosen.run())
}

// pick finds the component in the name of the link, or else in the first argument of `kube`; what it returns begins with that name.
func pick(args []string) (component, []string, error) {
	if len(args) > 0 && filepath.Base(args[0]) == "kube" {
		args = args[1:]
	}
	if len(args) == 0 {
		return component{}, nil, fmt.Errorf("no component named")
	}
	name := filepath.Base(args[0])
	for _, c := range components {
		if c.name == name {
			return c, args, nil
		}
	}
	return component{}, nil, fmt.Errorf("%q is not a component", name)
}

func usage() string {
	var names []string
	for _, c := range components {
		names = append(names, c.name)
	}
	return "usage: kube COMPONENT [ARGUMENT…], or a link to it named as the component\ncomponents: " + strings.Join(names, " ") + "\n"
}

func server(command func() *cobra.Command) func() int {
	return func() int { return cli.Run(command()) }
}

// kubectl sets the verbosity before its constructor, which already logs; so does upstream's main.
func kubectl() int {
	_, _ = logs.GlogSetter(cmd.GetLogVerbosity(os.Args))
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err) // prints it and exits with its own code
	}
	return 0
}

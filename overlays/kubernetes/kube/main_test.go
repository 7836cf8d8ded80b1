package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestTheNameOfTheLinkOrTheFirstArgumentPicksTheComponent(t *testing.T) {
	for _, row := range []struct{ line, name, rest string }{
		{"/usr/bin/kube-apiserver --v=2", "kube-apiserver", "--v=2"},
		{"kube-controller-manager", "kube-controller-manager", ""},
		{"./kube-scheduler --config x", "kube-scheduler", "--config x"},
		{"kube-proxy", "kube-proxy", ""},
		{"/usr/bin/kubelet --version", "kubelet", "--version"},
		{"kubectl get kubelet", "kubectl", "get kubelet"},
		{"/usr/bin/kube kubelet --version", "kubelet", "--version"},
		{"kube kubectl kube kubelet", "kubectl", "kube kubelet"},
	} {
		chosen, args, err := pick(strings.Fields(row.line))
		if err != nil {
			t.Errorf("%s: %v", row.line, err)
			continue
		}
		if chosen.name != row.name || !slices.Equal(args[1:], strings.Fields(row.rest)) {
			t.Errorf("%s: %s with %q", row.line, chosen.name, args[1:])
		}
	}
}

// The test's own program is run as kube: what a user sees, with its exit code.
func TestAnUnknownNameIsAUsageError(t *testing.T) {
	if line, child := os.LookupEnv("KUBE_TEST_LINE"); child {
		os.Args = strings.Fields(line)
		main()
		return
	}
	for line, says := range map[string]string{
		"kube":                       "kube: no component named",
		"kube kubeadm init":          `kube: "kubeadm" is not a component`,
		"/usr/bin/kube-dns --help":   `kube: "kube-dns" is not a component`,
		"/usr/bin/kube --help":       `kube: "--help" is not a component`,
		"/usr/bin/kube kube kubelet": `kube: "kube" is not a component`,
	} {
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(os.Environ(), fmt.Sprintf("KUBE_TEST_LINE=%s", line))
		var errors strings.Builder
		child.Stderr = &errors
		_ = child.Run()
		if code := child.ProcessState.ExitCode(); code != 2 || errors.String() != says+"\n"+usage() {
			t.Errorf("%s: exit %d, %q", line, code, errors.String())
		}
	}
}

// A CNI plugin that reads the node's subnet, which flanneld wrote, and lets the plugin bridge do the rest.
// It understands the configuration of flannel-io/cni-plugin (subnetFile, dataDir, delegate), but is not that program.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	cni "github.com/containernetworking/cni/pkg/version"
)

type object = map[string]any

type config struct {
	types.NetConf
	SubnetFile    string `json:"subnetFile"`
	DataDir       string `json:"dataDir"`
	Delegate      object `json:"delegate"`
	RuntimeConfig object `json:"runtimeConfig,omitempty"`
}

func main() {
	skel.PluginMainFuncs(skel.CNIFuncs{Add: add, Check: check, Del: del, Status: status}, cni.All, "geminios flannel delegate")
}

func parse(stdin []byte) (config, error) {
	conf := config{SubnetFile: "/run/flannel/subnet.env", DataDir: "/var/lib/cni/flannel"}
	if err := json.Unmarshal(stdin, &conf); err != nil {
		return conf, fmt.Errorf("network configuration: %w", err)
	}
	return conf, nil
}

// add keeps what it gives to the delegate: at the end of a pod, perhaps after a reboot, the subnet may be another.
func add(args *skel.CmdArgs) error {
	conf, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	subnet, err := readSubnet(conf.SubnetFile)
	if err != nil {
		return err
	}
	delegated, err := json.Marshal(delegate(conf, subnet))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(conf.DataDir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(conf.record(args.ContainerID), delegated, 0o600); err != nil {
		return err
	}
	result, err := invoke.DelegateAdd(context.Background(), typeOf(delegated), delegated, nil)
	if err != nil {
		return err
	}
	return types.PrintResult(result, conf.CNIVersion)
}

// del succeeds for a pod that it does not know, as the specification asks (CNI 1.1, DEL).
func del(args *skel.CmdArgs) error {
	conf, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	delegated, err := os.ReadFile(conf.record(args.ContainerID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !json.Valid(delegated) { // a power cut during add, which then never came to the delegate
		return os.Remove(conf.record(args.ContainerID))
	}
	if err := invoke.DelegateDel(context.Background(), typeOf(delegated), delegated, nil); err != nil {
		return err
	}
	return os.Remove(conf.record(args.ContainerID))
}

func check(args *skel.CmdArgs) error {
	conf, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	delegated, err := os.ReadFile(conf.record(args.ContainerID))
	if err != nil {
		return err
	}
	var withResult object
	if err := json.Unmarshal(delegated, &withResult); err != nil {
		return fmt.Errorf("%s: %w", conf.record(args.ContainerID), err)
	}
	withResult["prevResult"] = conf.RawPrevResult
	if delegated, err = json.Marshal(withResult); err != nil {
		return err
	}
	return invoke.DelegateCheck(context.Background(), typeOf(delegated), delegated, nil)
}

// status says that pods have no network yet until flanneld has a subnet; 50 is "plugin not available" (CNI 1.1, STATUS).
func status(args *skel.CmdArgs) error {
	conf, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	if _, err := readSubnet(conf.SubnetFile); err != nil {
		return types.NewError(50, "flanneld has no subnet yet", err.Error())
	}
	return nil
}

func (c config) record(containerID string) string {
	return filepath.Join(c.DataDir, filepath.Base(containerID))
}

func typeOf(delegated []byte) string {
	var conf types.NetConf
	json.Unmarshal(delegated, &conf) // without a type, the delegate is not found, which says enough
	return conf.Type
}

// Runs the specs that a list names, of Kubernetes' own end-to-end suite, against a cluster.
//
// It fails unless each of them ran and passed, and unless the list says of every conformance spec of the package
// whether it is run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/formatter"
	"github.com/onsi/ginkgo/v2/reporters"
	"github.com/onsi/gomega"
	"k8s.io/kubernetes/test/e2e/framework"
	"k8s.io/kubernetes/test/utils/image"

	_ "k8s.io/kubernetes/test/e2e/apimachinery"
	_ "k8s.io/kubernetes/test/e2e/framework/debug/init"
	_ "k8s.io/kubernetes/test/e2e/framework/node/init"
	_ "k8s.io/kubernetes/test/utils/ktesting/format"
)

const suite = "Kubernetes"

// A guard against hangs, no measure: specs have time limits of their own.
const patience = time.Hour

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run() error {
	flags := flag.NewFlagSet("e2e", flag.ExitOnError)
	framework.RegisterCommonFlags(flags)
	framework.RegisterClusterFlags(flags)
	path := flags.String("specs", "specs.txt", "The list of specs.")
	all := flags.Bool("all", false, "Run those of the list too that have a plus before them.")
	pause := flags.String("pause-image", "", "Image NAME:TAG that pods of the pause image take instead.")
	procs := flags.Int("procs", 1, "How many processes run specs that may run beside others.")
	part := flags.String("part", "", "Only part I/N of the specs that may run beside others.")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	if flags.NArg() > 0 || *procs < 1 {
		return fmt.Errorf("options alone are taken, and --procs from 1 on: %s", os.Args[1:])
	}
	if *pause != "" {
		if err := replacePause(*pause); err != nil {
			return err
		}
	}
	if framework.TestContext.Provider == "" {
		framework.TestContext.Provider = "skeleton"
	}
	gomega.RegisterFailHandler(framework.Fail)
	framework.AfterReadingAllFlags(&framework.TestContext)

	text, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	list, err := parse(string(text), *all)
	if err != nil {
		return fmt.Errorf("%s: %w", *path, err)
	}
	if err := list.compare(ginkgo.PreviewSpecs(suite).SpecReports); err != nil {
		return fmt.Errorf("%s: %w", *path, err)
	}
	if *part != "" {
		list, err = list.part(*part)
		return errors.Join(err, list.pass())
	}
	begun := time.Now()
	// Serial specs first: the others leave namespaces behind, whose removal they would wait for.
	if err := errors.Join(list.alone().pass(), beside(*procs)); err != nil {
		return err
	}
	fmt.Printf("%d specs passed in %.0f s\n", len(list.Run), time.Since(begun).Seconds())
	return nil
}

// replacePause has pods that need nothing but to run take an image that the node has.
func replacePause(name string) error {
	colon := strings.LastIndexByte(name, ':')
	slash := strings.LastIndexByte(name, '/')
	if slash < 0 || colon < slash {
		return fmt.Errorf("--pause-image %s: not REGISTRY/NAME:TAG", name)
	}
	config := image.GetConfig(image.Pause)
	config.SetRegistry(name[:slash])
	config.SetName(name[slash+1 : colon])
	config.SetVersion(name[colon+1:])
	image.GetImageConfigs()[image.Pause] = config
	return nil
}

// pass runs what the list says, in the order of the suite, and tells of each spec when it is done.
func (list *List) pass() error {
	if len(list.Run) == 0 {
		// Without a focus, Ginkgo would run all that it has.
		return nil
	}
	config, reporter := ginkgo.GinkgoConfiguration()
	config.Timeout, config.RandomSeed = patience, 1
	for _, name := range list.Run {
		config.FocusStrings = append(config.FocusStrings, "^"+regexp.QuoteMeta(suite+" "+name)+"$")
	}
	reporter.NoColor = true
	// What Ginkgo prints of specs that pass says nothing; of those that fail, it is asked below.
	formatter.ColorableStdOut = nothing{}
	details := reporters.NewDefaultReporter(reporter, os.Stdout)

	states := map[string]string{}
	ginkgo.ReportAfterEach(func(spec ginkgo.SpecReport) {
		name := spec.FullText()
		if !list.runs(name) {
			return
		}
		states[name] = spec.State.String()
		fmt.Printf("%s %.1f s %s\n", spec.State, spec.RunTime.Seconds(), name)
		if spec.Failed() {
			details.DidRun(spec)
		}
	})
	passed := ginkgo.RunSpecs(verdict{}, suite, config, reporter)

	var others []string
	for _, name := range list.Run {
		state, ran := states[name]
		if !ran {
			state = "did not run"
		}
		if state != "passed" {
			others = append(others, state+": "+name)
		}
	}
	if len(others) > 0 {
		return fmt.Errorf("%d of %d specs did not pass:\n%s", len(others), len(list.Run), strings.Join(others, "\n"))
	}
	if !passed {
		return fmt.Errorf("each spec passed, but not the suite")
	}
	return nil
}

type nothing struct{}

func (nothing) Write(bytes []byte) (int, error) { return len(bytes), nil }

// verdict takes Ginkgo's own, which RunSpecs also returns.
type verdict struct{}

func (verdict) Fail() {}

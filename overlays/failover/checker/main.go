// The checker works on a cluster while it fails over, and says afterwards whether the cluster kept what it had promised.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"geminios/failover-checker/client"
	"geminios/failover-checker/history"
	"geminios/failover-checker/load"
	"geminios/failover-checker/verify"
)

// Exit codes.
const (
	kept     = 0
	violated = 1
	misused  = 2
	unknown  = 3 // it could not be found out
)

const usage = `usage: checker run    --history FILE (--kubeconfig FILE | --server URL …) (--duration TIME | --until-signal)
       checker verify --history FILE [--kubeconfig FILE | --server URL …]
       checker gaps   --history FILE [--from INSTANT]
Try "checker COMMAND --help".`

func main() { os.Exit(command(os.Args[1:], os.Stdout, os.Stderr)) }

func command(args []string, out, complaints io.Writer) int {
	verbs := map[string]func(*flag.FlagSet, []string, io.Writer, io.Writer) (int, error){"run": run, "verify": judge, "gaps": gaps}
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		fmt.Fprintln(out, usage)
		return kept
	}
	if len(args) == 0 || verbs[args[0]] == nil {
		fmt.Fprintln(complaints, usage)
		return misused
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	code, err := verbs[args[0]](flags, args[1:], out, complaints)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(out, "checker %s:\n", args[0])
		flags.SetOutput(out)
		flags.PrintDefaults()
		return kept
	case err != nil:
		fmt.Fprintln(complaints, "checker:", err)
	}
	return code
}

// parse reads flags, and refuses what is none.
func parse(flags *flag.FlagSet, args []string, path *string) error {
	flags.StringVar(path, "history", "", "`file` of the history")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	if *path == "" {
		return errors.New("--history FILE is missing")
	}
	return nil
}

type access struct {
	kubeconfig string
	files      client.Files
	timeout    time.Duration
}

func (a *access) flags(flags *flag.FlagSet) {
	flags.StringVar(&a.kubeconfig, "kubeconfig", "", "`file` with the API server's address and a client's certificate or token")
	flags.StringVar(&a.files.Server, "server", "", "`URL` of the API server, in place of the kubeconfig's")
	flags.StringVar(&a.files.Authority, "ca", "", "`file` with the authority that signed the server's certificate")
	flags.StringVar(&a.files.Certificate, "cert", "", "`file` with the client's certificate")
	flags.StringVar(&a.files.Key, "key", "", "`file` with its key")
	flags.StringVar(&a.files.Token, "token-file", "", "`file` with a bearer token")
	flags.DurationVar(&a.timeout, "timeout", 2*time.Second, "of each request")
}

func run(flags *flag.FlagSet, args []string, out, complaints io.Writer) (int, error) {
	var (
		s           load.Settings
		how         access
		duration    time.Duration
		untilSignal bool
	)
	how.flags(flags)
	flags.StringVar(&s.Namespace, "namespace", "failover-checker", "`name` of the namespace to work in; it is made if need be, and left")
	flags.DurationVar(&duration, "duration", 0, "how long to work")
	flags.BoolVar(&untilSignal, "until-signal", false, "work until SIGTERM or SIGINT")
	flags.IntVar(&s.Workers, "workers", 8, "how many work at a time")
	flags.Float64Var(&s.Rate, "rate", 20, "steps a second of all workers together, of one or two requests each")
	flags.IntVar(&s.Registers, "registers", 3, "how many counters are incremented at a time")
	flags.IntVar(&s.Watches, "watches", 3, "how many watches; the last one is renewed every 5 s")
	flags.IntVar(&s.Keep, "keep", 2000, "how many objects may be there at a time; older ones are deleted")
	flags.DurationVar(&s.Idle, "idle", 10*time.Second, "after which silence a watch is opened anew")
	flags.DurationVar(&s.Settle, "settle", time.Minute, "how long to wait for the API server at the start, and for the watches at the end")
	if err := parse(flags, args, &s.History); err != nil {
		return misused, err
	}
	for _, bad := range []struct {
		is   bool
		what string
	}{
		{(duration > 0) == untilSignal, "name either --duration or --until-signal"},
		{s.Workers < 1 || s.Workers > 64, "--workers is from 1 to 64"},
		{!(s.Rate > 0 && s.Rate <= 10000), "--rate is from above 0 to 10000"},
		{s.Registers < 1 || s.Watches < 0 || s.Keep < 1, "--registers and --keep are at least 1, --watches at least 0"},
		{how.timeout <= 0 || s.Idle <= 0 || s.Settle <= 0 || duration < 0, "times are above 0"},
	} {
		if bad.is {
			return misused, errors.New(bad.what)
		}
	}
	var err error
	if s.Target, err = client.Open(how.kubeconfig, how.files); err != nil {
		return misused, err
	}
	s.Timeout, s.Turn = how.timeout, 1000
	ctx, forget := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer context.AfterFunc(ctx, forget)() // a second signal ends the checker at once
	if duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, duration)
		defer cancel()
	}
	if err := load.Run(ctx, s, complaints); err != nil {
		return unknown, err
	}
	fmt.Fprintln(out, "the history is in", s.History)
	return kept, nil
}

func judge(flags *flag.FlagSet, args []string, out, _ io.Writer) (int, error) {
	var (
		how      access
		path     string
		patience time.Duration
	)
	how.flags(flags)
	format := formatFlag(flags)
	flags.DurationVar(&patience, "patience", 5*time.Minute, "how long to try to read back")
	if err := parse(flags, args, &path); err != nil {
		return misused, err
	}
	readBack := how.kubeconfig != "" || how.files != client.Files{}
	var target client.Target
	if readBack {
		var err error
		if target, err = client.Open(how.kubeconfig, how.files); err != nil {
			return misused, err
		}
	}
	h, err := history.Load(path)
	if err != nil {
		return unknown, err
	}
	if readBack {
		if err := load.ReadBack(context.Background(), path, h, target, how.timeout, patience); err != nil {
			return unknown, err
		}
		if h, err = history.Load(path); err != nil {
			return unknown, err
		}
	}
	report := verify.Check(h)
	if *format == jsonFormat {
		err = encode(out, report)
	} else {
		report.Print(out)
	}
	switch {
	case !report.Kept():
		return violated, err
	case err != nil || !report.Certain():
		return unknown, err
	default:
		return kept, nil
	}
}

func gaps(flags *flag.FlagSet, args []string, out, _ io.Writer) (int, error) {
	var path, from string
	most := flags.Int("most", 3, "how many gaps of each kind")
	flags.StringVar(&from, "from", "", "`instant` of the fault, as 2026-01-31T12:00:00.5Z or 62.5s since the start: only gaps that end after it")
	format := formatFlag(flags)
	if err := parse(flags, args, &path); err != nil {
		return misused, err
	}
	if *most < 1 {
		return misused, errors.New("--most is at least 1")
	}
	h, err := history.Load(path)
	if err != nil {
		return unknown, err
	}
	var since time.Time
	if from != "" {
		if since, err = instant(h, from); err != nil {
			return misused, err
		}
	}
	found := verify.Gaps(h, since, *most)
	if *format == jsonFormat {
		return kept, encode(out, found)
	}
	for _, name := range []string{"writes", "reads"} {
		verify.PrintGaps(out, name, found[name])
	}
	return kept, nil
}

func instant(h *history.History, text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	offset, err := time.ParseDuration(strings.TrimPrefix(text, "+"))
	if err != nil {
		return time.Time{}, fmt.Errorf("--from %s: is neither a time like 2026-01-31T12:00:00Z nor one since the start like 62.5s", text)
	}
	return h.Start.Wall.Add(offset), nil
}

const jsonFormat = "json"

// formatFlag takes text or json.
func formatFlag(flags *flag.FlagSet) *string {
	format := "text"
	flags.Func("format", "text or json", func(given string) error {
		if given != "text" && given != jsonFormat {
			return errors.New("is neither text nor json")
		}
		format = given
		return nil
	})
	return &format
}

func encode(out io.Writer, what any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(what)
}

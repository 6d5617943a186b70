// SPDX-License-Identifier: Apache-2.0

// Tallyman-bench measures what a run costs against what the same machine needs at least, in the same minutes: a first
// import against a bulk insert of the very same rows through the bare driver, a run that finds nothing changed against
// reading the same plugin's stream without doing anything with it.
//
// Every step is a process of its own, so that its peak memory is its own. The plugin is this program, too.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/sdk/transport"
)

func main() {
	if os.Getenv(transport.Handshake().MagicCookieKey) != "" {
		servePlugin()
		return
	}
	var o options
	sizes := flag.String("sizes", "10000,100000,1000000", "numbers of subscriptions")
	flag.StringVar(&o.rhipe, "rhipe", "", "path of tallyman-plugin-rhipe: measure its start, and runs through it")
	flag.IntVar(&o.rhipeSize, "rhipe-size", 100_000, "number of subscriptions that the simulator of PRISM serves to it")
	flag.StringVar(&o.dir, "dir", "", "directory for the databases (default: a temporary one)")
	flag.IntVar(&o.repeat, "repeat", 3, "how often each step is taken, except for sizes above 200000; the fastest counts")
	flag.StringVar(&o.scale, "scale", "", "numbers of tenants, such as 100,1000: measure many tenants on SQLite and PostgreSQL instead")
	flag.IntVar(&o.scaleSize, "scale-subscriptions", 1000, "number of subscriptions of each tenant")
	flag.IntVar(&o.workers, "scale-workers", 4, "runs at once on each host")
	step := flag.String("step", "", "take one step and print its result as JSON; used by the program itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *step != "" {
		err = takeStep(ctx, *step, flag.Args())
	} else {
		err = o.run(ctx, *sizes)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tallyman-bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

type options struct {
	rhipe     string
	rhipeSize int
	dir       string
	repeat    int

	scale              string
	scaleSize, workers int

	self string
}

func (o *options) run(ctx context.Context, sizes string) error {
	dir, err := os.MkdirTemp(o.dir, "tallyman-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover in a temporary folder harms nobody
	o.dir = dir
	if o.self, err = os.Executable(); err != nil {
		return err
	}
	plugin := filepath.Join(dir, pluginFile)
	if runtime.GOOS == "windows" {
		plugin += ".exe"
	}
	if err := copyFile(o.self, plugin); err != nil {
		return err
	}
	fmt.Printf("%s, %s/%s, %d processors. Times in seconds; the ratio is to the floor beside it.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if o.scale != "" {
		return o.runScale(ctx, plugin)
	}
	starts := []string{plugin}
	if o.rhipe != "" {
		starts = append(starts, o.rhipe)
	}
	for _, path := range starts {
		r, err := o.step(ctx, "start", path)
		if err != nil {
			return err
		}
		fmt.Printf("start, handshake and describe of %s: %.0f ms (median of %d)\n", filepath.Base(path), r.Seconds*1000, r.Records)
	}
	var last *row
	for text := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return fmt.Errorf("-sizes: %q is not a number of subscriptions", text)
		}
		this, err := o.measure(ctx, fmt.Sprintf("%d subscriptions", n), n, source{Plugin: plugin, Subscriptions: n})
		if err != nil {
			return err
		}
		if last != nil {
			grown := float64(this.unchanged.HostPeak-last.unchanged.HostPeak) / float64(this.n-last.n)
			fmt.Printf("  host memory from %d to %d, unchanged: %+.1f bytes a record\n", last.n, this.n, grown)
		}
		last = this
	}
	if o.rhipe != "" {
		s := source{Plugin: o.rhipe, Subscriptions: o.rhipeSize, Rhipe: true}
		if _, err := o.measure(ctx, fmt.Sprintf("%d subscriptions through the Rhipe plugin and the simulator of PRISM", o.rhipeSize), o.rhipeSize, s); err != nil {
			return err
		}
	}
	return nil
}

// row is what was measured for one size.
type row struct {
	n         int
	unchanged result
}

// measure takes all steps for one size. Each is repeated, the fastest counts: what a shared machine adds is noise.
func (o *options) measure(ctx context.Context, title string, n int, s source) (*row, error) {
	fmt.Printf("\n%s\n", title)
	repeat := o.repeat
	if n > 200_000 {
		repeat = 1
	}
	best := map[string]result{}
	for i := range repeat {
		s.Database = filepath.Join(o.dir, fmt.Sprintf("%d-%d.db", n, i))
		for _, step := range []string{"stream", "import", "insert", "unchanged", "changed"} {
			s.Day = map[string]int{"changed": 2}[step]
			encoded, err := json.Marshal(s)
			if err != nil {
				return nil, err
			}
			r, err := o.checked(ctx, step, s.Database, string(encoded))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", step, err)
			}
			if old, ok := best[step]; !ok || r.Seconds < old.Seconds {
				best[step] = r
			}
		}
		for _, suffix := range []string{"", "-wal", "-shm", ".floor", ".floor-wal", ".floor-shm"} {
			_ = os.Remove(s.Database + suffix)
		}
	}
	fmt.Printf("  %-34s %9s %9s %10s %10s\n", "", "seconds", "ratio", "host MB", "plugin MB")
	line := func(name string, r result, ratio string) {
		fmt.Printf("  %-34s %9.2f %9s %10s %10s\n", name, r.Seconds, ratio, megabytes(r.HostPeak), megabytes(r.PluginPeak))
	}
	over := func(a, b result) string { return fmt.Sprintf("%.2f", a.Seconds/b.Seconds) }
	insert, stream, unchanged := best["insert"], best["stream"], best["unchanged"]
	line("floor: raw insert of the same rows", insert, "")
	line("first import", best["import"], over(best["import"], insert))
	line("floor: raw plugin stream", stream, "")
	line("unchanged", unchanged, over(unchanged, stream))
	line("1 % changed, to unchanged", best["changed"], over(best["changed"], unchanged))
	return &row{n, unchanged}, nil
}

func megabytes(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", float64(bytes)/1e6)
}

// checked takes one step, and fails if a run that found nothing changed wrote anything but its own record.
func (o *options) checked(ctx context.Context, name, database string, args ...string) (result, error) {
	if name != "unchanged" {
		return o.step(ctx, name, args...)
	}
	before, err := countRows(ctx, database)
	if err != nil {
		return result{}, err
	}
	r, err := o.step(ctx, name, args...)
	if err != nil {
		return result{}, err
	}
	after, err := countRows(ctx, database)
	before["runs"]++
	if err == nil && !maps.Equal(before, after) {
		err = fmt.Errorf("it found nothing changed, but left %v rows instead of %v", after, before)
	}
	return r, err
}

// step takes one step in a process of its own.
func (o *options) step(ctx context.Context, name string, args ...string) (r result, err error) {
	return r, o.call(ctx, &r, name, args...)
}

// call takes a step whose result is of any kind.
func (o *options) call(ctx context.Context, into any, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, o.self, append([]string{"-step", name}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	return json.Unmarshal(out, into)
}

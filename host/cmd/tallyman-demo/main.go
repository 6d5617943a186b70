// SPDX-License-Identifier: Apache-2.0

// Tallyman-demo shows three days in a tenant's life: it runs tallyman, as an operator would, against the bundled
// PRISM simulator, and leaves the database for looking at.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

func main() {
	root := flag.String("root", ".", "the directory that holds bin and configs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *root); err != nil {
		fmt.Fprintln(os.Stderr, "The demonstration broke off:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// demo is a demonstration under way.
type demo struct {
	ctx  context.Context //nolint:containedctx // it lives as long as the program
	root string
	sim  *prismsim.Server
	env  []string
	err  error
}

const (
	configFile = "configs/demo.hcl"
	stateDir   = "var/demo"
	customers  = "configs/demo-customers.csv"
	filesDir   = "configs/demo-csv"
)

func run(ctx context.Context, root string) error {
	state := filepath.Join(root, filepath.FromSlash(stateDir))
	if err := errors.Join(os.RemoveAll(state), os.MkdirAll(state, 0o750)); err != nil {
		return err
	}
	sim := prismsim.New(prismsim.Demo())
	if err := sim.Start(); err != nil {
		return err
	}
	files, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(filesDir)))
	if err != nil {
		return err
	}
	d := &demo{ctx: ctx, root: root, sim: sim, env: append(os.Environ(), "HARBOUR_FILES="+files,
		"PRISM_URL="+sim.APIURL(), "RHIPE_CLIENT_ID="+prismsim.DemoClientID, "RHIPE_CLIENT_SECRET="+prismsim.DemoClientSecret)}
	d.setUp()
	d.day1()
	d.files()
	d.day2()
	d.day3()
	if d.err != nil {
		return errors.Join(d.err, sim.Close())
	}
	d.farewell()
	return sim.Close()
}

func (d *demo) setUp() {
	d.title("Before the first day", "The MSP \"Acme IT\" has customers of its own, and resells through Rhipe.",
		"A simulator answers for PRISM, Rhipe's portal. Each command is the real program, with the real plugin process.")
	d.tallyman("plugin", "lock")
	d.tallyman("config", "check")
	d.tallyman("customers", "import", customers, "--tenant", "acme")
	d.tallyman("test", "acme/rhipe")
}

func (d *demo) day1() {
	d.title("Day 1: the first import", "Names that are exactly the same are mapped. Two customers are called \"Southern Surveying\", so nobody guesses which",
		"one is meant. Kookaburra goes by another name at Rhipe and is mapped by hand.")
	d.tallyman("mappings", "generate", "acme/rhipe")
	d.tallyman("mappings", "list", "acme/rhipe", "--unmapped")
	d.tallyman("mappings", "add", "acme/rhipe", "Kookaburra Freight Holdings Pty Ltd", "Kookaburra Freight")
	d.note("The sync creates who is still unknown, under the top level \"Cloud customers\", corrects one address, and imports",
		"the subscriptions.")
	d.tallyman("sync", "acme/rhipe")
	d.tallyman("subscriptions", "list", "acme")
}

func (d *demo) files() {
	d.title("The same day: a distributor that sends files", "Acme also resells telephony of Harbour Telecom, which has no API and sends CSV files. The plugin \"csv\" reads them.",
		"Wattle Street Legal is a customer of both: it is mapped by its name, and holds what both distributors deliver.")
	d.tallyman("test", "acme/harbour")
	d.tallyman("sync", "acme/harbour")
	d.tallyman("subscriptions", "list", "acme", "--customer", "Wattle Street Legal")
}

func (d *demo) day2() {
	d.move(2)
	d.title("Day 2: the distributor moves on", "Quantities changed, a subscription was added, one was deleted, and Blue Gum Dental has a new name.",
		"First the plan, which changes nothing; then the sync, which does what the plan said.")
	d.tallyman("plan", "acme/rhipe")
	d.tallyman("sync", "acme/rhipe")
	d.note("A second sync finds nothing to do.")
	d.tallyman("sync", "acme/rhipe")
}

func (d *demo) day3() {
	d.move(3)
	d.title("Day 3: an answer is cut short", "PRISM's answer for the contract agreement \"Cloud Backup\" breaks off in the middle. What is missing from it may",
		"or may not exist: nothing of that agreement is touched. The other agreement is synced as always.")
	d.tallyman("sync", "acme/rhipe")
	d.note("The subscriptions of \"Cloud Backup\" are as they were, and the record tells the three days:")
	d.tallyman("subscriptions", "list", "acme", "--search", "backup")
	d.tallyman("runs", "list", "acme")
}

// tallyman runs one command and shows it as it is typed. A plan that finds changes and a run that ends with a warning
// are part of the story; anything else but success ends it.
func (d *demo) tallyman(args ...string) {
	if d.err != nil {
		return
	}
	fmt.Printf("\n$ tallyman %s\n", quoted(args))
	program := filepath.Join("bin", "tallyman")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	cmd := exec.CommandContext(d.ctx, "."+string(filepath.Separator)+program, append([]string{"--config", configFile}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.root, d.env, os.Stdout, os.Stderr
	err := cmd.Run()
	const pending = 4
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == pending && args[0] == "plan" {
		fmt.Println("(exit code 4: changes are pending)")
		return
	}
	if err != nil {
		d.err = fmt.Errorf("tallyman %s: %w", quoted(args), err)
	}
}

// move lets the simulator live on to another day.
func (d *demo) move(day int) {
	if d.err == nil {
		d.err = d.sim.SetDay(day)
	}
}

func (d *demo) title(title string, lines ...string) {
	if d.err != nil {
		return
	}
	fmt.Printf("\n%s\n%s\n", title, strings.Repeat("=", len(title)))
	d.note(lines...)
}

func (d *demo) note(lines ...string) {
	if d.err == nil {
		fmt.Println(fold(strings.Join(lines, " ")))
	}
}

func (d *demo) farewell() {
	d.title("What is left", "The database stands in "+stateDir+"/tallyman.db. Look at it:")
	for _, args := range [][]string{
		{"runs", "show", "7"},
		{"changes", "acme", "--customer", "Wattle Street Legal"},
		{"customers", "list", "acme"},
		{"mappings", "list", "acme/rhipe"},
		{"subscriptions", "list", "acme", "--inactive"},
	} {
		fmt.Printf("  bin/tallyman --config %s %s\n", configFile, quoted(args))
	}
	d.note("\nOr go on to day 4, when the answer is whole again, with the demonstration's own (public) credentials:")
	fmt.Printf("  bin/prismsim -day 4 -listen 127.0.0.1:8085 &\n  export PRISM_URL=http://127.0.0.1:8085\n"+
		"  export RHIPE_CLIENT_ID=%s\n  export RHIPE_CLIENT_SECRET=%s\n  bin/tallyman --config %s sync acme/rhipe\n  kill %%1   # stop the simulator\n",
		prismsim.DemoClientID, prismsim.DemoClientSecret, configFile)
}

func quoted(args []string) string {
	shown := make([]string, len(args))
	for i, arg := range args {
		shown[i] = arg
		if strings.ContainsRune(arg, ' ') {
			shown[i] = `"` + arg + `"`
		}
	}
	return strings.Join(shown, " ")
}

// fold breaks text into lines of at most 78 characters.
func fold(s string) string {
	const width = 78
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(s) {
		if column > 0 && column+1+len(word) > width {
			b.WriteByte('\n')
			column = 0
		}
		if column > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

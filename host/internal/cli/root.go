// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line: one file per group of commands, and what they share.
package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// app is one call of the program.
type app struct {
	version     string
	in          io.Reader
	out, errOut io.Writer

	json        bool
	dev         bool
	debugger    bool
	configPaths []string
	logLevel    string
	set         []string

	config  *config.Config
	flags   *cobra.Command
	tracing *tracing
}

// Main runs one command line and gives the exit code.
func Main(version string, args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{version: version, in: in, out: out, errOut: errOut, tracing: &tracing{}}
	defer a.tracing.close()
	ctx, stop := interrupts(errOut)
	defer stop()
	root := a.root()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if code := exitCode(err); err == nil || isShown(err) {
		return code
	}
	showError(errOut, err, a.json)
	return exitCode(err)
}

// interrupts gives a context that ends with the first Ctrl-C. The second ends the program at once, which is as safe:
// what a run applies, it applies in one transaction.
func interrupts(errOut io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-done:
			return
		}
		_, _ = io.WriteString(errOut, "\nStopping cleanly; nothing half done is kept. Press Ctrl-C again to stop at once.\n")
		cancel()
		select {
		case <-signals:
			os.Exit(130)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "tallyman",
		Short: "Keeps what you resell in step with what your cloud distributors say",
		Long: "Tallyman keeps what a managed service provider resells in step with what its\n" +
			"cloud distributors say: customers, subscriptions and their quantities.\n\n" +
			"First steps: tallyman plugin lock, tallyman config check,\n" +
			"tallyman test acme/rhipe, tallyman plan acme/rhipe, tallyman sync acme/rhipe.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage or configuration,\n" +
			"3 the distributor cannot be reached, 4 changes are pending.",
		SilenceErrors: true, SilenceUsage: true, Version: a.version,
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "print JSON")
	flags.BoolVar(&a.dev, "dev", false, "run plugins that are not in the lock file, too")
	flags.BoolVar(&a.debugger, "wait-for-debugger", false, "start plugins, tell how to attach a debugger, and wait for Enter before they are used")
	flags.StringArrayVar(&a.configPaths, "config", nil, "read the configuration from `PATH`, a file or folder")
	flags.StringVar(&a.logLevel, "log-level", "", "log from `LEVEL` up: trace, debug, info, warn, error")
	flags.StringArrayVar(&a.set, "set", nil, "set `KEY=VALUE`, keys as in \"tallyman config show\"")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		a.testCommand(), a.planCommand(), a.syncCommand(), a.serveCommand(), a.pauseCommand(), a.resumeCommand(), a.approveCommand(), a.rejectCommand(),
		a.statusCommand(), a.doctorCommand(), a.notificationsCommand(),
		a.mappingsCommand(), a.customersCommand(), a.subscriptionsCommand(), a.runsCommand(), a.changesCommand(),
		a.tenantCommand(), a.moduleCommand(), a.pluginCommand(), a.configCommand(), a.dbCommand(), a.versionCommand(),
	)
	wrapArgs(root)
	fitHelp(root)
	a.flags = root
	return root
}

// helpWidth is how many columns help takes.
const helpWidth = 80

// fitHelp keeps the help of all commands within helpWidth. Examples are meant to be copied and stay as they are.
func fitHelp(root *cobra.Command) {
	flags := fmt.Sprintf(".FlagUsagesWrapped %d", helpWidth)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", flags))
	var fit func(*cobra.Command)
	fit = func(cmd *cobra.Command) {
		if cmd.Long == "" {
			cmd.Long = cmd.Short
		}
		paragraphs := strings.Split(cmd.Long, "\n\n")
		for i, p := range paragraphs {
			paragraphs[i] = text.WrapSoft(strings.ReplaceAll(p, "\n", " "), helpWidth)
		}
		cmd.Long = strings.Join(paragraphs, "\n\n")
		for _, sub := range cmd.Commands() {
			fit(sub)
		}
	}
	fit(root)
}

// wrapArgs makes wrong arguments, and commands that do not exist, a wrong usage.
func wrapArgs(cmd *cobra.Command) {
	if !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			hint := ""
			cmd.SuggestionsMinimumDistance = 2
			if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
				hint = fmt.Sprintf("; did you mean %q?", similar[0])
			}
			return usagef("%q has no command %q%s", cmd.CommandPath(), args[0], hint)
		}
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usagef("%s\nUsage: %s%s", wrongArgs(cmd, args, err), cmd.UseLine(), exampleOf(cmd))
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}

// wrongArgs says which argument is missing, or which is one too many.
func wrongArgs(cmd *cobra.Command, args []string, err error) string {
	var needed []string
	most := 0
	for _, word := range strings.Fields(cmd.Use)[1:] {
		if strings.HasPrefix(word, "-") {
			break
		}
		if most++; !strings.HasPrefix(word, "[") {
			needed = append(needed, word)
		}
	}
	switch {
	case len(args) < len(needed):
		verb := "is"
		if len(needed)-len(args) > 1 {
			verb = "are"
		}
		return fmt.Sprintf("%s %s missing", strings.Join(needed[len(args):], " and "), verb)
	case len(args) > most && most == 0:
		return fmt.Sprintf("%q is too much: the command takes flags only", args[0])
	case len(args) > most:
		return fmt.Sprintf("%q is too much; a name with spaces goes into quotes", args[most])
	}
	return err.Error()
}

// sampleArgs are what a command may be called with, where it has no example of its own.
var sampleArgs = map[string]string{
	"TENANT": "acme", "MODULE": "rhipe", "TENANT/MODULE": "acme/rhipe", "TENANT[/MODULE]": "acme/rhipe", "CHANNEL": "ops", "RUN": "3", "FROM-MODULE": "acme/rhipe", "TO-MODULE": "acme/cloudiq", "FILE.csv": "mine.csv",
	"CUSTOMER": "\"Blue Gum Dental\"", "DISTRIBUTOR-CUSTOMER": "\"Blue Gum Dental Pty Ltd\"",
}

// exampleOf gives the first example of a command, on a line of its own, or one made of its usage.
func exampleOf(cmd *cobra.Command) string {
	example, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n")
	if example == "" {
		words := []string{cmd.CommandPath()}
		for _, word := range strings.Fields(cmd.Use)[1:] {
			if strings.HasPrefix(word, "[") {
				break
			}
			words = append(words, cmp.Or(sampleArgs[word], word))
		}
		if len(words) == 1 {
			return ""
		}
		example = strings.Join(words, " ")
	}
	return "\nExample: " + example
}

// who names the person behind the command, for the record.
func (a *app) who() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// withStore runs a command that only needs the database, which must be there.
func (a *app) withStore(run func(ctx context.Context, s *store.Store, args []string) error) func(*cobra.Command, []string) error {
	return a.withDatabase(true, run)
}

// withDatabase runs a command on the database, which is made if it need not be there.
func (a *app) withDatabase(mustExist bool, run func(ctx context.Context, s *store.Store, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := a.openStore(cmd.Context(), mustExist)
		if err != nil {
			return err
		}
		defer s.Close() //nolint:errcheck // everything was written or rolled back
		return run(cmd.Context(), s, args)
	}
}

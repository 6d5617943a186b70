// SPDX-License-Identifier: Apache-2.0

// Package cli is the command line: one file per group of commands, and what they share.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"os/user"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// app is one call of the program.
type app struct {
	version     string
	out, errOut io.Writer

	json        bool
	dev         bool
	configPaths []string
	logLevel    string
	set         []string

	config *config.Config
	flags  *cobra.Command
}

// Main runs one command line and gives the exit code.
func Main(version string, args []string, _ io.Reader, out, errOut io.Writer) int {
	a := &app{version: version, out: out, errOut: errOut}
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
		Long: "Tallyman keeps what a managed service provider resells in step with what its cloud distributors say:\n" +
			"customers, subscriptions and their quantities.\n\n" +
			"First steps: tallyman config check, tallyman test acme/rhipe, tallyman plan acme/rhipe, tallyman sync acme/rhipe.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 the distributor cannot be reached,\n" +
			"4 changes are pending (plan).",
		SilenceErrors: true, SilenceUsage: true, Version: a.version,
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "print JSON")
	flags.BoolVar(&a.dev, "dev", false, "run plugins whose files are not in the lock file, or differ from it")
	flags.StringArrayVar(&a.configPaths, "config", nil, "configuration file or directory (default tallyman.hcl or tallyman.d)")
	flags.StringVar(&a.logLevel, "log-level", "", "trace, debug, info, warn or error (default from the configuration)")
	flags.StringArrayVar(&a.set, "set", nil, "override a value of the configuration: key=value, keys as \"tallyman config show\" prints them")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		a.testCommand(), a.planCommand(), a.syncCommand(), a.approveCommand(), a.rejectCommand(),
		a.mappingsCommand(), a.customersCommand(), a.subscriptionsCommand(), a.runsCommand(), a.changesCommand(),
		a.tenantCommand(), a.moduleCommand(), a.pluginCommand(), a.configCommand(), a.dbCommand(), a.versionCommand(),
	)
	wrapArgs(root)
	a.flags = root
	return root
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
				return usagef("%w\nUsage: %s", err, cmd.UseLine())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
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

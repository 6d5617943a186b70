// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
)

func (a *app) pluginCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "plugin", Short: "The distributor plugins that are installed"}
	cmd.AddCommand(a.pluginList(), a.pluginLock(), a.pluginNew(), a.pluginTest())
	return cmd
}

// pluginRow is one installed plugin as it is listed.
type pluginRow struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	File    string `json:"file"`
	SHA256  string `json:"sha256,omitempty"`
	// State is locked, not locked, changed (since it was locked) or unusable; Problem says more.
	State   string `json:"state"`
	Problem string `json:"problem,omitempty"`
}

func (a *app) pluginList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List installed plugins and whether they are locked", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, lockFile, err := a.pluginPaths()
			if err != nil {
				return err
			}
			lock, err := pluginhost.ReadLock(lockFile)
			if err != nil {
				return err
			}
			installed, problems := pluginhost.Discover(dir)
			for _, problem := range problems {
				showError(a.errOut, problem, false)
			}
			var rows []pluginRow
			var wrong []error
			for _, in := range installed {
				row := pluginRow{Name: in.Name, File: in.Path, Version: lock.Plugins[in.Name].Version, State: "locked"}
				sum, err := pluginhost.Verify(in, lock)
				row.SHA256 = hex.EncodeToString(sum)
				if err != nil {
					row.State, row.Problem = pluginState(err), err.Error()
					wrong = append(wrong, err)
				}
				rows = append(rows, row)
			}
			g := &grid{columns: []string{"Plugin", "Version", "File", "State"}}
			err = list(a, rows, g, func(r pluginRow) { g.add(r.Name, r.Version, r.File, r.State) },
				fmt.Sprintf("No plugins in %s.", dir))
			if err != nil || a.json {
				return err
			}
			for _, err := range wrong {
				problem := integrator.ProblemOf(err)
				fmt.Fprintln(a.errOut)
				a.say("", problem.Message)
				if problem.Hint != "" {
					a.say("  -> ", problem.Hint)
				}
			}
			return nil
		},
	}
}

// pluginState gives the word for a plugin that may not run.
func pluginState(err error) string {
	var changed *pluginhost.ChecksumError
	var wrong *pluginhost.Error
	switch {
	case errors.As(err, &changed):
		return "changed"
	case errors.As(err, &wrong) && wrong.Code() == pluginhost.CodeUnlisted:
		return "not locked"
	}
	return "unusable"
}

func (a *app) pluginLock() *cobra.Command {
	return &cobra.Command{
		Use: "lock [NAME …]", Short: "Write the checksums of installed plugins to the lock file: only these may run",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, lockFile, err := a.pluginPaths()
			if err != nil {
				return err
			}
			locked, err := pluginhost.Lock(cmd.Context(), dir, lockFile, pluginhost.Spec{HostVersion: a.version, Log: a.log()}, args...)
			if err != nil {
				return err
			}
			for name, plugin := range locked {
				if err := a.done("%s %s is locked in %s.", name, plugin.Version, lockFile); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
)

// What a check of the doctor can come to.
const (
	findingOK      = "ok"
	findingWarning = "warning"
	findingWrong   = "wrong"
)

// finding is what a check came to.
type finding struct {
	// Check is what was looked at: configuration, database, plugin rhipe.
	Check string `json:"check"`
	State string `json:"state"`
	// Message says what was found, Next what to do about it.
	Message string `json:"message"`
	Next    string `json:"next,omitempty"`
}

// doctor looks at everything a run needs, one thing after another.
type doctor struct {
	app      *app
	findings []finding
}

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check this installation and say what to do about what is wrong", Args: cobra.NoArgs,
		Long: "Check this installation: the configuration, who may read its secrets, plugins (installed, locked, willing to\n" +
			"start and to say what they are), the settings of enabled modules, the database with its schema and its\n" +
			"files, schedules (modules without one, stopped, stale or paused ones, whether a host serves), channels and\n" +
			"messages that are not delivered, folders and the clock. Nothing is changed, and nobody is asked or told\n" +
			"anything: \"tallyman test\" and \"tallyman notifications test\" do that.\n\n" +
			"Run it as the user that the daily run has. Exit code 1 means that something is wrong.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{app: a}
			d.examine(cmd.Context())
			return d.tell()
		},
	}
}

// examine makes every check that can be made.
func (d *doctor) examine(ctx context.Context) {
	if d.configuration() {
		d.plugins(ctx)
		d.settings(ctx)
		d.channels()
		d.database(ctx)
	}
	d.temporary()
	d.clock()
}

func (d *doctor) ok(check, format string, args ...any) {
	d.findings = append(d.findings, finding{Check: check, State: findingOK, Message: fmt.Sprintf(format, args...)})
}

func (d *doctor) add(state, check, message, next string) {
	d.findings = append(d.findings, finding{Check: check, State: state, Message: message, Next: next})
}

// wrong adds an error with its own advice.
func (d *doctor) wrong(check string, err error) {
	problem := integrator.ProblemOf(err)
	d.add(findingWrong, check, problem.Message, problem.Hint)
}

// tell shows the findings; what is wrong gives the exit code.
func (d *doctor) tell() error {
	counts := map[string]int{}
	for _, f := range d.findings {
		counts[f.State]++
		if !d.app.json {
			d.print(f)
		}
	}
	if d.app.json {
		if err := d.app.printJSON(map[string]any{"ok": counts[findingWrong] == 0, "findings": d.findings}); err != nil {
			return err
		}
	}
	verdict := "All is in order."
	switch {
	case counts[findingWrong] > 0:
		verdict = plural(counts[findingWrong], "thing") + " wrong"
		if n := counts[findingWarning]; n > 0 {
			verdict += ", " + plural(n, "warning")
		}
		verdict += "."
	case counts[findingWarning] > 0:
		verdict = "Nothing is wrong; " + plural(counts[findingWarning], "warning") + "."
	}
	if !d.app.json {
		fmt.Fprintln(d.app.out)
		paragraph(d.app.out, "", verdict)
	}
	if counts[findingWrong] > 0 {
		return shownError{errors.New(verdict), exitFailed}
	}
	return nil
}

// print shows one finding. A message of several lines, such as one with a line of the configuration, keeps them.
func (d *doctor) print(f finding) {
	marks := map[string]string{findingOK: "ok     ", findingWarning: "warning", findingWrong: "WRONG  "}
	heading := fmt.Sprintf("  %s %-13s ", marks[f.State], f.Check)
	if first, rest, several := strings.Cut(f.Message, "\n"); several {
		paragraph(d.app.out, heading, first)
		fmt.Fprintln(d.app.out, "    "+strings.ReplaceAll(multiline(rest), "\n", "\n    "))
	} else {
		paragraph(d.app.out, heading, f.Message)
	}
	if f.Next != "" {
		paragraph(d.app.out, "          -> ", f.Next)
	}
}

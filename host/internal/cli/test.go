// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
)

func (a *app) testCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test TENANT/MODULE", Short: "Test the connection to a distributor, step by step; reads only", Args: cobra.ExactArgs(1),
		Example: "  tallyman test acme/rhipe",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			if _, err := a.load(); err != nil {
				return err
			}
			p, err := a.start(ctx, args[0], "test")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
			for _, warning := range p.Warnings() {
				paragraph(a.errOut, "Warning: ", warning)
			}
			test, err := p.TestConnection(ctx)
			if err != nil {
				return err
			}
			if a.json {
				if err := a.printJSON(shownTest(args[0], test)); err != nil {
					return err
				}
			} else {
				for _, step := range test.Steps {
					mark, detail := "ok    ", step.Detail
					if !step.OK {
						mark = "FAILED"
						if step.Err != nil {
							detail = step.Err.Message
						}
					}
					paragraph(a.out, fmt.Sprintf("  %s %-13s ", mark, step.Name), detail)
				}
			}
			if test.OK {
				if !a.json {
					paragraph(a.out, "", strings.TrimSuffix(args[0]+" is connected: "+test.Account, ": "))
					if test.Visible != "" {
						for visible := range strings.SplitSeq(test.Visible, "; ") {
							paragraph(a.out, "  ", visible)
						}
					}
				}
				return nil
			}
			for _, step := range test.Steps {
				if !step.OK && step.Err != nil {
					return a.failedTest(step.Err)
				}
			}
			return errors.New("the connection test failed, and the plugin did not say why")
		},
	}
}

// testStep is a step of a connection test in JSON.
type testStep struct {
	Name   string              `json:"name"`
	OK     bool                `json:"ok"`
	Detail string              `json:"detail,omitempty"`
	Error  *integrator.Problem `json:"error,omitempty"`
}

// shownTest is a connection test in JSON. A step that failed has an error and no detail: that tells what would have been.
func shownTest(module string, test *pluginhost.ConnectionTest) any {
	steps := make([]testStep, len(test.Steps))
	for i, s := range test.Steps {
		steps[i] = testStep{Name: s.Name, OK: s.OK, Detail: s.Detail}
		if !s.OK && s.Err != nil {
			steps[i].Detail, steps[i].Error = "", integrator.ProblemOf(s.Err)
		}
	}
	return struct {
		Module  string     `json:"module"`
		OK      bool       `json:"ok"`
		Steps   []testStep `json:"steps"`
		Account string     `json:"account,omitempty"`
		Visible string     `json:"visible,omitempty"`
	}{module, test.OK, steps, test.Account, test.Visible}
}

// failedTest gives the error of a test. In JSON it has been told already.
func (a *app) failedTest(err error) error {
	if a.json {
		return shownError{err, max(exitCode(err), exitFailed)}
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/sdk"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitPending     = 4
)

// usageError is a command that was called wrongly, or a configuration that is wrong.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// shownError has been shown already; only its exit code is left.
type shownError struct {
	error
	code int
}

func (e shownError) Unwrap() error { return e.error }

// exitCode gives the exit code of an error.
func exitCode(err error) int {
	var shown shownError
	var usage usageError
	var told *sdk.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &shown):
		return shown.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &told):
		switch told.Class {
		case sdk.ClassTransient, sdk.ClassThrottled:
			return exitUnreachable
		case sdk.ClassSettings:
			return exitUsage
		}
	}
	return exitFailed
}

// showError writes what happened and what to do next.
func showError(w io.Writer, err error, asJSON bool) {
	problem := integrator.ProblemOf(err)
	var of moduleError
	_ = errors.As(err, &of)
	if asJSON {
		shown := map[string]any{"error": problem}
		if of.module != "" {
			shown["module"] = of.module
		}
		var wrong *config.Error
		if errors.As(err, &wrong) {
			shown["problems"] = wrong.Problems
		}
		b, marshalErr := json.MarshalIndent(shown, "", "  ")
		if marshalErr == nil {
			fmt.Fprintln(w, string(b))
			return
		}
	}
	message := problem.Message
	if problem.Code != "run.failed" {
		message = problem.Code + ": " + message
	}
	if of.module != "" {
		message = of.module + ": " + message
	}
	fmt.Fprintf(w, "Error: %s\n", multiline(message))
	if problem.Hint != "" {
		fmt.Fprintf(w, "  -> %s\n", multiline(problem.Hint))
	}
	if problem.Correlation != "" {
		fmt.Fprintf(w, "  Tell the distributor this request id: %s\n", printable(problem.Correlation))
	}
}

// multiline makes text safe for a terminal and keeps its lines.
func multiline(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

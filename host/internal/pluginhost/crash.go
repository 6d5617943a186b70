// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"fmt"
	"strings"
	"time"
)

// CrashRecord says how a plugin's process ended when it should not have. It holds no secret and is kept with the run.
type CrashRecord struct {
	// Plugin, File and Version say what ran.
	Plugin  string `json:"plugin"`
	File    string `json:"file"`
	Version string `json:"version,omitempty"`
	PID     int    `json:"pid"`
	// ExitCode is -1 when a signal ended the process; Signal then names it.
	ExitCode int    `json:"exit_code"`
	Signal   string `json:"signal,omitempty"`
	// OOMHint: it looks as if memory ran out.
	OOMHint bool `json:"oom_hint,omitempty"`
	// Panic is the beginning of the panic it ended with.
	Panic []string `json:"panic,omitempty"`
	// LastLines are the last lines it wrote to its log.
	LastLines []string `json:"last_lines,omitempty"`
	// Call is what it was asked to do: "start", "ListSubscriptions". Empty: nothing.
	Call    string    `json:"call,omitempty"`
	Started time.Time `json:"started"`
	At      time.Time `json:"at"`
}

// CrashError says that the plugin's process ended during a call or during its start.
type CrashError struct {
	Record CrashRecord
}

// Error says which plugin, in which call and how; a panic's first line is told.
func (e *CrashError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plugin %q crashed", e.Record.Plugin)
	switch e.Record.Call {
	case "":
	case callStart:
		b.WriteString(" at its start")
	default:
		fmt.Fprintf(&b, " during %s", e.Record.Call)
	}
	if e.Record.Signal != "" {
		fmt.Fprintf(&b, " (ended by signal: %s)", e.Record.Signal)
	} else {
		fmt.Fprintf(&b, " (exit code %d)", e.Record.ExitCode)
	}
	switch {
	case len(e.Record.Panic) > 0:
		fmt.Fprintf(&b, ": %s", e.Record.Panic[0])
	case len(e.Record.LastLines) > 0:
		fmt.Fprintf(&b, "; its last words: %s", e.Record.LastLines[len(e.Record.LastLines)-1])
	}
	return b.String()
}

// Code gives CodeCrashed.
func (e *CrashError) Code() string { return CodeCrashed }

// Hint says what to do, by how the process ended.
func (e *CrashError) Hint() string {
	switch {
	case e.Record.OOMHint:
		return "Something outside killed the process, most often the system because memory ran out. If so, give the machine more memory or run fewer modules at a time."
	case e.Record.Signal != "":
		return "Something outside ended the process: a person, a service manager or a limit. Run it again."
	default:
		return "This is a fault of the plugin. Report it to its vendor with the crash record that is kept with the run."
	}
}

// crashRecord says how the process ended. It must be gone.
func (c *child) crashRecord(spec *Spec, version, call string) CrashRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := CrashRecord{
		Plugin: spec.Name, File: c.bin.path, Version: version, PID: c.pid, Call: call,
		Started: c.started.UTC(), At: c.ended.UTC(), Panic: c.sink.panicked(), LastLines: c.sink.last(),
	}
	if c.state != nil {
		var kill bool
		r.ExitCode = c.state.ExitCode()
		r.Signal, kill = signalOf(c.state)
		r.OOMHint = kill && !c.killed
	}
	for _, line := range r.Panic {
		if strings.Contains(line, "out of memory") || strings.Contains(line, "cannot allocate memory") {
			r.OOMHint = true
		}
	}
	return r
}

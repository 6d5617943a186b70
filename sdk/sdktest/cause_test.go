// SPDX-License-Identifier: Apache-2.0

//go:build unix

package sdktest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk/sdktest"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// failures gives the results that failed, and those that were not checked for a reason.
func failures(r *sdktest.Report, reason string) (failed []sdktest.Result, because int) {
	for _, result := range r.Results {
		switch {
		case result.Outcome == sdktest.Failed:
			failed = append(failed, result)
		case result.Outcome == sdktest.NotChecked && strings.Contains(result.Seen, reason):
			because++
		}
	}
	return failed, because
}

func TestSettingsThatAreRefusedAreToldOnce(t *testing.T) {
	t.Parallel()
	sim := newSimulator(t)
	settings := sim.Settings()
	settings["keyy"] = settings["key"]
	delete(settings, "key")
	report, err := sdktest.Check(t.Context(), sdktest.Suite{Binary: named(t, "right"), Simulator: sim, Settings: settings, Large: large}, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed, because := failures(report, "see configure.accepts")
	if len(failed) == 0 || failed[0].Rule != "configure.accepts" || len(failed) > 3 || because < 30 {
		t.Errorf("%d rules were not checked because of it; failed: %+v", because, failed)
	}
}

// dying is a simulator that is gone after a number of orders.
type dying struct {
	simulator.Simulator
	left int
}

func (d *dying) Play(ctx context.Context, fault string) error {
	if d.left--; d.left < 0 {
		_ = d.Close()
		return errors.New("connection refused")
	}
	return d.Simulator.Play(ctx, fault)
}

func TestASimulatorThatDiesIsNotThePluginsFault(t *testing.T) {
	t.Parallel()
	const orders = 9
	sim := &dying{newSimulator(t), orders}
	report, err := sdktest.Check(t.Context(), sdktest.Suite{Binary: named(t, "right"), Simulator: sim, Large: large}, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed, because := failures(report, "the simulator does not answer any more")
	if len(failed) != 1 || !strings.Contains(failed[0].Seen, "this says nothing about the plugin") || because < 10 {
		t.Errorf("%d rules were not checked because of it; failed: %+v", because, failed)
	}
}

// script makes a program of a shell script that leaves a child behind and writes its process id into a file.
func script(t *testing.T, text string) (program, child string) {
	t.Helper()
	dir := t.TempDir()
	program, child = filepath.Join(dir, "plugin"), filepath.Join(dir, "child")
	text = "#!/bin/sh\nsleep 600 &\necho $! > " + child + ".new\nmv " + child + ".new " + child + "\n" + text + "\n"
	if err := os.WriteFile(program, []byte(text), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	return program, child
}

// lives reports whether the process whose id a file holds goes on running.
func lives(t *testing.T, file string) bool {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if !runs(t, file) {
			return false
		}
	}
	return true
}

func runs(t *testing.T, file string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	state, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err == nil && strings.Contains(string(state), ") Z ") {
		return false
	}
	return syscall.Kill(pid, 0) == nil
}

func TestAProgramThatDoesNotStartIsToldOnceAndLeavesNothing(t *testing.T) {
	t.Parallel()
	program, child := script(t, "echo 'no license found' >&2; exit 3")
	report, err := sdktest.Check(t.Context(), sdktest.Suite{Binary: program, Simulator: newSimulator(t), Large: large}, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed, because := failures(report, "see process.handshake")
	if len(failed) != 1 || !strings.Contains(failed[0].Seen, "no license found") || because < 50 {
		t.Errorf("%d rules were not checked because of it; failed: %+v", because, failed)
	}
	if lives(t, child) {
		t.Error("its child lives on")
	}
}

func TestWhoDoesNotWantToWaitIsNotKept(t *testing.T) {
	t.Parallel()
	program, child := script(t, "while :; do sleep 1; done")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if _, err := os.Stat(child); err == nil {
				cancel()
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if _, err := sdktest.Check(ctx, sdktest.Suite{Binary: program, Simulator: newSimulator(t), Large: large}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	if lives(t, child) {
		t.Error("its child lives on")
	}
}

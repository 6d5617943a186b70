// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// helperEnv tells this test program, started again, what to do as another process.
const helperEnv = "STORE_TEST_HELPER"

// helper does what another process is to do, if this is one.
func helper() bool {
	task := os.Getenv(helperEnv)
	if task == "" {
		return false
	}
	if err := help(task, os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func help(task, url string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s, err := Open(ctx, Options{URL: url})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
	}()
	switch task {
	case "open":
		return nil
	case "write":
		tenant, err := s.EnsureTenant(ctx, "acme", "")
		if err != nil {
			return err
		}
		for i := range 50 {
			if _, err := s.ImportCustomers(ctx, tenant.ID, []ImportRow{{Name: fmt.Sprint(os.Getpid(), " ", i)}}, "helper"); err != nil {
				return err
			}
		}
		return nil
	default:
		return fmt.Errorf("unknown task %q", task)
	}
}

// startHelper starts this program again as another process. The result waits for it and gives its error.
func startHelper(t *testing.T, task, url string) func() error {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], url)
	command.Env = append(os.Environ(), helperEnv+"="+task)
	command.Stderr = t.Output()
	must(t, command.Start())
	return command.Wait
}

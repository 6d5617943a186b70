// SPDX-License-Identifier: Apache-2.0

package store

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if helper() {
		return
	}
	goleak.VerifyTestMain(m)
}

func TestSQLiteKeepsWhatTheStorePromises(t *testing.T) {
	t.Parallel()
	Exercise(t, func(t *testing.T) func(Options) *Store {
		dir := t.TempDir()
		return func(opts Options) *Store {
			opts.URL, opts.BaseDir = "sqlite:tallyman.db", dir
			return openAt(t, opts)
		}
	})
}

func openAt(t *testing.T, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), opts)
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return s
}

// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs fn as a user who owns nothing. The superuser may write everything, whatever the modes say.
func asNobody(t *testing.T, fn func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		fn()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread ends with the goroutine, and nobody else gets its user.
		runtime.LockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Errorf("become another user: %v", err)
			return
		}
		fn()
	}()
	<-done
}

// shared gives a folder that everybody may enter.
func shared(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	return dir
}

func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	// The context must not be able to end: the driver would look at it from another thread.
	ctx := context.WithoutCancel(t.Context())
	open := func(path string) (s *Store, err error) {
		asNobody(t, func() { s, err = Open(ctx, Options{URL: "sqlite:" + path}) })
		return s, err
	}
	refused := func(t *testing.T, path string, kind Kind) {
		t.Helper()
		s, err := open(path)
		if err == nil {
			must(t, s.Close())
		}
		wantKind(t, err, kind)
	}

	t.Run("a file that may be read but not written", func(t *testing.T) {
		t.Parallel()
		dir := shared(t)
		path := migrated(t, dir)
		must(t, os.Chmod(path, 0o444))
		must(t, os.Chmod(dir, 0o777))
		var s *Store
		asNobody(t, func() {
			var err error
			if s, err = Open(ctx, Options{URL: "sqlite:" + path}); err == nil {
				_, err = s.EnsureTenant(ctx, "acme", "")
			}
			wantKindHere(t, err, KindReadOnly)
		})
		if s != nil {
			must(t, s.Close())
		}
	})
	t.Run("a file in a folder that may not be written", func(t *testing.T) {
		t.Parallel()
		dir := shared(t)
		path := migrated(t, dir)
		must(t, os.Chmod(path, 0o666))
		must(t, os.Chmod(dir, 0o555))
		refused(t, path, KindReadOnly)
	})
	t.Run("a file that may not be read", func(t *testing.T) {
		t.Parallel()
		dir := shared(t)
		path := migrated(t, dir)
		must(t, os.Chmod(path, 0))
		refused(t, path, KindPermission)
	})
	t.Run("a new file in a folder that may not be written", func(t *testing.T) {
		t.Parallel()
		dir := shared(t)
		must(t, os.Chmod(dir, 0o555))
		refused(t, filepath.Join(dir, "t.db"), KindPermission)
	})
	t.Run("a folder that may not be entered", func(t *testing.T) {
		t.Parallel()
		dir := shared(t)
		must(t, os.Chmod(dir, 0))
		refused(t, filepath.Join(dir, "t.db"), KindPermission)
	})
}

// wantKindHere is wantKind for a goroutine that must not end the test.
func wantKindHere(t *testing.T, err error, kind Kind) {
	t.Helper()
	var told *Error
	if !errors.As(err, &told) || told.Kind != kind {
		t.Errorf("got %v, want a database error of kind %q", err, kind)
	}
}

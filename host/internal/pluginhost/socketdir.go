// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

const (
	socketDirPrefix = "tallyman-run-"
	// leftoverAge is how old a directory must be before it can be a leftover; a new one may not be locked yet.
	leftoverAge = time.Minute
)

// socketDir is the directory for one process's socket, which only this user can enter. The host holds a lock in it, so
// that one left by a host that was killed can be told from one in use.
type socketDir struct {
	path string
	lock *flock.Flock
}

var sweep sync.Once

// newSocketDir makes a directory. Its path is short: that of a socket may have about a hundred characters.
func newSocketDir() (*socketDir, error) {
	base := os.TempDir()
	if len(base) > 40 {
		if info, err := os.Stat("/tmp"); err == nil && info.IsDir() {
			base = "/tmp"
		}
	}
	base, err := filepath.EvalSymlinks(base)
	if err != nil {
		return nil, err
	}
	sweep.Do(func() { removeLeftovers(base) })
	path, err := os.MkdirTemp(base, socketDirPrefix)
	if err != nil {
		return nil, err
	}
	d := &socketDir{path: path}
	if err := d.hold(); err != nil {
		return nil, errors.Join(err, d.remove())
	}
	return d, nil
}

func lockOf(dir string) *flock.Flock { return flock.New(filepath.Join(dir, "host.lock")) }

func (d *socketDir) hold() error {
	d.lock = lockOf(d.path)
	_, err := d.lock.TryLock()
	return err
}

// remove removes the directory with everything in it.
func (d *socketDir) remove() error {
	err := d.lock.Close()
	return errors.Join(err, os.RemoveAll(d.path))
}

// removeLeftovers removes the directories of hosts that are gone. What it may not touch, it leaves.
func removeLeftovers(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.IsDir() || !strings.HasPrefix(entry.Name(), socketDirPrefix) ||
			!ours(info) || time.Since(info.ModTime()) < leftoverAge {
			continue
		}
		d := &socketDir{path: filepath.Join(base, entry.Name())}
		d.lock = lockOf(d.path)
		if mine, err := d.lock.TryLock(); err == nil && mine {
			_ = d.remove()
		}
	}
}

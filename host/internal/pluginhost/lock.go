// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// LockFileName is the usual name of the lock file.
const LockFileName = "tallyman.lock"

const (
	lockFormat = 1
	lockNote   = "Written by \"tallyman plugin lock\". Keep it with the configuration; a plugin that differs is not run."
)

// LockFile says which plugins may run: for each, its file, its version and its sum on every platform it was locked on.
// It is JSON, keys sorted, so that a change to it reads well.
type LockFile struct {
	Note    string                  `json:"note"`
	Format  int                     `json:"format"`
	Plugins map[string]LockedPlugin `json:"plugins"`

	path string
}

// LockedPlugin is one plugin of the lock file.
type LockedPlugin struct {
	File    string `json:"file"`
	Version string `json:"version"`
	// SHA256 are sums in hexadecimal by platform: "linux_amd64".
	SHA256 map[string]string `json:"sha256"`
}

// Platform names this host's platform as the lock file does: "linux_amd64".
func Platform() string { return runtime.GOOS + "_" + runtime.GOARCH }

// ReadLock reads a lock file. One that does not exist is an empty one.
func ReadLock(path string) (*LockFile, error) {
	lock := &LockFile{Note: lockNote, Format: lockFormat, Plugins: map[string]LockedPlugin{}, path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return lock, nil
	}
	if err != nil {
		return nil, fail(CodeLockFile, "", "the lock file cannot be read").because(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(lock); err != nil {
		return nil, fail(CodeLockFile, "Take it back from version control, or remove it and run \"tallyman plugin lock\".",
			"the lock file %s is damaged", path).because(err)
	}
	if lock.Format != lockFormat {
		return nil, fail(CodeLockFile, "Use the version of the host that wrote it, or run \"tallyman plugin lock\" on a new file.",
			"the lock file %s has format %d; this host knows format %d", path, lock.Format, lockFormat)
	}
	if lock.Plugins == nil {
		lock.Plugins = map[string]LockedPlugin{}
	}
	return lock, nil
}

// SHA256 gives the sum a plugin must have on this platform. A plugin that is not listed has none; that is an error
// with CodeUnlisted.
func (l *LockFile) SHA256(name string) ([]byte, error) {
	hint := fmt.Sprintf("If you trust the file, run \"tallyman plugin lock %s\".", name)
	locked, ok := l.Plugins[name]
	if !ok {
		return nil, fail(CodeUnlisted, hint, "plugin %q is not in the lock file %s, so it is not run", name, l.path)
	}
	text, ok := locked.SHA256[Platform()]
	if !ok {
		return nil, fail(CodeUnlisted, hint, "plugin %q is in the lock file %s, but not for %s", name, l.path, Platform())
	}
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != 32 {
		return nil, fail(CodeLockFile, hint, "the lock file %s: the sum of plugin %q is not a sha256", l.path, name)
	}
	return sum, nil
}

// Lock starts the named plugins (all that are installed, if none is named), asks each who it is, and writes their sums
// to the lock file. Other entries, and sums for other platforms of the same version, are kept. Nothing is written
// unless all could be locked, and an empty directory is an error with CodeNotFound. It gives what was locked, by name.
func Lock(ctx context.Context, dir, lockfile string, spec Spec, names ...string) (map[string]LockedPlugin, error) {
	lock, err := ReadLock(lockfile)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		installed, problems := Discover(dir)
		if len(problems) > 0 {
			return nil, errors.Join(problems...)
		}
		for _, in := range installed {
			names = append(names, in.Name)
		}
		if len(names) == 0 {
			return nil, fail(CodeNotFound, whereHint, "there are no plugins in %s", dir)
		}
	}
	done := map[string]LockedPlugin{}
	var failed []error
	for _, name := range names {
		locked, err := lockOne(ctx, dir, name, spec, lock.Plugins[name])
		if err != nil {
			failed = append(failed, err)
			continue
		}
		done[name] = locked
	}
	if len(failed) > 0 {
		return nil, errors.Join(failed...)
	}
	maps.Copy(lock.Plugins, done)
	if err := lock.write(); err != nil {
		return nil, err
	}
	return done, nil
}

func lockOne(ctx context.Context, dir, name string, spec Spec, old LockedPlugin) (LockedPlugin, error) {
	in, err := Find(dir, name)
	if err != nil {
		return LockedPlugin{}, err
	}
	b, err := readBinary(name, in.Path, false)
	if err != nil {
		return LockedPlugin{}, err
	}
	spec.Name, spec.Path, spec.SHA256, spec.Dev = name, in.Path, b.sum[:], false
	p, err := Launch(ctx, spec)
	if err != nil {
		return LockedPlugin{}, fmt.Errorf("lock plugin %q: %w", name, err)
	}
	version := p.Description().Version
	if err := p.Close(ctx); err != nil {
		return LockedPlugin{}, fmt.Errorf("lock plugin %q: %w", name, err)
	}
	locked := LockedPlugin{File: filepath.Base(in.Path), Version: version, SHA256: map[string]string{}}
	if old.Version == version {
		maps.Copy(locked.SHA256, old.SHA256)
	}
	locked.SHA256[Platform()] = hex.EncodeToString(b.sum[:])
	return locked, nil
}

// write replaces the file as a whole, so that a reader sees the old one or the new one.
func (l *LockFile) write() error {
	l.Note = lockNote
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(l.path), ".tallyman-lock-*")
	if err != nil {
		return fail(CodeLockFile, "", "the lock file cannot be written").because(err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // it is gone after the rename
	_, err = tmp.Write(append(text, '\n'))
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), l.path)
	}
	if err != nil {
		return fail(CodeLockFile, "", "the lock file cannot be written").because(err)
	}
	return nil
}

// Names gives the plugins the file lists, sorted.
func (l *LockFile) Names() []string { return slices.Sorted(maps.Keys(l.Plugins)) }

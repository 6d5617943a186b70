// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

// source says where a file is and when it may be read.
type source struct {
	directory, pattern string
	byName             bool
	marker             string
	settle, wait       time.Duration
	maxAge             time.Duration
}

// unfinished are the endings under which programs write files that they rename once these are whole.
var unfinished = []string{".tmp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp", "~"}

const (
	missingHint = "Check directory and the pattern, whether the distributor's delivery arrived, and whether the user that runs tallyman may read it."
	emptyHint   = "Have the file delivered again. A list that is truly empty has a header; set allow_empty for it."
	writingHint = "Run again when the delivery is over. If the file grows all day, have it written under another name and renamed when it is whole, or set marker."
	linkHint    = "Remove the link, or deliver the file itself. Links are followed within directory, if they are relative."
	markerHint  = "The file is read when its marker is there. If the sender writes none, remove marker from the settings."
)

// find gives the path of the file to read.
func (s *source) find() (string, error) {
	root, err := s.root()
	if err != nil {
		return "", err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	name, err := s.choose(root)
	return filepath.Join(s.directory, name), err
}

// root opens the directory, so that nothing outside of it is read, whatever is delivered into it.
func (s *source) root() (*os.Root, error) {
	if info, err := os.Stat(s.directory); err != nil {
		return nil, fileError(err, "the directory cannot be opened")
	} else if !info.IsDir() {
		return nil, sdk.Errorf(sdk.ClassSettings, "%s is a file, and directory must name a folder", s.directory)
	}
	root, err := os.OpenRoot(s.directory)
	if err != nil {
		return nil, fileError(err, "the directory cannot be opened")
	}
	return root, nil
}

// choose gives the name of the file to read: the only one that matches, or the newest that is not in the middle of being
// written under a temporary name. With a marker, only files that have one count.
func (s *source) choose(root *os.Root) (string, error) {
	paths, err := filepath.Glob(filepath.Join(escape(s.directory), s.pattern))
	if err != nil {
		return "", err
	}
	var best *candidate
	unmarked, irregular := "", ""
	for _, path := range paths {
		if s.ignored(filepath.Base(path)) {
			continue
		}
		name, err := filepath.Rel(s.directory, path)
		if err != nil {
			return "", err
		}
		info, err := root.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // Renamed or removed in between.
		}
		if err != nil {
			return "", openError(err, name)
		}
		if !info.Mode().IsRegular() {
			irregular = cmp.Or(irregular, name+" is "+kindOf(info.Mode()))
			continue
		}
		if why := s.unmarked(root, name, info); why != "" {
			unmarked = cmp.Or(unmarked, why)
			continue
		}
		if c := (candidate{name, info}); best == nil || c.after(best, s.byName) {
			best = &c
		}
	}
	switch {
	case best != nil:
		return best.name, s.tooOld(best)
	case unmarked != "":
		return "", sdk.Errorf(sdk.ClassTransient, "%s", unmarked).WithHint(markerHint)
	case irregular != "":
		return "", sdk.Errorf(sdk.ClassNotFound, "no file in %s matches %q: %s and no regular file", s.directory, s.pattern, irregular).WithHint(missingHint)
	default:
		return "", sdk.Errorf(sdk.ClassNotFound, "no file in %s matches %q", s.directory, s.pattern).WithHint(missingHint)
	}
}

// kindOf names what is no regular file.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	default:
		return "something else"
	}
}

// candidate is a file that may be the one. Its name is the way to it from the directory.
type candidate struct {
	name string
	info fs.FileInfo
}

func (c *candidate) after(other *candidate, byName bool) bool {
	byNames := naturally(c.name, other.name) > 0
	if byName || c.info.ModTime().Equal(other.info.ModTime()) {
		return byNames
	}
	return c.info.ModTime().After(other.info.ModTime())
}

func (s *source) ignored(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$") || s.marker != "" && strings.HasSuffix(lower, strings.ToLower(s.marker)) {
		return true
	}
	return slices.ContainsFunc(unfinished, func(ending string) bool { return strings.HasSuffix(lower, ending) })
}

// clockSlack is what the times of two files on coarse file systems may differ although the second was written later.
const clockSlack = 2 * time.Second

// unmarked says why a file's marker does not vouch for it; "" if it does or none is asked for.
func (s *source) unmarked(root *os.Root, path string, info fs.FileInfo) string {
	if s.marker == "" {
		return ""
	}
	why := ""
	for _, name := range []string{path + s.marker, strings.TrimSuffix(path, filepath.Ext(path)) + s.marker} {
		marker, err := root.Stat(name)
		if err != nil {
			continue
		}
		if marker.ModTime().Add(clockSlack).Before(info.ModTime()) {
			why = fmt.Sprintf("%s is newer than its marker %s, which belongs to an earlier file", filepath.Base(path), filepath.Base(name))
			continue
		}
		return ""
	}
	return cmp.Or(why, fmt.Sprintf("%s has no marker %s%s yet", filepath.Base(path), filepath.Base(path), s.marker))
}

func (s *source) tooOld(c *candidate) error {
	age := time.Since(c.info.ModTime())
	if s.maxAge == 0 || age <= s.maxAge {
		return nil
	}
	return sdk.Errorf(sdk.ClassTransient, "%s is the newest file and is %s old; at most %s is allowed by max_age",
		filepath.Base(c.name), age.Round(time.Second), s.maxAge).WithHint("Find out why no newer file was delivered.")
}

// open finds the file, waits until it stands still and opens it.
func (s *source) open(ctx context.Context) (*file, error) {
	deadline := time.Now().Add(s.wait)
	var seen *file
	for {
		f, err := s.openNow()
		if err != nil {
			return nil, err
		}
		quiet := time.Since(f.info.ModTime()) >= s.settle
		stood := seen != nil && f.path == seen.path && same(seen.info, f.info)
		if quiet || stood {
			return f, nil
		}
		_ = f.Close()
		if time.Now().After(deadline) {
			return nil, sdk.Errorf(sdk.ClassTransient, "%s is still being written: in %s its size and time did not stand still for %s",
				f.name, s.wait, s.settle).WithHint(writingHint)
		}
		seen = f
		select {
		case <-time.After(s.settle):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// openNow finds the file and opens it as it is.
func (s *source) openNow() (*file, error) {
	root, err := s.root()
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	name, err := s.choose(root)
	if err != nil {
		return nil, err
	}
	// Without O_NONBLOCK the opening of a pipe that took the file's place just now would wait for ever.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, openError(err, name)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fileError(err, "the file cannot be looked at"), f.Close())
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Join(sdk.Errorf(sdk.ClassNotFound, "%s is %s and no regular file", name, kindOf(info.Mode())).WithHint(missingHint), f.Close())
	}
	return &file{File: f, path: name, name: filepath.Base(name), info: info}, nil
}

// same reports whether a file is as it was.
func same(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// file is an open file that stood still.
type file struct {
	*os.File
	// path is the way to it from the directory; name its last part, for messages.
	path, name string

	info fs.FileInfo
}

// unchanged gives an error if the file is not what it was when it was opened.
func (f *file) unchanged() error {
	info, err := f.Stat()
	if err != nil {
		return fileError(err, "the file cannot be looked at")
	}
	if !same(f.info, info) {
		return sdk.Errorf(sdk.ClassTransient, "%s was written to while it was read", f.name).WithHint(writingHint)
	}
	return nil
}

// openError says why a file of the directory cannot be opened. What is no error of the system is the refusal to leave it.
func openError(err error, name string) error {
	var system syscall.Errno
	if errors.As(err, &system) {
		return fileError(err, "the file cannot be opened")
	}
	return sdk.Errorf(sdk.ClassPermission, "%s is not read: it is, or lies behind, a link that leads out of directory", name).WithHint(linkHint)
}

// fileError gives the class of what a file system says.
func fileError(err error, what string) error {
	class := sdk.ClassTransient
	switch {
	case errors.Is(err, fs.ErrNotExist):
		class = sdk.ClassNotFound
	case errors.Is(err, fs.ErrPermission):
		class = sdk.ClassPermission
	}
	return sdk.Errorf(class, "%s: %w", what, err).WithHint(missingHint)
}

// escape makes a path a pattern that matches it alone.
func escape(path string) string {
	if filepath.Separator == '\\' {
		return path // Windows has no escapes in patterns, and no folder of this name is likely.
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

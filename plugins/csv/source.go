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
	markerHint  = "The file is read when its marker is there. If the sender writes none, remove marker from the settings."
)

// find gives the path of the file to read: the only one that matches, or the newest that is not in the middle of being
// written under a temporary name. With a marker, only files that have one count.
func (s *source) find() (string, error) {
	if info, err := os.Stat(s.directory); err != nil {
		return "", fileError(err, "the directory cannot be opened")
	} else if !info.IsDir() {
		return "", sdk.Errorf(sdk.ClassSettings, "%s is a file, and directory must name a folder", s.directory)
	}
	paths, err := filepath.Glob(filepath.Join(escape(s.directory), s.pattern))
	if err != nil {
		return "", err
	}
	var best *candidate
	unmarked := ""
	for _, path := range paths {
		if s.ignored(filepath.Base(path)) {
			continue
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // Renamed or removed in between.
		}
		if err != nil {
			return "", fileError(err, "the file cannot be opened")
		}
		if !info.Mode().IsRegular() {
			continue
		}
		if why := s.unmarked(path, info); why != "" {
			unmarked = cmp.Or(unmarked, why)
			continue
		}
		if c := (candidate{path, info}); best == nil || c.after(best, s.byName) {
			best = &c
		}
	}
	switch {
	case best != nil:
		return best.path, s.tooOld(best)
	case unmarked != "":
		return "", sdk.Errorf(sdk.ClassTransient, "%s", unmarked).WithHint(markerHint)
	default:
		return "", sdk.Errorf(sdk.ClassNotFound, "no file in %s matches %q", s.directory, s.pattern).WithHint(missingHint)
	}
}

// candidate is a file that may be the one.
type candidate struct {
	path string
	info fs.FileInfo
}

func (c *candidate) after(other *candidate, byName bool) bool {
	byNames := naturally(c.path, other.path) > 0
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
func (s *source) unmarked(path string, info fs.FileInfo) string {
	if s.marker == "" {
		return ""
	}
	why := ""
	for _, name := range []string{path + s.marker, strings.TrimSuffix(path, filepath.Ext(path)) + s.marker} {
		marker, err := os.Stat(name)
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
		filepath.Base(c.path), age.Round(time.Second), s.maxAge).WithHint("Find out why no newer file was delivered.")
}

// open finds the file, waits until it stands still and opens it.
func (s *source) open(ctx context.Context) (*file, error) {
	deadline := time.Now().Add(s.wait)
	var path string
	var seen fs.FileInfo
	for {
		now, err := s.find()
		if err != nil {
			return nil, err
		}
		f, err := os.Open(now)
		if err != nil {
			return nil, fileError(err, "the file cannot be opened")
		}
		info, err := f.Stat()
		if err != nil {
			return nil, errors.Join(fileError(err, "the file cannot be looked at"), f.Close())
		}
		quiet := time.Since(info.ModTime()) >= s.settle
		stood := seen != nil && now == path && same(seen, info)
		if quiet || stood {
			return &file{File: f, name: filepath.Base(now), info: info}, nil
		}
		_ = f.Close()
		if time.Now().After(deadline) {
			return nil, sdk.Errorf(sdk.ClassTransient, "%s is still being written: in %s its size and time did not stand still for %s",
				filepath.Base(now), s.wait, s.settle).WithHint(writingHint)
		}
		path, seen = now, info
		select {
		case <-time.After(s.settle):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// same reports whether a file is as it was.
func same(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}

// file is an open file that stood still.
type file struct {
	*os.File
	name string
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

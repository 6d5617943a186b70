// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/config"
)

// watchEvery is how often the configuration's files are looked at. They are asked for, since what tells of changes by itself
// does not see those behind links and on network file systems.
const watchEvery = 2 * time.Second

// watch notices changes of the configuration's files, new and removed ones included.
type watch struct {
	paths []string
	// known is what was there when it last counted, seen what was there at the last look.
	known, seen string
}

func newWatch(paths []string) *watch {
	w := &watch{paths: paths}
	w.known = w.look()
	w.seen = w.known
	return w
}

// tick gives when to look next.
func (w *watch) tick() <-chan time.Time { return time.After(watchEvery) }

// changed reports whether the files are others than when it last did so. It waits until two looks see the same, so that a
// file is not read while somebody writes it.
func (w *watch) changed() bool {
	now := w.look()
	settled := now == w.seen
	w.seen = now
	if !settled || now == w.known {
		return false
	}
	w.known = now
	return true
}

// look describes the files as they are.
func (w *watch) look() string {
	files, err := config.Find(w.paths)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			fmt.Fprintln(&b, file, err)
			continue
		}
		fmt.Fprintln(&b, file, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}

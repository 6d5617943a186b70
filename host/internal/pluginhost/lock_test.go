// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pluginsDir is a plugins directory with copies of the test plugin.
func pluginsDir(t testing.TB, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := copyFile(filepath.Join(dir, FileName(name)), filepath.Join(built, FileName("good"))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPluginsAreFoundByTheirFileNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{FileName("zeta"), FileName("alpha"), FileName("Bad_Name"), "README.md", "tallyman"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, FileName("folder")), 0o755); err != nil {
		t.Fatal(err)
	}
	found, problems := Discover(dir)
	want := []Installed{{"alpha", filepath.Join(dir, FileName("alpha"))}, {"zeta", filepath.Join(dir, FileName("zeta"))}}
	if d := cmp.Diff(want, found); d != "" {
		t.Error(d)
	}
	if len(problems) != 2 {
		t.Errorf("problems: %v", problems)
	}
	contains(t, errors.Join(problems...).Error(), "Bad_Name", "folder")
	if in, err := Find(dir, "zeta"); err != nil || in != want[1] {
		t.Errorf("find: %v %v", in, err)
	}
	for _, name := range []string{"gamma", "folder", "Bad_Name", "../x", ""} {
		_, err := Find(dir, name)
		if codeOf(err) != CodeNotFound {
			t.Errorf("find %q: %v", name, err)
		}
		contains(t, hintOf(err), "alpha, zeta")
	}
	if found, problems := Discover(filepath.Join(dir, "nowhere")); len(found) != 0 || codeOf(problems[0]) != CodeNotFound {
		t.Errorf("no directory: %v %v", found, problems)
	}
}

func TestWithoutPluginsThereIsNothingToLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, LockFileName)
	for where, want := range map[string]string{dir: "there are no plugins in " + dir, filepath.Join(dir, "nowhere"): "does not exist"} {
		_, err := Lock(t.Context(), where, file, Spec{HostVersion: "1.0.0"})
		if codeOf(err) != CodeNotFound || !strings.Contains(err.Error(), want) {
			t.Errorf("lock %s: %v", where, err)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("lock %s wrote a file", where)
		}
	}
	if _, err := Find(filepath.Join(dir, "nowhere"), "good"); err == nil || !strings.Contains(err.Error(), "nowhere does not exist") ||
		!strings.Contains(hintOf(err), "Set plugins.directory") {
		t.Errorf("find: %v, %s", err, hintOf(err))
	}
}

func TestALockedPluginRunsUntilItChanges(t *testing.T) {
	t.Parallel()
	dir := pluginsDir(t, "good", "other")
	file := filepath.Join(dir, LockFileName)
	spec := Spec{HostVersion: "1.0.0"}

	lock, err := ReadLock(file)
	if err != nil {
		t.Fatal(err)
	}
	good, err := Find(dir, "good")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Verify(good, lock)
	if codeOf(err) != CodeUnlisted {
		t.Fatalf("before it is locked: %v", err)
	}
	contains(t, hintOf(err), "tallyman plugin lock good")

	done, err := Lock(t.Context(), dir, file, spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(done) != 2 || done["good"].Version != "1.2.3" || done["good"].File != FileName("good") {
		t.Errorf("locked: %+v", done)
	}
	if lock, err = ReadLock(file); err != nil {
		t.Fatal(err)
	}
	sum, err := Verify(good, lock)
	if err != nil || hex.EncodeToString(sum) != done["good"].SHA256[Platform()] {
		t.Fatalf("after it was locked: %x %v", sum, err)
	}

	f, err := os.OpenFile(good.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("one more byte")
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Verify(good, lock)
	var changed *ChecksumError
	if !errors.As(err, &changed) || changed.Expected == changed.Actual {
		t.Fatalf("after it changed: %v", err)
	}
	if _, err := Lock(t.Context(), dir, file, spec, "good"); err != nil {
		t.Fatal(err)
	}
	if lock, err = ReadLock(file); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(good, lock); err != nil {
		t.Errorf("after it was locked again: %v", err)
	}
	if d := cmp.Diff([]string{"good", "other"}, lock.Names()); d != "" {
		t.Error(d)
	}
}

func TestLockingKeepsWhatItDoesNotTouch(t *testing.T) {
	t.Parallel()
	dir := pluginsDir(t, "good", "panic-start")
	file := filepath.Join(dir, LockFileName)
	old := LockFile{Format: 1, Plugins: map[string]LockedPlugin{
		"good":      {File: "x", Version: "1.2.3", SHA256: map[string]string{"plan9_mips": "aa", Platform(): "bb"}},
		"elsewhere": {File: "y", Version: "9.0.0", SHA256: map[string]string{"plan9_mips": "cc"}},
	}}
	text, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	spec := Spec{HostVersion: "1.0.0"}
	if _, err := Lock(t.Context(), dir, file, spec, "good", "panic-start"); err == nil || !strings.Contains(err.Error(), "no bananas left") {
		t.Errorf("a plugin that cannot start was locked: %v", err)
	}
	if now, _ := os.ReadFile(file); !bytes.Equal(now, text) {
		t.Error("the file was written although one plugin could not be locked")
	}
	if _, err := Lock(t.Context(), dir, file, spec, "good"); err != nil {
		t.Fatal(err)
	}
	lock, err := ReadLock(file)
	if err != nil {
		t.Fatal(err)
	}
	good := lock.Plugins["good"]
	if good.SHA256["plan9_mips"] != "aa" || len(good.SHA256[Platform()]) != 64 || good.File != FileName("good") {
		t.Errorf("locked: %+v", good)
	}
	if d := cmp.Diff(old.Plugins["elsewhere"], lock.Plugins["elsewhere"]); d != "" {
		t.Error(d)
	}
	if _, err := lock.SHA256("elsewhere"); codeOf(err) != CodeUnlisted {
		t.Errorf("for another platform only: %v", err)
	}
}

func TestADamagedLockFileSaysSo(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"cut short": `{"format": 1, "plugins": {`, "of the future": `{"format": 2}`, "empty": "", "something else": "[]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), LockFileName)
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := ReadLock(file)
			if codeOf(err) != CodeLockFile {
				t.Fatalf("error: %v", err)
			}
			contains(t, err.Error(), file)
		})
	}
	lock := &LockFile{Plugins: map[string]LockedPlugin{"x": {SHA256: map[string]string{Platform(): "zz"}}}}
	if _, err := lock.SHA256("x"); codeOf(err) != CodeLockFile {
		t.Errorf("a sum that is none: %v", err)
	}
}

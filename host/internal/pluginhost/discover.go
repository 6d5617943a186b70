// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// filePrefix is how the name of every plugin's file begins; the plugin's own name follows.
const filePrefix = "tallyman-plugin-"

// pluginName is a plugin's name, with a version where several are installed side by side: "rhipe", "rhipe@1.2.0".
var pluginName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*(@\d+\.\d+\.\d+[0-9A-Za-z.+-]*)?$`)

// whereHint is for a directory without plugins.
const whereHint = "Set plugins.directory to where they are (make build puts them into bin/plugins)."

// Installed is a plugin in the plugins directory. Nothing of it has been run or checked.
type Installed struct {
	// Name is the plugin's: "rhipe"; with "rhipe@1.2.0" the file holds that version.
	Name string
	// Path is the absolute path of its binary.
	Path string
}

// FileName gives the name a plugin's file must have here: "tallyman-plugin-rhipe", with ".exe" on Windows.
func FileName(name string) string {
	if runtime.GOOS == "windows" {
		return filePrefix + name + ".exe"
	}
	return filePrefix + name
}

// Discover gives the plugins of a directory, sorted by name, and what is wrong with those it could not take. It runs
// nothing. A directory that does not exist has no plugins; that is a problem like the others.
func Discover(dir string) ([]Installed, []error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, []error{fmt.Errorf("plugins directory %q: %w", dir, err)}
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, []error{fail(CodeNotFound, whereHint, "the plugins directory %s does not exist", dir)}
	}
	if err != nil {
		return nil, []error{fail(CodeNotFound, "", "the plugins directory cannot be read").because(err)}
	}
	var found []Installed
	var problems []error
	for _, entry := range entries {
		base, ok := strings.CutPrefix(entry.Name(), filePrefix)
		if !ok {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		name := base
		if runtime.GOOS == "windows" {
			if name, ok = strings.CutSuffix(base, ".exe"); !ok {
				continue
			}
		}
		if !pluginName.MatchString(name) {
			problems = append(problems, fail(CodeName, "A plugin's file is called "+FileName("<name>")+
				", the name in lower-case letters, digits and hyphens, and @1.2.0 behind it where several versions are installed.", "%s has no name a plugin can have", path))
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			problems = append(problems, fail(CodeNotFound, "", "plugin %q cannot be looked at", name).because(err))
		case !info.Mode().IsRegular():
			problems = append(problems, fail(CodeNotAPlugin, "", "plugin %q: %s is not a file", name, path))
		default:
			found = append(found, Installed{Name: name, Path: path})
		}
	}
	slices.SortFunc(found, func(a, b Installed) int { return strings.Compare(a.Name, b.Name) })
	return found, problems
}

// Find gives one plugin of a directory. Its error has CodeNotFound and names those that are there, or says that there is no
// such directory.
func Find(dir, name string) (Installed, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Installed{}, fmt.Errorf("plugins directory %q: %w", dir, err)
	}
	path := filepath.Join(dir, FileName(name))
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && pluginName.MatchString(name) {
		return Installed{Name: name, Path: path}, nil
	}
	hint := fmt.Sprintf("Put its file there under the name %s.", FileName(name))
	found, _ := Discover(dir)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return Installed{}, fail(CodeNotFound, whereHint, "no plugin %q: the plugins directory %s does not exist", name, dir)
	}
	if len(found) > 0 {
		names := make([]string, len(found))
		for i, in := range found {
			names[i] = in.Name
		}
		hint = fmt.Sprintf("Installed are: %s. %s", strings.Join(names, ", "), hint)
	}
	return Installed{}, fail(CodeNotFound, hint, "no plugin %q is installed in %s", name, dir)
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/knadh/koanf/v2"
)

// Options say where the configuration comes from.
type Options struct {
	// Paths are files and folders of *.hcl files. Empty: TALLYMAN_CONFIG, or else tallyman.hcl, or else tallyman.d.
	Paths []string
	// Environ are the environment's variables as os.Environ gives them. Nil: os.Environ.
	Environ []string
	// Flags override everything else, in their order.
	Flags []Flag
}

// loaded is what a configuration remembers of where it came from.
type loaded struct {
	values  *koanf.Koanf
	origins map[string]Origin
	environ map[string]string
	sources []*source
	sharing sharing
}

// Find gives the configuration files: those given, or else tallyman.hcl or the folder tallyman.d.
func Find(paths []string) ([]string, error) { return find(paths, os.Getenv("TALLYMAN_CONFIG")) }

func find(paths []string, fromEnv string) ([]string, error) {
	if len(paths) == 0 {
		if fromEnv != "" {
			paths = filepath.SplitList(fromEnv)
		} else if _, err := os.Stat("tallyman.hcl"); err == nil {
			paths = []string{"tallyman.hcl"}
		} else if _, err := os.Stat("tallyman.d"); err == nil {
			paths = []string{"tallyman.d"}
		} else {
			here, err := os.Getwd()
			if err != nil {
				here = "this folder"
			}
			return nil, fmt.Errorf("there is no tallyman.hcl and no tallyman.d in %s; begin with configs/minimal.hcl, or give the configuration with --config", here)
		}
	}
	var files []string
	seen := map[string]bool{}
	add := func(path string) error {
		full, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if !seen[full] {
			seen[full] = true
			files = append(files, path)
		}
		return nil
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, reason(err))
		}
		if !info.IsDir() {
			if err := add(path); err != nil {
				return nil, err
			}
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("configuration %s: %w", path, reason(err))
		}
		for _, entry := range entries {
			name := entry.Name()
			if entry.IsDir() || strings.HasPrefix(name, ".") || filepath.Ext(name) != ".hcl" {
				continue
			}
			if err := add(filepath.Join(path, name)); err != nil {
				return nil, err
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no *.hcl files in %s", strings.Join(paths, ", "))
	}
	return files, nil
}

// Load reads the configuration. Its error is an *Error when the files are there and wrong.
func Load(o Options) (*Config, error) {
	environ := environment(o.Environ)
	files, err := find(o.Paths, environ["TALLYMAN_CONFIG"])
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(files[0]))
	if err != nil {
		return nil, err
	}
	contents := make([][]byte, len(files))
	for i, path := range files {
		if contents[i], err = readConfig(path); err != nil {
			return nil, err
		}
	}
	return load(dir, files, contents, environ, o.Flags)
}

func environment(list []string) map[string]string {
	if list == nil {
		list = os.Environ()
	}
	environ := make(map[string]string, len(list))
	for _, entry := range list {
		if name, value, ok := strings.Cut(entry, "="); ok && name != "" {
			environ[name] = value
		}
	}
	return environ
}

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, reason(err))
	}
	defer f.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, reason(err))
	}
	return content, nil
}

// load makes a configuration of the layers: defaults, files, environment, flags.
func load(dir string, names []string, contents [][]byte, environ map[string]string, flags []Flag) (*Config, error) {
	l := newLoader(environ)
	broken := false
	for i, content := range contents {
		s, problems := parse(names[i], i, content)
		l.sources = append(l.sources, s)
		l.problems = append(l.problems, problems...)
		broken = broken || s.broken
	}
	layers := []layer{nil, l.files()}
	if !broken {
		// With a file missing, variables and flags for what stands in it would look wrong.
		layers = append(layers, l.environment(environ), l.flags(flags))
	}
	if err := problemsError(l.problems); err != nil {
		return nil, err
	}
	layers[0] = l.defaults()
	k := koanf.New(".")
	for _, values := range layers {
		if len(values) == 0 {
			// It would cost as much as a full one.
			continue
		}
		if err := k.Load(values, nil); err != nil {
			return nil, err
		}
	}
	c := &Config{
		Dir: dir, Warnings: l.problems, Exposed: l.exposed, Notifications: l.notifications,
		loaded: &loaded{values: k, origins: l.origins, environ: environ, sources: l.sources},
	}
	if err := c.decode(l.tenants); err != nil {
		return nil, err
	}
	if err := problemsError(append(c.scheduleProblems(), c.notificationProblems()...)); err != nil {
		return nil, err
	}
	return c, nil
}

// defaults gives the layer of what nobody sets, for the tenants and modules there are.
func (l *loader) defaults() layer {
	values := schema.layerOf("", reflect.ValueOf(defaults()))
	add(values, l.notifications.layer())
	tenant := schema.block("tenant")
	for _, t := range l.tenants {
		add(values, tenant.layerOf("tenant."+t.Name+".", reflect.ValueOf(defaultTenant())))
		for _, m := range t.Modules {
			add(values, tenant.block("module").layerOf(m.key()+".", reflect.ValueOf(defaultModule(m.Name))))
		}
	}
	return values
}

func add(to, from layer) { maps.Copy(to, from) }

// decode fills the types from the layers.
func (c *Config) decode(tenants []*Tenant) error {
	for _, part := range []struct {
		key string
		to  any
	}{
		{"database", &c.Database},
		{"plugins", &c.Plugins},
		{"log", &c.Log},
		{"runs", &c.Runs},
		{"retention", &c.Retention},
		{"serve", &c.Serve},
		{"traces", &c.Traces},
		{notificationsName, &c.Notifications},
	} {
		if err := decodeInto(c.values, part.key, part.to); err != nil {
			return fmt.Errorf("decode %s: %w", part.key, err)
		}
	}
	c.Plugins.Directory = c.path(c.Plugins.Directory)
	c.Plugins.LockFile = c.path(c.Plugins.LockFile)
	c.Notifications.Location, _ = location(c.Notifications.TimeZone)
	for _, p := range c.Notifications.parts() {
		if err := decodeInto(c.values, p.key(), p.to); err != nil {
			return fmt.Errorf("decode %s: %w", p.key(), err)
		}
	}
	c.Tenants = tenants
	for _, t := range tenants {
		if err := decodeInto(c.values, "tenant."+t.Name, t); err != nil {
			return fmt.Errorf("decode tenant %s: %w", t.Name, err)
		}
		t.Location, _ = location(t.TimeZone)
		for _, m := range t.Modules {
			if err := decodeInto(c.values, m.key(), m); err != nil {
				return fmt.Errorf("decode %s: %w", m, err)
			}
		}
	}
	return nil
}

// path makes a path absolute, taking relative ones from the configuration's folder.
func (c *Config) path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}

// Tenant gives the tenant of that name, or nil.
func (c *Config) Tenant(name string) *Tenant {
	for _, t := range c.Tenants {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Origin gives where the value of one of the host's own settings comes from.
func (c *Config) Origin(key string) Origin { return c.origins[key] }

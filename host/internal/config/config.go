// SPDX-License-Identifier: Apache-2.0

// Package config reads the configuration: HCL files into typed values, every problem with file, line and column.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Config is the whole configuration.
type Config struct {
	Database *Database `hcl:"database,block"`
	Plugins  *Plugins  `hcl:"plugins,block"`
	Log      *Log      `hcl:"log,block"`
	Runs     *Runs     `hcl:"runs,block"`
	Tenants  []*Tenant `hcl:"tenant,block"`

	// Dir is the folder of the first file; relative paths are taken from it.
	Dir   string
	files map[string]*hcl.File
}

// Database says where the data are.
type Database struct {
	// URL is "sqlite:path". Default "sqlite:tallyman.db".
	URL string `hcl:"url,optional"`
}

// Plugins says where plugins are and which may run.
type Plugins struct {
	// Directory holds the binaries. Default "plugins".
	Directory string `hcl:"directory,optional"`
	// LockFile lists their checksums. Default "tallyman.lock".
	LockFile string `hcl:"lock_file,optional"`
}

// Log says what is logged.
type Log struct {
	// Level is trace, debug, info, warn or error. Default warn.
	Level string `hcl:"level,optional"`
}

// Runs are limits of every run.
type Runs struct {
	// Lease is how long a dead process blocks a module. Default 60s.
	Lease string `hcl:"lease,optional"`
	// Timeout ends a run that takes longer. Default 2h.
	Timeout string `hcl:"timeout,optional"`

	LeaseTime   time.Duration
	TimeoutTime time.Duration
}

// Tenant is one MSP.
type Tenant struct {
	Name        string    `hcl:"name,label"`
	DisplayName string    `hcl:"display_name,optional"`
	TimeZone    string    `hcl:"time_zone,optional"`
	Modules     []*Module `hcl:"module,block"`
	DefRange    hcl.Range `hcl:",def_range"`
}

// Module is a distributor enabled for a tenant.
type Module struct {
	Name string `hcl:"name,label"`
	// Plugin defaults to the label.
	Plugin string `hcl:"plugin,optional"`
	// Enabled defaults to true.
	Enabled *bool `hcl:"enabled,optional"`
	// Environment names variables of the host's environment that the plugin gets. Default none.
	Environment   []string       `hcl:"environment,optional"`
	Settings      *Settings      `hcl:"settings,block"`
	Customers     *Customers     `hcl:"customers,block"`
	Subscriptions *Subscriptions `hcl:"subscriptions,block"`
	Guards        *Guards        `hcl:"guards,block"`
	Schedule      *Schedule      `hcl:"schedule,block"`
	DefRange      hcl.Range      `hcl:",def_range"`
}

// Settings are the plugin's own; they are evaluated only for modules that are used.
type Settings struct {
	Body     hcl.Body  `hcl:",remain"`
	DefRange hcl.Range `hcl:",def_range"`
}

// Customers says what happens to distributor customers.
type Customers struct {
	// Unmatched is create, hold or ignore. Default hold.
	Unmatched             string `hcl:"unmatched,optional"`
	TopLevel              string `hcl:"top_level,optional"`
	UpdateMainSiteAddress bool   `hcl:"update_main_site_address,optional"`
}

// Subscriptions says what happens to subscriptions.
type Subscriptions struct {
	DeactivateMissing bool `hcl:"deactivate_missing,optional"`
	// MissingRuns defaults to 1.
	MissingRuns *int `hcl:"missing_runs,optional"`
}

// Guards are limits beyond which changes wait for a person. The defaults are those of package reconcile.
type Guards struct {
	MaxDeactivations           *int `hcl:"max_deactivations,optional"`
	MaxDeactivationsPercent    *int `hcl:"max_deactivations_percent,optional"`
	MaxCustomersCreated        *int `hcl:"max_customers_created,optional"`
	MaxCustomersCreatedPercent *int `hcl:"max_customers_created_percent,optional"`
	MaxQuantityFactor          *int `hcl:"max_quantity_factor,optional"`
	MaxQuantityStep            *int `hcl:"max_quantity_step,optional"`
	AllowEmptyListing          bool `hcl:"allow_empty_listing,optional"`
}

// Schedule says when the module is run.
type Schedule struct {
	DailyAt string   `hcl:"daily_at,optional"`
	Sync    []string `hcl:"sync,optional"`
}

// Error is everything that is wrong with the configuration.
type Error struct {
	Diags hcl.Diagnostics
	files map[string]*hcl.File
}

// Error lists every problem with its place and source line.
func (e *Error) Error() string {
	var b bytes.Buffer
	if e.files == nil {
		// Source lines are left out: they may hold a secret.
		for _, d := range e.Diags {
			fmt.Fprintf(&b, "%s:%d:%d: %s: %s\n", d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column, d.Summary, d.Detail)
		}
		return strings.TrimSpace(b.String())
	}
	w := hcl.NewDiagnosticTextWriter(&b, e.files, 78, false)
	if err := w.WriteDiagnostics(e.Diags); err != nil {
		return e.Diags.Error()
	}
	return fmt.Sprintf("the configuration has %d problems\n\n%s", len(e.Diags), strings.TrimSpace(b.String()))
}

// Code gives the stable name of the failure.
func (e *Error) Code() string { return "config.invalid" }

// Hint says what to do next.
func (e *Error) Hint() string { return "Mend the lines above, then run \"tallyman config check\"." }

// Find gives the configuration files: those given, or else tallyman.hcl or the folder tallyman.d.
func Find(paths []string) ([]string, error) {
	if len(paths) == 0 {
		if p := os.Getenv("TALLYMAN_CONFIG"); p != "" {
			paths = []string{p}
		} else if _, err := os.Stat("tallyman.hcl"); err == nil {
			paths = []string{"tallyman.hcl"}
		} else if _, err := os.Stat("tallyman.d"); err == nil {
			paths = []string{"tallyman.d"}
		} else {
			return nil, errors.New("there is no tallyman.hcl and no tallyman.d here; give the configuration with --config")
		}
	}
	var files []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, path)
			continue
		}
		matches, err := filepath.Glob(filepath.Join(path, "*.hcl"))
		if err != nil {
			return nil, err
		}
		sort.Strings(matches)
		files = append(files, matches...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no *.hcl files in %s", strings.Join(paths, ", "))
	}
	return files, nil
}

// Load reads the configuration. Its error is an *Error when the files are there and wrong.
func Load(paths []string) (*Config, error) {
	files, err := Find(paths)
	if err != nil {
		return nil, err
	}
	parser := hclparse.NewParser()
	var diags hcl.Diagnostics
	var bodies []*hcl.File
	for _, path := range files {
		file, more := parser.ParseHCLFile(path)
		diags = append(diags, more...)
		if file != nil {
			bodies = append(bodies, file)
		}
	}
	dir, err := filepath.Abs(filepath.Dir(files[0]))
	if err != nil {
		return nil, err
	}
	c := &Config{Dir: dir, files: parser.Files()}
	if !diags.HasErrors() {
		diags = append(diags, gohcl.DecodeBody(hcl.MergeFiles(bodies), evalContext(dir), c)...)
		diags = append(diags, c.complete()...)
	}
	if diags.HasErrors() {
		return nil, &Error{diags, parser.Files()}
	}
	return c, nil
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// complete fills in defaults and checks what the types do not.
func (c *Config) complete() hcl.Diagnostics {
	var diags hcl.Diagnostics
	bad := func(at hcl.Range, format string, args ...any) {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Wrong value", Detail: fmt.Sprintf(format, args...), Subject: at.Ptr(),
		})
	}
	if c.Database == nil {
		c.Database = &Database{}
	}
	if c.Database.URL == "" {
		c.Database.URL = "sqlite:tallyman.db"
	}
	if c.Plugins == nil {
		c.Plugins = &Plugins{}
	}
	c.Plugins.Directory = c.path(c.Plugins.Directory, "plugins")
	c.Plugins.LockFile = c.path(c.Plugins.LockFile, "tallyman.lock")
	if c.Log == nil {
		c.Log = &Log{Level: "warn"}
	}
	if c.Runs == nil {
		c.Runs = &Runs{}
	}
	for _, d := range []struct {
		name, text string
		to         *time.Duration
		otherwise  time.Duration
	}{{"lease", c.Runs.Lease, &c.Runs.LeaseTime, time.Minute}, {"timeout", c.Runs.Timeout, &c.Runs.TimeoutTime, 2 * time.Hour}} {
		*d.to = d.otherwise
		if d.text == "" {
			continue
		}
		parsed, err := time.ParseDuration(d.text)
		if err != nil || parsed < time.Second {
			bad(hcl.Range{}, "runs.%s = %q is not a duration of at least a second, such as \"90s\" or \"2h\".", d.name, d.text)
			continue
		}
		*d.to = parsed
	}
	tenants := map[string]hcl.Range{}
	for _, t := range c.Tenants {
		if !nameForm.MatchString(t.Name) {
			bad(t.DefRange, "A tenant's name consists of a-z, 0-9 and dashes; %q does not.", t.Name)
		}
		if first, twice := tenants[t.Name]; twice {
			bad(t.DefRange, "Tenant %q is there already, at %s.", t.Name, first)
		}
		tenants[t.Name] = t.DefRange
		if _, err := time.LoadLocation(t.TimeZone); err != nil {
			bad(t.DefRange, "%q is not a time zone such as \"Australia/Sydney\".", t.TimeZone)
		}
		modules := map[string]hcl.Range{}
		for _, m := range t.Modules {
			if !nameForm.MatchString(m.Name) {
				bad(m.DefRange, "A module's name consists of a-z, 0-9 and dashes; %q does not.", m.Name)
			}
			if first, twice := modules[m.Name]; twice {
				bad(m.DefRange, "Module %q is there already, at %s.", m.Name, first)
			}
			modules[m.Name] = m.DefRange
			m.complete(bad)
		}
	}
	return diags
}

func (m *Module) complete(bad func(hcl.Range, string, ...any)) {
	if m.Plugin == "" {
		m.Plugin = m.Name
	}
	if m.Customers == nil {
		m.Customers = &Customers{}
	}
	switch m.Customers.Unmatched {
	case "":
		m.Customers.Unmatched = "hold"
	case "create", "hold", "ignore":
	default:
		bad(m.DefRange, "customers.unmatched is create, hold or ignore, not %q.", m.Customers.Unmatched)
	}
	if m.Subscriptions == nil {
		m.Subscriptions = &Subscriptions{}
	}
	one := 1
	if m.Subscriptions.MissingRuns == nil {
		m.Subscriptions.MissingRuns = &one
	}
	if *m.Subscriptions.MissingRuns < 1 {
		bad(m.DefRange, "subscriptions.missing_runs is at least 1, not %d.", *m.Subscriptions.MissingRuns)
	}
	if m.Guards == nil {
		m.Guards = &Guards{}
	}
}

// On reports whether the module is enabled.
func (m *Module) On() bool { return m.Enabled == nil || *m.Enabled }

// path makes a path absolute, taking relative ones from the configuration's folder.
func (c *Config) path(path, otherwise string) string {
	if path == "" {
		path = otherwise
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, path)
}

// evalContext gives the functions a configuration may call.
func evalContext(dir string) *hcl.EvalContext {
	text := []function.Parameter{{Name: "name", Type: cty.String}}
	return &hcl.EvalContext{Functions: map[string]function.Function{
		"env": function.New(&function.Spec{Params: text, Type: function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				name := args[0].AsString()
				value, ok := os.LookupEnv(name)
				if !ok {
					return cty.NilVal, function.NewArgErrorf(0, "the environment variable %s is not set", name)
				}
				return cty.StringVal(value), nil
			}}),
		"file": function.New(&function.Spec{Params: text, Type: function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				path := args[0].AsString()
				if !filepath.IsAbs(path) {
					path = filepath.Join(dir, path)
				}
				b, err := os.ReadFile(path)
				if err != nil {
					return cty.NilVal, function.NewArgError(0, err)
				}
				return cty.StringVal(strings.TrimRight(string(b), "\r\n")), nil
			}}),
	}}
}

// SPDX-License-Identifier: Apache-2.0

// Package config reads the configuration: defaults, HCL files, environment variables and flags, in this order, become
// typed values. Every value knows where it came from, and every problem is told at once with its place.
//
// A plugin's own settings are kept as they are written until their module is used: only then are env and file evaluated,
// and only then is it known from the plugin which settings there are and which are secret. See Config.ResolveSettings.
//
// Adding a setting: a field with tags here, its default in the function below it, a line in configs/example.hcl, and a
// check in check.go where the tags do not say enough.
package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/schedule"
)

// Config is the whole configuration. It is not changed after Load and may be used by several goroutines.
type Config struct {
	Database Database `koanf:"database"`
	Plugins  Plugins  `koanf:"plugins"`
	Log      Log      `koanf:"log"`
	Runs     Runs     `koanf:"runs"`
	// Retention says how long what is over is kept.
	Retention Retention `koanf:"retention"`
	Serve     Serve     `koanf:"serve"`
	Traces    Traces    `koanf:"traces"`
	// Notifications says who is told of what.
	Notifications Notifications `koanf:"notifications"`
	// Tenants stand in the order of the files.
	Tenants []*Tenant `block:"tenant"`

	// Dir is the folder of the first file; relative paths are taken from it.
	Dir string
	// Warnings are worth a look and keep nothing from running.
	Warnings []Problem
	// Exposed are warnings about the host's own secrets, such as those of channels: one that stands in a file in clear, or in
	// a file that everybody on this machine may read.
	Exposed []Problem

	*loaded
}

// Database says where the data are.
type Database struct {
	// URL is "sqlite:path" or "postgres://…", which may hold a password. Default "sqlite:tallyman.db".
	URL Secret `koanf:"url" check:"database"`
}

// Plugins says where plugins are and which may run. Both paths are absolute after Load.
type Plugins struct {
	// Directory holds the binaries. Default the folder "plugins" beside the program's own file.
	Directory string `koanf:"directory" check:"filled"`
	// LockFile lists their checksums. Default "tallyman.lock".
	LockFile string `koanf:"lock_file" check:"filled"`
}

// Log says what is logged.
type Log struct {
	// Level is trace, debug, info, warn or error. Default warn.
	Level string `koanf:"level" choices:"trace|debug|info|warn|error"`
}

// Runs are limits of every run.
type Runs struct {
	// Lease is how long a dead process blocks a module. Default one minute, at least a second.
	Lease time.Duration `koanf:"lease" least:"1s"`
	// Timeout ends a run that takes longer. Default two hours, at least a second.
	Timeout time.Duration `koanf:"timeout" least:"1s"`
}

// Retention says how long what is over is kept, in whole days; zero keeps all. A module's last run, its last trustworthy runs
// and what is held are kept in any case.
type Retention struct {
	// Runs is how long runs are kept of which no change is kept. Default 400 days, at least 30.
	Runs time.Duration `koanf:"runs" check:"retention"`
	// Changes is how long runs' changes are kept, and the runs that made them. Default zero, at least 30 days. Changes made by
	// hand are always kept.
	Changes time.Duration `koanf:"changes" check:"retention"`
}

// leastRetention keeps a slip of the pen from deleting what is still in use.
const leastRetention = 30 * day

// Serve says how "tallyman serve" runs what is due.
type Serve struct {
	// Listen is the address of /healthz, /readyz and /metrics: "127.0.0.1:8470". Default none.
	Listen string `koanf:"listen" check:"address"`
	// MaxRuns is how many runs are made at once. Default 4.
	MaxRuns int `koanf:"max_runs" least:"1" most:"1000"`
	// MaxRunsPerDistributor is how many of them are made with one distributor. Default 2.
	MaxRunsPerDistributor int `koanf:"max_runs_per_distributor" least:"1" most:"1000"`
	// Drain is how long runs may go on when the program is told to end; then they are cancelled. Default a minute.
	Drain time.Duration `koanf:"drain" least:"0s"`
	// RetryWait comes before a failed run is repeated, and doubles each time. Default five minutes.
	RetryWait time.Duration `koanf:"retry_wait" least:"1s"`
	// Retries is how often a failed run is repeated before its time comes again. Default 4.
	Retries int `koanf:"retries" least:"0" most:"20"`
	// MaxRefused is after how many runs in a row with refused credentials a module is stopped. Default 3.
	MaxRefused int `koanf:"max_refused" least:"1" most:"20"`
}

// Traces says where spans of runs go.
type Traces struct {
	// Endpoint is the address of a receiver of OTLP over HTTP: "http://127.0.0.1:4318". Default none: then the environment's
	// OTEL_EXPORTER_OTLP_ENDPOINT counts, if it is set.
	Endpoint string `koanf:"endpoint" check:"url"`
}

// Tenant is one MSP.
type Tenant struct {
	// Name is the label of its block: [a-z0-9][a-z0-9-]*.
	Name string `koanf:"-"`
	// DisplayName is how people call it. Default none.
	DisplayName string `koanf:"display_name"`
	// TimeZone is an IANA name, in which its schedules are read. Default UTC.
	TimeZone string `koanf:"time_zone" check:"time_zone"`
	// Modules stand in the order of the file.
	Modules []*Module `block:"module"`

	// Location is TimeZone.
	Location *time.Location
	// Origin is where its block begins.
	Origin Origin
}

// Module is a distributor enabled for a tenant.
type Module struct {
	// Tenant and Name are the labels of the blocks: acme and rhipe of acme/rhipe.
	Tenant string `koanf:"-"`
	Name   string `koanf:"-"`
	// Plugin is the plugin's name. Default the module's name.
	Plugin string `koanf:"plugin" check:"plugin"`
	// Enabled modules are run. Default true.
	Enabled bool `koanf:"enabled"`
	// Environment names variables of the host's environment that the plugin gets. Default none.
	Environment   []string            `koanf:"environment" check:"variables"`
	Customers     Customers           `koanf:"customers"`
	Subscriptions Subscriptions       `koanf:"subscriptions"`
	Guards        Guards              `koanf:"guards"`
	Schedule      Schedule            `koanf:"schedule"`
	Notifications ModuleNotifications `koanf:"notifications"`

	// Origin is where its block begins.
	Origin Origin

	settings *settingsBlock
	// deferred are problems that matter only where the module is used.
	deferred []Problem
	// overrides are settings from the environment and from flags.
	overrides []override
}

// Customers says what happens to distributor customers.
type Customers struct {
	// Unmatched is create, hold or ignore. Default hold.
	Unmatched string `koanf:"unmatched" choices:"create|hold|ignore"`
	// TopLevel is what new customers are put under. Default none.
	TopLevel string `koanf:"top_level"`
	// UpdateMainSiteAddress lets main sites follow the distributor's addresses. Default false.
	UpdateMainSiteAddress bool `koanf:"update_main_site_address"`
}

// Subscriptions says what happens to subscriptions.
type Subscriptions struct {
	// DeactivateMissing deactivates what ended at the distributor. Default false.
	DeactivateMissing bool `koanf:"deactivate_missing"`
	// MissingRuns is in how many complete readings in a row it must be missing. Default 1, at least 1.
	MissingRuns int `koanf:"missing_runs" least:"1"`
}

// Guards are limits beyond which changes wait for a person. The defaults are those of package reconcile.
type Guards struct {
	MaxDeactivations int `koanf:"max_deactivations" least:"0"`
	// MaxDeactivationsPercent is of the module's active subscriptions; the larger limit counts.
	MaxDeactivationsPercent int `koanf:"max_deactivations_percent" least:"0" most:"100"`
	MaxCustomersCreated     int `koanf:"max_customers_created" least:"0"`
	// MaxCustomersCreatedPercent is of the module's mapped customers; the larger limit counts.
	MaxCustomersCreatedPercent int `koanf:"max_customers_created_percent" least:"0" most:"1000"`
	// A quantity may change by more than the factor, or by more than the step, but not by both.
	MaxQuantityFactor int `koanf:"max_quantity_factor" least:"1"`
	MaxQuantityStep   int `koanf:"max_quantity_step" least:"0"`
	// AllowEmptyListing believes a listing without records where there were some. Default false.
	AllowEmptyListing bool `koanf:"allow_empty_listing"`
}

// Files are the paths of the configuration files, in their order.
func (c *Config) Files() []string {
	paths := make([]string, len(c.sources))
	for i, s := range c.sources {
		paths[i] = s.path()
	}
	return paths
}

// defaults gives the values of what nobody sets, but for what belongs to tenants and modules.
func defaults() Config {
	return Config{
		Database:      Database{URL: NewSecret("sqlite:tallyman.db")},
		Plugins:       Plugins{Directory: besideProgram("plugins"), LockFile: "tallyman.lock"},
		Log:           Log{Level: "warn"},
		Runs:          Runs{Lease: time.Minute, Timeout: 2 * time.Hour},
		Retention:     Retention{Runs: 400 * day},
		Serve:         Serve{MaxRuns: 4, MaxRunsPerDistributor: 2, Drain: time.Minute, RetryWait: 5 * time.Minute, Retries: 4, MaxRefused: 3},
		Notifications: defaultNotifications(),
	}
}

// besideProgram gives a path in the folder of the program's own file, symbolic links followed. Where that is not known the
// path stays as it is, and is taken from the configuration's folder.
func besideProgram(name string) string {
	program, err := os.Executable()
	if err != nil {
		return name
	}
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	return filepath.Join(filepath.Dir(program), name)
}

// defaultTenant gives a tenant that sets nothing.
func defaultTenant() Tenant { return Tenant{TimeZone: "UTC"} }

// defaultModule gives a module that sets nothing.
func defaultModule(name string) Module {
	limits := reconcile.DefaultLimits()
	return Module{
		Plugin: name, Enabled: true, Environment: []string{},
		Customers:     Customers{Unmatched: "hold"},
		Subscriptions: Subscriptions{MissingRuns: 1},
		Guards: Guards{
			MaxDeactivations: limits.Deactivations, MaxDeactivationsPercent: limits.DeactivationsPercent,
			MaxCustomersCreated: limits.Creations, MaxCustomersCreatedPercent: limits.CreationsPercent,
			MaxQuantityFactor: limits.QuantityFactor, MaxQuantityStep: limits.QuantityStep,
			AllowEmptyListing: limits.AllowEmpty,
		},
		Schedule: Schedule{
			Enabled: true, Days: slices.Clone(schedule.Weekdays), Sync: []string{EntityCustomers, EntitySubscriptions},
		},
	}
}

// Format says which configuration it is and no more: it remembers where everything came from, secrets too.
func (c Config) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "configuration in %s: %d tenants", c.Dir, len(c.Tenants))
}

// String gives the module as people write it: acme/rhipe.
func (m *Module) String() string { return m.Tenant + "/" + m.Name }

// On reports whether the module is enabled.
func (m *Module) On() bool { return m.Enabled }

// key is where the module's values stand.
func (m *Module) key() string { return "tenant." + m.Tenant + ".module." + m.Name }

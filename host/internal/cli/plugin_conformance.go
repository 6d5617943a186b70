// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-shellwords"
	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// conformance is a call of "tallyman plugin test".
type conformance struct {
	*app
	binary     string
	settings   string
	module     string
	simulator  string
	junit      string
	large      int
	requireAll bool
}

func (a *app) pluginTest() *cobra.Command {
	c := &conformance{app: a}
	cmd := &cobra.Command{
		Use: "test FILE", Args: cobra.ExactArgs(1),
		Short: "Hold a plugin's program, in whatever language, against the rules of the contract",
		Long: "Hold a plugin's program, in whatever language, against the rules of the contract. It is started as a host starts it, many times.\n\n" +
			"With --simulator it speaks to a simulator of its distributor, and every trouble that one can play is tried. " +
			"With --settings it speaks to the distributor itself, by the settings of a module in a configuration file; it only reads. " +
			"With neither, what needs a distributor is not checked.\n\n" +
			"Exit code: 0 all rules are kept, 1 one is broken, 2 wrong usage or settings, 3 the distributor cannot be reached.",
		Example: "  tallyman plugin test ./tallyman-plugin-acmecloud --simulator \"./acmecloudsim\"\n" +
			"  tallyman plugin test ./tallyman-plugin-acmecloud --settings tallyman.hcl --junit report.xml",
		RunE: func(cmd *cobra.Command, args []string) error {
			c.binary = args[0]
			return c.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.settings, "settings", "", "read the settings from a module in `FILE`, a configuration")
	flags.StringVar(&c.module, "module", "", "the module in it, `TENANT/MODULE`, where several are of this plugin")
	flags.StringVar(&c.simulator, "simulator", "", "start `PROGRAM`, with arguments, as the distributor")
	flags.StringVar(&c.junit, "junit", "", "also write the report to `FILE` as JUnit XML")
	flags.IntVar(&c.large, "large", 0, "how many subscriptions a large listing has (default 100000)")
	flags.BoolVar(&c.requireAll, "require-all", false, "fail if a rule could not be checked")
	return cmd
}

func (c *conformance) run(ctx context.Context) (err error) {
	info, err := os.Stat(c.binary)
	switch {
	case err != nil:
		return usageError{err}
	case info.IsDir():
		return usagef("%s is a folder; name the plugin's program, such as %s/tallyman-plugin-acmecloud", c.binary, strings.TrimSuffix(c.binary, "/"))
	case c.simulator != "" && c.settings != "":
		return usagef("--simulator brings settings of its own; leave out --settings")
	case c.module != "" && c.settings == "":
		return usagef("--module needs --settings, the file it is in")
	}
	suite := sdktest.Suite{Binary: c.binary, Large: c.large, HostVersion: c.version}
	if c.simulator != "" {
		if suite.Simulator, err = c.startSimulator(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, suite.Simulator.Close()) }()
	}
	if c.settings != "" {
		if suite.Settings, err = c.readSettings(ctx, suite); err != nil {
			return err
		}
	}
	write, err := c.openJUnit()
	if err != nil {
		return err
	}
	report, err := sdktest.Check(ctx, suite, c.show)
	if err != nil {
		return err
	}
	return errors.Join(c.conclude(report), write(report))
}

func (c *conformance) startSimulator(ctx context.Context) (simulator.Simulator, error) {
	words, err := shellwords.Parse(c.simulator)
	if err != nil || len(words) == 0 {
		return nil, usagef("--simulator %q is no command line", c.simulator)
	}
	return simulator.Start(ctx, c.errOut, words[0], words[1:]...)
}

// readSettings gives the settings of the plugin's module in the configuration file.
func (c *conformance) readSettings(ctx context.Context, suite sdktest.Suite) (map[string]any, error) {
	c.configPaths = []string{c.settings}
	loaded, err := c.load()
	if err != nil {
		return nil, err
	}
	d, err := sdktest.Describe(ctx, suite)
	if err != nil {
		return nil, err
	}
	module, err := c.findModule(loaded, d.GetName())
	if err != nil {
		return nil, err
	}
	fields := make([]config.Field, len(d.GetSettings()))
	for i, f := range d.GetSettings() {
		fields[i] = config.Field{
			Name: f.GetName(), Type: f.GetType(), Required: f.GetRequired(), Secret: f.GetSecret(), Default: f.DefaultValue,
			Choices: f.GetChoices(), Help: f.GetHelp(), Example: f.GetExample(),
		}
	}
	settings, err := loaded.ResolveSettings(module, fields)
	if err != nil {
		return nil, usageError{err}
	}
	values := map[string]any{}
	for name, value := range settings.Wire() {
		values[name] = plainValue(value)
	}
	return values, nil
}

// findModule gives the one module of the plugin, or the one that was named.
func (c *conformance) findModule(loaded *config.Config, plugin string) (*config.Module, error) {
	if c.module != "" {
		_, m, err := c.findConfig(c.module)
		return m, err
	}
	var found []*config.Module
	var names []string
	for _, t := range loaded.Tenants {
		for _, m := range t.Modules {
			if distributorOf(m.Plugin) == plugin {
				found, names = append(found, m), append(names, m.String())
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, usagef("%s has no module of plugin %q", c.settings, plugin)
	case 1:
		return found[0], nil
	default:
		return nil, usagef("%s has several modules of plugin %q: %s; name one with --module", c.settings, plugin, strings.Join(names, ", "))
	}
}

func plainValue(v *distributorv1.SettingValue) any {
	switch kind := v.GetKind().(type) {
	case *distributorv1.SettingValue_List:
		return kind.List.GetValues()
	case *distributorv1.SettingValue_Map:
		return kind.Map.GetValues()
	default:
		return v.GetText()
	}
}

// show tells the result of a rule as it comes.
func (c *conformance) show(r sdktest.Result) {
	if c.json {
		return
	}
	switch r.Outcome {
	case sdktest.Passed:
		fmt.Fprintf(c.out, "  ok           %s\n", printable(r.Rule))
	case sdktest.NotChecked:
		paragraph(c.out, fmt.Sprintf("  not checked  %-22s ", printable(r.Rule)), r.Seen)
	case sdktest.Failed:
		paragraph(c.out, fmt.Sprintf("  FAILED       %-22s ", printable(r.Rule)), r.Demand+".")
		paragraph(c.out, "      Seen: ", r.Seen)
		paragraph(c.out, "      The rule: ", r.Where)
	}
}

// openJUnit opens the file for the report before anything is tested, and gives what writes it.
func (c *conformance) openJUnit() (func(*sdktest.Report) error, error) {
	if c.junit == "" {
		return func(*sdktest.Report) error { return nil }, nil
	}
	f, err := os.Create(c.junit)
	if err != nil {
		return nil, usageError{err}
	}
	return func(report *sdktest.Report) error { return errors.Join(report.WriteJUnit(f), f.Close()) }, nil
}

// conclude tells how it went as a whole.
func (c *conformance) conclude(report *sdktest.Report) error {
	failed, skipped := report.Count(sdktest.Failed), report.Count(sdktest.NotChecked)
	text := fmt.Sprintf("%s: %s kept, %d broken, %d not checked", nameOf(report), plural(report.Count(sdktest.Passed), "rule"), failed, skipped)
	if c.json {
		if err := c.printJSON(report); err != nil {
			return err
		}
	} else if _, err := io.WriteString(c.out, "\n"+printable(text)+".\n"); err != nil {
		return err
	}
	switch {
	case report.Unreachable:
		return c.concluded(exitUnreachable, "the distributor could not be reached, so that this says little about the plugin")
	case failed > 0:
		return c.concluded(exitFailed, text)
	case skipped > 0 && c.requireAll:
		return c.concluded(exitFailed, text+", and --require-all wants every rule checked")
	}
	return nil
}

// concluded ends with an exit code. In JSON, the report has told everything.
func (c *conformance) concluded(code int, text string) error {
	if !c.json && code == exitUnreachable {
		c.say("", text+".")
	}
	return shownError{errors.New(text), code}
}

func nameOf(report *sdktest.Report) string {
	if report.Plugin == "" {
		return "the plugin"
	}
	return strings.TrimSpace(report.Plugin + " " + report.Version)
}

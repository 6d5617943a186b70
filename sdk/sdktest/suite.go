// SPDX-License-Identifier: Apache-2.0

// Package sdktest is the conformance suite: it holds a plugin against the rules of the contract, as a host would meet it.
//
//	func TestConformance(t *testing.T) {
//		sim, err := acmecloudsim.New()
//		if err != nil {
//			t.Fatal(err)
//		}
//		sdktest.Run(t, sdktest.Suite{Plugin: plugin, Simulator: sim})
//	}
//
// Run makes a subtest of each rule, in process for Suite.Plugin and over a real process for the program that is built of
// Suite.Package or given as Suite.Binary. Check does the same for a program that was built already, whatever it was
// written in; "tallyman plugin test" is made of it.
//
// Each rule has a name that stays ("listing.counts"), says what it demands and where that is explained. What cannot be
// checked, for want of a simulator or because the machine does not tell, is told as such and never passes in silence.
package sdktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// Suite says what is tested, and against what.
type Suite struct {
	// Plugin is an sdk.Plugin, to be tested in process too. Run only; optional.
	Plugin any
	// Package is the folder of the plugin's main package, which Run builds. Default: the test's own folder. Not used with
	// Binary.
	Package string
	// Binary is the path of the plugin's program.
	Binary string
	// Settings make the plugin speak to a distributor: text, numbers, booleans, lists and maps of text. Default: those of
	// the simulator.
	Settings map[string]any
	// Simulator plays the distributor. Without one, what needs troubles or many records is not checked.
	Simulator simulator.Simulator
	// Large is how many subscriptions a large listing has. Default 100,000.
	Large int
	// Only names the rules that are checked: "listing.memory". Empty: all.
	Only []string
	// HostVersion is the version of the host that the plugin meets. Default 1.0.0.
	HostVersion string
}

// Outcome is what became of a rule.
type Outcome string

// What can become of a rule.
const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	// NotChecked: something was missing for the check; Result.Seen says what.
	NotChecked Outcome = "not checked"
)

// Result is what became of one rule.
type Result struct {
	// Rule is its name: "listing.counts".
	Rule string `json:"rule"`
	// Demand is what it demands.
	Demand string `json:"demand"`
	// Where it is explained: "proto/README.md#listings".
	Where   string  `json:"where"`
	Outcome Outcome `json:"outcome"`
	// Seen is what was seen instead, or what was missing for the check.
	Seen string        `json:"seen,omitempty"`
	Took time.Duration `json:"took_nanoseconds"`
}

// Report is what became of all rules.
type Report struct {
	// Plugin and Version are what the plugin calls itself, where it could be asked.
	Plugin  string   `json:"plugin,omitempty"`
	Version string   `json:"version,omitempty"`
	Results []Result `json:"results"`
	// Unreachable: the distributor did not answer, so that the results say little about the plugin.
	Unreachable bool `json:"unreachable,omitempty"`
}

// Count gives how many rules came to an outcome.
func (r *Report) Count(outcome Outcome) int {
	n := 0
	for i := range r.Results {
		if r.Results[i].Outcome == outcome {
			n++
		}
	}
	return n
}

// Run tests a plugin, with a subtest for each rule.
func Run(t *testing.T, s Suite) {
	t.Helper()
	if s.Plugin != nil {
		t.Run("in process", func(t *testing.T) {
			open, err := inProcess(s.Plugin)
			if err != nil {
				t.Fatal(err)
			}
			inside := s
			inside.Binary = ""
			run(t, newBench(inside, open))
		})
	}
	t.Run("process", func(t *testing.T) {
		if s.Binary == "" {
			s.Binary = build(t, s.Package)
		}
		run(t, newBench(s, program(s.Binary)))
	})
}

// build builds the plugin's program under a name that any plugin may have.
func build(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugin")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the plugin: %v\n%s", err, out)
	}
	return path
}

func run(t *testing.T, b *bench) {
	t.Helper()
	rules, err := b.chosen()
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules {
		t.Run(rule.Name, func(t *testing.T) {
			result := b.result(t.Context(), rule)
			switch result.Outcome {
			case Failed:
				t.Errorf("%s.\nSeen: %s\nThe rule: %s", rule.Demand, result.Seen, rule.Where)
			case NotChecked:
				t.Log("not checked: " + result.Seen)
			case Passed:
			}
		})
	}
}

// Check tests a plugin's program. each is told every result as it comes; it may be nil. The error says why the suite could
// not run at all; what is wrong with the plugin is in the report.
func Check(ctx context.Context, s Suite, each func(Result)) (*Report, error) {
	if s.Binary == "" {
		return nil, errors.New("no program to test")
	}
	b := newBench(s, program(s.Binary))
	report := &Report{}
	rules, err := b.chosen()
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		result := b.result(ctx, rule)
		if ctx.Err() != nil {
			return report, ctx.Err()
		}
		report.Results = append(report.Results, result)
		if each != nil {
			each(result)
		}
	}
	if d, err := b.described(ctx); err == nil {
		report.Plugin, report.Version = d.GetName(), d.GetVersion()
	}
	report.Unreachable = b.unreachable
	return report, nil
}

// bench is one plugin under test.
type bench struct {
	Suite
	open opener

	mu          sync.Mutex
	description *distributorv1.DescribeResponse
	// healthy are listings of a distributor that is well, read once.
	healthy map[kind]*heard
	// texts are everything the plugin said: log, messages, warnings. It must not hold a secret.
	texts       textLog
	unreachable bool
	// blocked says why nothing more can be checked, unusable why nothing that needs good settings can; "" if that is not so.
	blocked, unusable string
	// dead: the plugin does not start.
	dead bool
}

func newBench(s Suite, open opener) *bench {
	if s.Large == 0 {
		s.Large = 100_000
	}
	if s.HostVersion == "" {
		s.HostVersion = "1.0.0"
	}
	if s.Settings == nil && s.Simulator != nil {
		s.Settings = s.Simulator.Settings()
	}
	return &bench{Suite: s, open: open, healthy: map[kind]*heard{}}
}

// notChecked is why a rule could not be checked.
type notChecked struct{ why string }

func (n *notChecked) Error() string { return n.why }

func missing(format string, args ...any) error { return &notChecked{fmt.Sprintf(format, args...)} }

// ruleTime is how long the check of one rule may take, on a machine that does much else: something, and more for each
// subscription of a large listing.
func (b *bench) ruleTime() time.Duration {
	return 5*time.Minute + time.Duration(b.Large)*time.Millisecond
}

func (b *bench) result(ctx context.Context, rule *Rule) Result {
	ctx, cancel := context.WithTimeout(ctx, b.ruleTime())
	defer cancel()
	began := time.Now()
	result := Result{Rule: rule.Name, Demand: rule.Demand, Where: rule.Where, Outcome: Passed}
	err := b.blockedBy(rule)
	if err == nil {
		err = b.blamed(ctx, rule, rule.check(ctx, b))
	}
	var skipped *notChecked
	switch {
	case errors.As(err, &skipped):
		result.Outcome, result.Seen = NotChecked, skipped.why
	case err != nil:
		result.Outcome, result.Seen = Failed, err.Error()
	}
	result.Took = time.Since(began)
	return result
}

// blockedBy skips a rule that would only show again what a rule before it has shown.
func (b *bench) blockedBy(rule *Rule) error {
	if b.blocked == "" || rule.Name == secretRule.Name && !b.dead {
		return nil
	}
	return missing("%s", b.blocked)
}

// blamed gives what a rule's check has seen, and takes note of what keeps all that follows from being checked.
func (b *bench) blamed(ctx context.Context, rule *Rule, seen error) error {
	var skipped *notChecked
	if seen == nil || errors.As(seen, &skipped) || ctx.Err() != nil {
		return seen
	}
	if b.Simulator != nil {
		if err := b.Simulator.Play(ctx, ""); err != nil {
			b.blocked = "because the simulator does not answer any more; see " + rule.Name
			return fmt.Errorf("the simulator does not answer any more, so this says nothing about the plugin: %w", err)
		}
	}
	switch rule.Name {
	case ruleHandshake:
		b.blocked, b.dead = "because the plugin does not start; see "+rule.Name, true
	case ruleAccepts:
		b.unusable = "because good settings are not accepted; see " + rule.Name
	}
	return seen
}

// rules gives the rules, and one more for each fault of the simulator.
func (b *bench) rules() []*Rule {
	list := make([]*Rule, 0, len(rules)+1)
	for i := range rules {
		list = append(list, &rules[i])
	}
	if b.Simulator == nil {
		return append(list, &secretRule, &Rule{
			Name: "fault", Demand: "Troubles of the distributor never look like a complete listing", Where: whereListings,
			check: func(context.Context, *bench) error { return missing("needs a simulator of the distributor") },
		})
	}
	for _, fault := range b.Simulator.Faults() {
		list = append(list, faultRule(fault))
	}
	return append(list, &secretRule)
}

// chosen gives the rules that are checked.
func (b *bench) chosen() ([]*Rule, error) {
	all := b.rules()
	if len(b.Only) == 0 {
		return all, nil
	}
	var list []*Rule
	for _, name := range b.Only {
		at := slices.IndexFunc(all, func(r *Rule) bool { return r.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no rule %q", name)
		}
		list = append(list, all[at])
	}
	return list, nil
}

// described gives what the plugin says about itself.
func (b *bench) described(ctx context.Context) (*distributorv1.DescribeResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.description != nil {
		return b.description, nil
	}
	s, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	b.description, err = s.rpc.Describe(ctx, &distributorv1.DescribeRequest{HostVersion: b.HostVersion})
	return b.description, err
}

// start starts the plugin without configuring it.
func (b *bench) start(ctx context.Context) (*session, error) {
	s, err := b.open(ctx, &b.texts)
	if err != nil {
		return nil, fmt.Errorf("the plugin does not start: %w", err)
	}
	return s, nil
}

// connect starts the plugin and configures it with the suite's settings, in which changes replace some; nil takes one away.
func (b *bench) connect(ctx context.Context, changes map[string]any) (*session, error) {
	if b.Settings == nil {
		return nil, missing("needs settings (--settings, or a simulator that gives them)")
	}
	if b.unusable != "" {
		return nil, missing("%s", b.unusable)
	}
	settings := maps.Clone(b.Settings)
	for name, value := range changes {
		settings[name] = value
		if value == nil {
			delete(settings, name)
		}
	}
	s, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	diagnostics, err := s.configure(ctx, b, settings)
	if err == nil {
		err = wrongSettings(diagnostics)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func wrongSettings(diagnostics []*distributorv1.Diagnostic) error {
	at := slices.IndexFunc(diagnostics, isError)
	if at < 0 {
		return nil
	}
	d := diagnostics[at]
	return fmt.Errorf("the settings are refused: %s: %s %s", d.GetField(), d.GetMessage(), d.GetHint())
}

func isError(d *distributorv1.Diagnostic) bool {
	return d.GetSeverity() != distributorv1.Severity_SEVERITY_WARNING
}

// listed gives a listing of the healthy distributor, read once.
func (b *bench) listed(ctx context.Context, k kind) (*heard, error) {
	b.mu.Lock()
	known := b.healthy[k]
	b.mu.Unlock()
	if known != nil {
		return known, nil
	}
	s, err := b.connect(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer s.close()
	h := s.list(ctx, k, nil, keepRefs)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.healthy[k] = h
	if c := h.class(); c == distributorv1.ErrorClass_ERROR_CLASS_TRANSIENT || c == distributorv1.ErrorClass_ERROR_CLASS_THROTTLED {
		b.unreachable = b.Simulator == nil
	}
	return h, nil
}

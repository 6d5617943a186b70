// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

func specLog() hclog.Logger { return hclog.NewNullLogger() }

func TestAGoodListingIsComplete(t *testing.T) {
	t.Parallel()
	p := launch(t, "good")
	events, result, err := subscriptions(t, p, "good")
	if err != nil {
		t.Fatal(err)
	}
	if result.Outcome != OutcomeComplete || result.Err != nil || result.Records != 2 || result.WarningCount != 0 {
		t.Errorf("result: %+v", result)
	}
	want := []ScopeResult{{Ref: "a", Name: "scope a", Outcome: OutcomeComplete, Count: 2}}
	if d := cmp.Diff(want, result.Scopes); d != "" {
		t.Error(d)
	}
	if got := kinds(events); got != "Begin ScopeBegin Subscriptions ScopeEnd End" {
		t.Errorf("events: %s", got)
	}
}

func kinds(events []Event) string {
	var names []string
	for _, e := range events {
		names = append(names, strings.TrimPrefix(fmt.Sprintf("%T", e), "pluginhost."))
	}
	return strings.Join(names, " ")
}

func TestCustomersAreConvertedAndScopesFailAlone(t *testing.T) {
	t.Parallel()
	p := launch(t, "good")
	l, err := p.ListCustomers(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if r := l.Result(); r.Outcome == OutcomeComplete {
		t.Error("complete before it was read")
	}
	events, err := all(l)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	for _, e := range events {
		if c, ok := e.(Customers); ok {
			if len(c.Customers) != 1 || c.Customers[0].Name != "Alpha" || c.Customers[0].Address.City != "Perth" {
				t.Errorf("customers: %+v", c)
			}
		}
	}
	r := l.Result()
	if r.Outcome != OutcomePartial || r.Requests != 5 || r.WarningCount != 1 || r.Warnings[0].Code != "record.without_id" {
		t.Errorf("result: %+v", r)
	}
	if r.Scopes[0].Outcome != OutcomePartial || r.Scopes[1].Outcome != OutcomeFailed {
		t.Errorf("scopes: %+v", r.Scopes)
	}
	var e *sdk.Error
	if !errors.As(r.Scopes[1].Err, &e) || e.Class != sdk.ClassPermission || e.Origin != sdk.OriginDistributor {
		t.Errorf("the error of the failed scope: %v", r.Scopes[1].Err)
	}
}

func TestSettingsAndConnectionAreTold(t *testing.T) {
	t.Parallel()
	p := launch(t, "good")
	found, err := p.Configure(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]sdk.Diagnostic{{Field: "token", Message: "is missing", Hint: "Set it."}}, found); d != "" {
		t.Error(d)
	}
	if d := p.Description(); d.DisplayName != "Test good" || !d.AbsenceMeansEnded() {
		t.Errorf("before it has settings: %+v", d)
	}
	values := map[string]*distributorv1.SettingValue{"token": {Kind: &distributorv1.SettingValue_Text{Text: "sesame-open"}}}
	if found, err = p.Configure(t.Context(), values); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]sdk.Diagnostic{{Warning: true, Field: "token", Message: "odd token ***"}}, found); d != "" {
		t.Error(d)
	}
	if d := p.Description(); d.DisplayName != "Test as configured" || d.AbsenceMeansEnded() || len(d.Settings) != 1 {
		t.Errorf("with its settings: %+v", d)
	}
	test, err := p.TestConnection(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if test.OK || len(test.Steps) != 2 || !test.Steps[0].OK || test.Steps[1].Err.Class != sdk.ClassAuth || test.Steps[1].Err.Hint != "Renew the token." {
		t.Errorf("connection test: %+v", test)
	}
}

func TestACrashIsRecorded(t *testing.T) {
	t.Parallel()
	for mode, check := range map[string]func(*testing.T, CrashRecord){
		"exit": func(t *testing.T, r CrashRecord) {
			if r.ExitCode != 7 || r.Signal != "" || r.OOMHint || len(r.Panic) != 0 {
				t.Errorf("record: %+v", r)
			}
		},
		"panic-elsewhere": func(t *testing.T, r CrashRecord) {
			if r.ExitCode != 2 || len(r.Panic) < 2 || r.Panic[0] != "panic: boom in a goroutine" {
				t.Errorf("record: %+v", r)
			}
			contains(t, strings.Join(r.Panic, "\n"), "goroutine", "list.go")
		},
		"panic": func(t *testing.T, r CrashRecord) {
			contains(t, strings.Join(r.Panic, "\n"), "boom in a call")
		},
		"memory": func(t *testing.T, r CrashRecord) {
			if !r.OOMHint {
				t.Errorf("record: %+v", r)
			}
		},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := launch(t, "good")
			events, result, err := subscriptions(t, p, mode)
			var crash *CrashError
			if !errors.As(err, &crash) {
				t.Fatalf("error: %v", err)
			}
			r := crash.Record
			if r.Call != "ListSubscriptions" || r.PID != p.PID() || r.Plugin != "good" || r.Version != "1.2.3" || r.At.Before(r.Started) {
				t.Errorf("record: %+v", r)
			}
			check(t, r)
			// How much of what it sent arrives before it is gone is chance.
			if result.Outcome == OutcomeComplete || len(result.Scopes) > 0 && result.Scopes[0].Outcome == OutcomeComplete {
				t.Errorf("result: %+v", result)
			}
			if got := kinds(events); !strings.HasPrefix(got, "Begin ") || !strings.HasSuffix(got, " End") {
				t.Errorf("events: %s", got)
			}
			text, err := json.Marshal(p.Crash())
			if err != nil || !strings.Contains(string(text), `"call":"ListSubscriptions"`) {
				t.Errorf("as JSON: %s %v", text, err)
			}
			if err := p.Close(t.Context()); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

func TestAPluginKilledFromOutsideIsToldByItsSignal(t *testing.T) {
	t.Parallel()
	p := launch(t, "good")
	l, err := p.ListSubscriptions(t.Context(), []string{"hang"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 3 {
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
	}
	kill(t, p.PID())
	_, err = all(l)
	var crash *CrashError
	if !errors.As(err, &crash) || crash.Record.Signal != "killed" || !crash.Record.OOMHint {
		t.Fatalf("error: %v", err)
	}
	if r := l.Result(); r.Outcome != OutcomePartial || r.Scopes[0].Outcome != OutcomePartial || r.Origin != sdk.OriginUnknown {
		t.Errorf("result: %+v", r)
	}
}

func TestAListingThatGoesWrongSaysHow(t *testing.T) {
	t.Parallel()
	p := launch(t, "good")
	for mode, c := range map[string]struct{ code, says string }{
		"large":        {CodeMessageTooLarge, "8 MiB"},
		"plain-status": {CodeProtocol, "something odd"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			_, result, err := subscriptions(t, p, mode)
			if codeOf(err) != c.code {
				t.Fatalf("error: %v", err)
			}
			contains(t, err.Error(), c.says)
			if result.Outcome == OutcomeComplete || result.Origin != sdk.OriginPlugin {
				t.Errorf("result: %+v", result)
			}
		})
	}
	t.Run("what the plugin reports passes through", func(t *testing.T) {
		t.Parallel()
		_, _, err := subscriptions(t, p, "failed-call")
		var e *sdk.Error
		if !errors.As(err, &e) || e.Class != sdk.ClassThrottled || e.Hint != "Wait." {
			t.Fatalf("error: %v", err)
		}
	})
	t.Run("a stream without end is not complete", func(t *testing.T) {
		t.Parallel()
		_, result, err := subscriptions(t, p, "no-end")
		if err != nil {
			t.Fatal(err)
		}
		if result.Outcome != OutcomePartial || result.Err == nil || result.Warnings[0].Code != "protocol.no_end" {
			t.Errorf("result: %+v", result)
		}
	})
}

func TestASilentPluginHangs(t *testing.T) {
	t.Parallel()
	p := launch(t, "good", func(s *Spec) { s.IdleTimeout = 300 * time.Millisecond })
	for _, mode := range []string{"hang", "hang-at-once"} {
		_, result, err := subscriptions(t, p, mode)
		if codeOf(err) != CodeHangs || result.Outcome == OutcomeComplete {
			t.Fatalf("%s: error %v, result %+v", mode, err, result)
		}
		contains(t, err.Error(), "hangs", "300ms")
	}
}

func TestAListingIsToldOfTheLastCompleteOne(t *testing.T) {
	t.Parallel()
	p := launch(t, "good")
	for want, began := range map[string]time.Time{
		"": {}, "2026-03-01T02:15:00.25Z": time.Date(2026, 3, 1, 13, 15, 0, 250_000_000, time.FixedZone("AEDT", 11*3600)),
	} {
		l, err := p.ListSubscriptions(t.Context(), []string{"last-complete"}, began)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := all(l); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if told := l.Result().Warnings; len(told) != 1 || told[0].Message != want {
			t.Errorf("the plugin was told %+v, want %q", told, want)
		}
		l.Close()
	}
}

func TestAListingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := launch(t, "good")
	for _, mode := range []string{"slow", "hang", "ignore-cancel"} {
		ctx, cancel := context.WithCancel(t.Context())
		l, err := p.ListSubscriptions(ctx, []string{mode}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := all(l); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", mode, err)
		}
		l.Close()
	}
	if p.Crash() != nil {
		t.Errorf("crash: %+v", p.Crash())
	}
}

func TestClosingEndsOpenListingsAndHangingPlugins(t *testing.T) {
	t.Parallel()
	for mode, hangs := range map[string]bool{"good": false, "hang-drain": true, "hang-exit": true} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := launch(t, mode, func(s *Spec) { s.DrainTimeout = 500 * time.Millisecond })
			l, err := p.ListSubscriptions(t.Context(), []string{"hang"}, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Next(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			err = p.Close(ctx)
			if (codeOf(err) == CodeHangs) != hangs {
				t.Errorf("close: %v", err)
			}
			if again := p.Close(ctx); !errors.Is(again, err) {
				t.Errorf("close again: %v", again)
			}
			if alive(p.PID()) {
				t.Error("the process lives")
			}
			if _, err := all(l); codeOf(err) != CodeClosed {
				t.Errorf("listing: %v", err)
			}
			if p.Crash() != nil {
				t.Errorf("crash: %+v", p.Crash())
			}
		})
	}
}

func TestNothingOfTheHostIsInherited(t *testing.T) {
	t.Setenv("TALLYMAN_TEST_SECRET", "sesame")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "sesame")
	t.Setenv("HTTPS_PROXY", "http://user:proxy-password@proxy.example:3128")
	t.Setenv("EXTRA_ALLOWED", "yes")
	t.Setenv("TZ", "Australia/Sydney")
	p := launch(t, "good", func(s *Spec) { s.Env = []string{"EXTRA_ALLOWED"} })
	events, _, err := subscriptions(t, p, "env")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range events {
		if batch, ok := e.(Subscriptions); ok {
			for _, s := range batch.Subscriptions {
				name, value, _ := strings.Cut(s.GetRef(), "=")
				got[name] = value
			}
		}
	}
	allowed := append([]string{"EXTRA_ALLOWED", "TALLYMAN_PLUGIN", "TALLYMAN_PARENT_PID", "TALLYMAN_LOG_LEVEL"}, allowedEnv...)
	for name := range got {
		if !slices.Contains(allowed, name) && !strings.HasPrefix(name, "PLUGIN_") {
			t.Errorf("the plugin has %s", name)
		}
	}
	if got["EXTRA_ALLOWED"] != "yes" || got["TZ"] != "Australia/Sydney" || got["HTTPS_PROXY"] == "" || got["TALLYMAN_PARENT_PID"] != fmt.Sprint(os.Getpid()) {
		t.Errorf("environment: %v", got)
	}
	if text := p.redact.hide("via proxy-password"); text != "via ***" {
		t.Errorf("the proxy's password is told: %s", text)
	}
	if _, result, err := subscriptions(t, p, "stdin"); err != nil || result.Warnings[0].Message != `"" <nil>` {
		t.Errorf("standard input: %+v %v", result, err)
	}
}

func TestASecretComesOutNowhere(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t&sesame/öpen+me=="
	log := &logBuffer{}
	p := launch(t, "good", log.spec, func(s *Spec) { s.Redact = []string{secret} })
	_, result, err := subscriptions(t, p, "say:"+secret)
	var e *sdk.Error
	if !errors.As(err, &e) || e.Message != "token *** was refused" || e.Hint != "Not ***?" {
		t.Fatalf("error: %#v", err)
	}
	if result.Warnings[0].Message != "I know ***" {
		t.Errorf("warning: %+v", result.Warnings)
	}
	eventually(t, "the log has all lines", func() bool {
		text := log.String()
		return strings.Contains(text, "plain ***") && strings.Contains(text, "json ***") && strings.Contains(text, "stdout ***") &&
			strings.Contains(text, "synced ***") && strings.Contains(text, "log ***")
	})
	kill(t, p.PID())
	<-p.child.done
	record, _ := json.Marshal(p.Crash())
	contains(t, string(record), "plain ***", "not really, but ***")
	for _, text := range []string{log.String(), string(record), fmt.Sprintf("%+v", result)} {
		if regexp.MustCompile(`s3cr3t|sesame|pen\+me`).MatchString(text) {
			t.Errorf("it came out: %s", text)
		}
	}
	contains(t, log.String(), "run=17", "tenant=acme", "module=acme/good", "plugin=good")
}

func TestAFloodOfLogLinesIsCountedAndStopsNothing(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	p := launch(t, "good", log.spec)
	_, result, err := subscriptions(t, p, "flood")
	if err != nil || result.Outcome != OutcomeComplete {
		t.Fatalf("%+v %v", result, err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	lines := strings.Count(text, "of far too many")
	if lines < logBurst-100 || lines > 19000 {
		t.Errorf("%d lines were logged", lines)
	}
	told := 0
	for _, m := range regexp.MustCompile(`lines were left out:.* lines=(\d+)`).FindAllStringSubmatch(text, -1) {
		var n int
		_, _ = fmt.Sscan(m[1], &n)
		told += n
	}
	if lines+told < 20000 {
		t.Errorf("%d lines logged, %d told to be left out", lines, told)
	}
	if last := p.sink.last(); len(last) != lastLines {
		t.Errorf("%d lines kept", len(last))
	}
}

func TestOddLinesReachTheLogHarmlessly(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	p := launch(t, "good", log.spec)
	for _, mode := range []string{"odd-log", "stdout-late"} {
		if _, result, err := subscriptions(t, p, mode); err != nil || result.Outcome != OutcomeComplete {
			t.Fatalf("%+v %v", result, err)
		}
	}
	eventually(t, "the log has all lines", func() bool {
		text := log.String()
		return strings.Contains(text, "[31mred") && strings.Contains(text, "os.Stdout") && strings.Contains(text, "descriptor 1")
	})
	text := log.String()
	contains(t, text, "[WARN]  fine:", "n=3", "long long")
	if strings.ContainsAny(text, "\x1b\x00") {
		t.Error("control characters reach the log")
	}
	if len(text) > 64<<10 {
		t.Errorf("the log has %d bytes", len(text))
	}
}

func TestTwoProcessesKnowNothingOfEachOther(t *testing.T) {
	t.Parallel()
	a, b := launch(t, "good"), launch(t, "good")
	l, err := a.ListSubscriptions(t.Context(), []string{"slow"}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, _, err := subscriptions(t, b, "exit"); codeOf(err) != CodeCrashed {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := l.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if a.Crash() != nil || b.Crash() == nil {
		t.Errorf("crashes: %v %v", a.Crash(), b.Crash())
	}
}

func BenchmarkStart(b *testing.B) {
	spec := specOf(b, pluginIn(b, "good"))
	for b.Loop() {
		p, err := Launch(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := p.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/start")
}

func BenchmarkClose(b *testing.B) {
	spec := specOf(b, pluginIn(b, "good"))
	for b.Loop() {
		b.StopTimer()
		p, err := Launch(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := p.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStream(b *testing.B) {
	p := launch(b, "good")
	records := int64(0)
	for b.Loop() {
		_, result, err := subscriptions(b, p, "bench")
		if err != nil || result.Outcome != OutcomeComplete {
			b.Fatal(err, result)
		}
		records += result.Records
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

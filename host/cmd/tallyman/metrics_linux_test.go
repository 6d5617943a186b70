// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// scraped is what /metrics tells: by name, the value of each series by its labels, such as `module="rhipe",tenant="acme"`.
type scraped map[string]map[string]float64

// scrape asks a host as Prometheus does, and checks the form of what it tells.
func (p *place) scrape(address string) scraped {
	p.t.Helper()
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		p.t.Fatalf("/metrics answers %s (%v)\n%s", answer.Status, err, body)
	}
	p.printed.Write(body)
	problems, err := promlint.New(strings.NewReader(string(body))).Lint()
	if err != nil || len(problems) > 0 {
		p.t.Errorf("the form of the metrics: %v (%v)", problems, err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		p.t.Fatalf("%v\n%s", err, body)
	}
	all := scraped{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			is := labelsOf(m)
			switch family.GetType() {
			case dto.MetricType_HISTOGRAM:
				all.add(name+"_count", is, float64(m.GetHistogram().GetSampleCount()))
				all.add(name+"_sum", is, m.GetHistogram().GetSampleSum())
				for _, b := range m.GetHistogram().GetBucket() {
					all.add(name+"_bucket", fmt.Sprintf("%s,le=%q", is, fmt.Sprint(b.GetUpperBound())), float64(b.GetCumulativeCount()))
				}
			case dto.MetricType_COUNTER:
				all.add(name, is, m.GetCounter().GetValue())
			default:
				all.add(name, is, m.GetGauge().GetValue()+m.GetUntyped().GetValue())
			}
		}
	}
	return all
}

func labelsOf(m *dto.Metric) string {
	var list []string
	for _, l := range m.GetLabel() {
		list = append(list, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

func (s scraped) add(name, is string, value float64) {
	if s[name] == nil {
		s[name] = map[string]float64{}
	}
	s[name][is] = value
}

// of gives the value of the one series of a metric that has these labels, and whether there is one.
func (s scraped) of(name string, labels ...string) (float64, bool) {
	for is, value := range s[name] {
		if !slices.ContainsFunc(labels, func(label string) bool { return !strings.Contains(","+is+",", ","+label+",") }) {
			return value, true
		}
	}
	return 0, false
}

// wants compares values; a name ends where its labels begin: `tallyman_runs_total outcome="failed"`.
func (s scraped) wants(t *testing.T, values map[string]float64) {
	t.Helper()
	for series, want := range values {
		words := strings.Fields(series)
		if got, ok := s.of(words[0], words[1:]...); !ok || got != want {
			t.Errorf("%s is %v (there: %v), want %v; all of them: %v", series, got, ok, want, s[words[0]])
		}
	}
}

// scraping starts a host and gives where it answers. It has looked what is due by then.
func (p *place) scraping() (*background, string) {
	p.t.Helper()
	b := p.start("serve")
	address := answeringAt.FindStringSubmatch(p.says(b, "answering /healthz"))[1]
	p.until("its first look", func() bool {
		_, ok := p.scrape(address)["tallyman_schedule_looked_timestamp_seconds"]
		return ok
	})
	return b, address
}

func TestServeTellsPrometheusHowTheModulesAre(t *testing.T) {
	t.Parallel()
	p := serving(t, 2, impatience)
	b, address := p.scraping()
	before := p.scrape(address)
	before.wants(t, map[string]float64{
		`tallyman_runs_total outcome="failed" tenant="t1" distributor="rhipe"`: 0,
		`tallyman_plugin_crashes_total tenant="acme" module="rhipe"`:           0,
		`tallyman_module_held_changes tenant="acme" module="rhipe"`:            0,
		`tallyman_module_stopped tenant="acme" module="rhipe"`:                 0,
		`tallyman_modules_due`:      0,
		`tallyman_database_answers`: 1,
	})
	if _, ok := before["tallyman_module_complete_timestamp_seconds"]; ok {
		t.Error("a module that was never read is told to be complete")
	}
	p.stop(b)

	// One module gets through, the other one's credentials are refused until it is stopped.
	p.write("tallyman.hcl", strings.Replace(p.configuration(), `tenant "t1"`, `tenant "refused"`, 1))
	text := p.configuration()
	head, tail, _ := strings.Cut(text, `tenant "refused"`)
	p.write("tallyman.hcl", head+`tenant "refused"`+strings.ReplaceAll(tail, `env("RHIPE_CLIENT_SECRET")`, `env("WRONG_SECRET")`))
	p.env["WRONG_SECRET"] = "wrong-but-no-less-a-secret"
	p.once()
	p.missed()
	b, address = p.scraping()
	begun := float64(time.Now().Add(-time.Minute).Unix())
	p.says(b, "STOPPED: the distributor refuses the credentials")
	p.until("the run of the other tenant", func() bool {
		n, _ := p.scrape(address).of("tallyman_runs_total", `outcome="succeeded"`, `tenant="acme"`)
		return n == 1
	})
	p.until("that it is stopped", func() bool {
		n, _ := p.scrape(address).of("tallyman_module_stopped", `tenant="refused"`)
		return n == 1
	})
	after := p.scrape(address)
	after.wants(t, map[string]float64{
		`tallyman_runs_total outcome="succeeded" tenant="acme" module="rhipe" distributor="rhipe"`: 1,
		`tallyman_runs_total outcome="failed" tenant="refused"`:                                    3,
		`tallyman_run_duration_seconds_count outcome="failed" distributor="rhipe"`:                 3,
		`tallyman_records_read_total kind="customers" tenant="acme"`:                               2, // with the partner itself
		`tallyman_records_read_total kind="subscriptions" tenant="acme"`:                           2,
		`tallyman_changes_total kind="customers_created" tenant="acme"`:                            1,
		`tallyman_changes_total kind="subscriptions_created" tenant="acme"`:                        2,
		`tallyman_changes_total kind="subscriptions_deactivated" tenant="acme"`:                    0,
		`tallyman_module_failures tenant="acme"`:                                                   0,
		`tallyman_module_failures tenant="refused"`:                                                3,
		`tallyman_module_stopped tenant="acme"`:                                                    0,
		`tallyman_module_paused tenant="acme"`:                                                     0,
		`tallyman_runs_limit`:                                                                      4,
	})
	for series, least := range map[string]float64{`tenant="acme" status="200"`: 2, `tenant="refused" status="400"`: 3} {
		if n, _ := after.of("tallyman_distributor_requests_total", strings.Fields(series)...); n < least {
			t.Errorf("%v requests are told of %s, want %v at least; all of them: %v", n, series, least, after["tallyman_distributor_requests_total"])
		}
	}
	for series := range after["tallyman_distributor_requests_total"] {
		if strings.Contains(series, `status="untold"`) {
			t.Errorf("%s: the plugin tells of every answer", series)
		}
	}
	total, applied := 0.0, p.ask("SELECT count(*) FROM changes WHERE status = 'applied'")
	for _, n := range after["tallyman_changes_total"] {
		total += n
	}
	if fmt.Sprint(total) != applied {
		t.Errorf("%v changes are told, %s were made", total, applied)
	}
	if at, ok := after.of("tallyman_module_complete_timestamp_seconds", `kind="subscriptions"`, `tenant="acme"`); !ok || at < begun {
		t.Errorf("the last complete reading is told to be of %v (there: %v), want one after %v", at, ok, begun)
	}
	if _, ok := after.of("tallyman_module_complete_timestamp_seconds", `tenant="refused"`); ok {
		t.Error("a module that was never read is told to be complete")
	}
	t.Run("dashboard", func(t *testing.T) { checkDashboard(t, after) })
	t.Run("alerts", func(t *testing.T) { checkAlerts(t, after) })
	p.stop(b)

	// Another process, or the same after a restart, tells the same of the modules from its first answer on.
	b, address = p.scraping()
	again := p.scrape(address)
	for _, name := range []string{
		"tallyman_module_complete_timestamp_seconds", "tallyman_module_failures", "tallyman_module_held_changes", "tallyman_module_stopped",
		"tallyman_module_last_run_timestamp_seconds", "tallyman_module_scheduled_timestamp_seconds",
	} {
		if !maps.Equal(after[name], again[name]) || len(again[name]) == 0 {
			t.Errorf("%s: before %v, after a restart %v", name, after[name], again[name])
		}
	}
	p.stop(b)
	for _, never := range []string{secret, p.env["WRONG_SECRET"], "Contoso"} {
		if strings.Contains(p.printed.String(), never) {
			t.Errorf("%q was told", never)
		}
	}
}

func TestServeTellsPrometheusOfCrashes(t *testing.T) {
	t.Parallel()
	p := newBadPlace(t, filepath.Join(binaries, "bad"))
	p.settings = []string{`mode = "panic"`}
	p.configure(append([]string{`schedule { daily_at = "02:15" }`}, badBlocks...)...)
	p.write("tallyman.hcl", p.configuration()+"serve {\n  listen = \"127.0.0.1:0\"\n  retries = 0\n}\n")
	b, address := p.scraping()
	p.scrape(address).wants(t, map[string]float64{`tallyman_plugin_crashes_total tenant="acme" module="rhipe" distributor="rhipe"`: 0})
	p.run(0, "sync", "acme/rhipe", "--queue")
	p.until("the run that crashes", func() bool {
		n, _ := p.scrape(address).of("tallyman_runs_total", `outcome="failed"`)
		return n == 1
	})
	p.scrape(address).wants(t, map[string]float64{`tallyman_plugin_crashes_total tenant="acme" module="rhipe" distributor="rhipe"`: 1})
	p.stop(b)
}

func TestServeTakesSoManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	p := serving(t, 1, impatience)
	b, address := p.scraping()
	ask := func(wait time.Duration) (closes func(), err error) {
		client := &http.Client{Transport: &http.Transport{}, Timeout: wait}
		answer, err := client.Get("http://" + address + "/healthz") //nolint:noctx // the client has a time limit
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
		return client.CloseIdleConnections, err
	}
	http.DefaultClient.CloseIdleConnections()
	var closers []func()
	for range 100 {
		closes, err := ask(10 * time.Second)
		if err != nil {
			break // whoever waited for the host's first look is still connected
		}
		closers = append(closers, closes)
	}
	if _, err := ask(2 * time.Second); err == nil {
		t.Error("one more is answered at once")
	}
	for _, closes := range closers {
		closes()
	}
	if _, err := ask(time.Minute); err != nil {
		t.Errorf("after the others have gone: %v", err)
	}
	p.stop(b)
}

// checkDashboard looks up what the dashboard asks for.
func checkDashboard(t *testing.T, told scraped) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
	}
	text, err := os.ReadFile("../../../configs/grafana/tallyman.json")
	if err == nil {
		err = json.Unmarshal(text, &board)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, panel := range board.Panels {
		if len(panel.Targets) == 0 {
			t.Errorf("%s asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			checkQuery(t, panel.Title, target.Expr, told)
		}
	}
	asked := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, variable := range board.Templating.List {
		if variable.Type != "query" {
			continue
		}
		m := asked.FindStringSubmatch(variable.Definition)
		if m == nil {
			t.Errorf("variable %s: %q", variable.Name, variable.Definition)
			continue
		}
		checkQuery(t, variable.Name, fmt.Sprintf("sum by (%s) (%s)", m[2], m[1]), told)
	}
}

// checkAlerts looks up what the alert rules ask for, and that the worst cannot happen unnoticed.
func checkAlerts(t *testing.T, told scraped) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	text, err := os.ReadFile("../../../configs/prometheus/tallyman-alerts.yml")
	if err == nil {
		err = yaml.Unmarshal(text, &rules)
	}
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			found[rule.Alert] = true
			checkQuery(t, rule.Alert, rule.Expr, told)
			if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s does not say enough: %v %v", rule.Alert, rule.Labels, rule.Annotations)
			}
			for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(fmt.Sprint(rule.Annotations), -1) {
				if !strings.Contains(rule.Expr, m[1]) {
					t.Errorf("%s speaks of label %s, which %s does not give", rule.Alert, m[1], rule.Expr)
				}
			}
		}
	}
	for _, name := range []string{
		"NotServing", "Stuck", "ModuleStale", "ModuleNeverComplete", "ModuleFailing", "ModuleStopped", "ModuleHeldForLong", "PluginCrashed",
	} {
		if !found["Tallyman"+name] {
			t.Errorf("there is no alert Tallyman%s", name)
		}
	}
}

var (
	queryText     = regexp.MustCompile(`"[^"]*"`)
	queryRange    = regexp.MustCompile(`\[[^\]]*\]`)
	querySelector = regexp.MustCompile(`(\w+)\{([^}]*)\}`)
	queryLabels   = regexp.MustCompile(`\b(by|on|without|ignoring)\s*\(([^)]*)\)`)
	queryWord     = regexp.MustCompile(`[A-Za-z_:][\w:]*(\s*\()?`)
	// queryKnown are words of PromQL, as far as they are used.
	queryKnown = []string{"and", "or", "unless", "by", "on", "group_left"}
	queryCalls = []string{
		"absent", "count", "histogram_quantile", "increase", "max", "min", "rate", "sort_desc", "sum", "time", "vector",
	}
	// targetLabels are added by Prometheus.
	targetLabels = []string{"instance", "job"}
)

// checkQuery looks up every metric and every label of a query.
func checkQuery(t *testing.T, where, query string, told scraped) {
	t.Helper()
	if strings.Count(query, "(") != strings.Count(query, ")") || strings.TrimSpace(query) == "" {
		t.Errorf("%s: %q has brackets that do not match", where, query)
	}
	rest := queryRange.ReplaceAllString(queryText.ReplaceAllString(query, ""), "")
	var labels []string
	rest = querySelector.ReplaceAllStringFunc(rest, func(text string) string {
		m := querySelector.FindStringSubmatch(text)
		for matcher := range strings.SplitSeq(m[2], ",") {
			labels = append(labels, strings.Trim(matcher, " =~!"))
		}
		return m[1]
	})
	rest = queryLabels.ReplaceAllStringFunc(rest, func(text string) string {
		for label := range strings.SplitSeq(queryLabels.FindStringSubmatch(text)[2], ",") {
			labels = append(labels, strings.TrimSpace(label))
		}
		return " "
	})
	var series string
	for _, word := range queryWord.FindAllString(rest, -1) {
		if name, call := strings.CutSuffix(word, "("); call {
			if !slices.Contains(append(queryCalls, queryKnown...), strings.TrimSpace(name)) {
				t.Errorf("%s: %q calls %q", where, query, name)
			}
			continue
		}
		if slices.Contains(append(queryCalls, queryKnown...), word) {
			continue
		}
		if told[word] == nil {
			t.Errorf("%s: %q asks for %q, which /metrics does not tell", where, query, word)
		}
		series += strings.Join(slices.Collect(maps.Keys(told[word])), ",") + ","
	}
	if series == "" {
		t.Errorf("%s: %q asks for nothing", where, query)
	}
	for _, label := range labels {
		if !slices.Contains(targetLabels, label) && !strings.Contains(","+series, ","+label+"=") {
			t.Errorf("%s: %q asks for label %q, which is not there", where, query, label)
		}
	}
}

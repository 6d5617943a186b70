// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// scope names what measures, for OpenTelemetry.
const scope = "github.com/tallymanhq/tallyman/host"

// durationBounds are the buckets of runs' durations, in seconds: from an unchanged small tenant to a night's work.
var durationBounds = []float64{1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200}

// firstStatuses are there from the beginning: a distributor that works, and one that wants fewer requests. The others are rare,
// and each costs as many series as there are modules.
var firstStatuses = []string{"200", "429"}

// Sources are where metrics come from beside the runs of this process.
type Sources struct {
	// Version is the program's.
	Version string
	// Standings reads how the modules are doing. It is asked at a scrape, and at most once in ten seconds.
	Standings func(context.Context) ([]Standing, error)
	// Host tells what this process is doing. It must return quickly.
	Host func() Host
	// Log takes what is wrong with measuring.
	Log hclog.Logger
}

// Metrics are what is measured. They are safe for several goroutines.
type Metrics struct {
	sources  Sources
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider
	database *cache
	modules  atomic.Pointer[[]Module]

	runs, records, changes, requests, crashes metric.Int64Counter
	durations                                 metric.Float64Histogram
}

// Words are the words that the labels of counters are made of, so that each of them is there, at zero, before it first happens:
// whoever watches for an increase would otherwise miss the first.
type Words struct {
	Outcomes, Records, Changes []string
}

// NewMetrics begins to measure.
func NewMetrics(sources Sources) (*Metrics, error) {
	m := &Metrics{sources: sources, registry: prometheus.NewRegistry(), database: newCache(sources.Standings)}
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(m.registry), otelprometheus.WithoutScopeInfo(),
		otelprometheus.WithoutTargetInfo(), otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))
	if err != nil {
		return nil, err
	}
	// Labels are bounded by the configuration. The library's limit would put what is beyond two thousand series into one.
	m.provider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithCardinalityLimit(0))
	return m, errors.Join(
		m.registry.Register(collectors.NewGoCollector()),
		m.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		m.counters(), m.gauges())
}

// counters makes what counts the runs of this process.
func (m *Metrics) counters() error {
	meter := m.provider.Meter(scope)
	var errs [6]error
	m.runs, errs[0] = meter.Int64Counter("tallyman.runs", metric.WithDescription("Runs that this process has ended, by outcome."))
	m.records, errs[1] = meter.Int64Counter("tallyman.records.read", metric.WithDescription("Records read from distributors, by kind."))
	m.changes, errs[2] = meter.Int64Counter("tallyman.changes", metric.WithDescription("Changes made, by kind."))
	m.requests, errs[3] = meter.Int64Counter("tallyman.distributor.requests",
		metric.WithDescription("Requests to distributors, as far as their plugins tell, by the HTTP status of the answer; none: there was none, "+
			"untold: the plugin does not say."))
	m.crashes, errs[4] = meter.Int64Counter("tallyman.plugin.crashes",
		metric.WithDescription("Plugin processes that ended when they should not have."))
	m.durations, errs[5] = meter.Float64Histogram("tallyman.run.duration", metric.WithUnit("s"),
		metric.WithDescription("How long runs take from start to report."), metric.WithExplicitBucketBoundaries(durationBounds...))
	return errors.Join(errs[:]...)
}

// Serves tells which modules the configuration runs; others are not told about.
func (m *Metrics) Serves(modules []Module, words Words) {
	modules = slices.Clone(modules)
	m.modules.Store(&modules)
	m.database.forget()
	ctx := context.Background()
	for _, module := range modules {
		is := module.labels()
		for _, outcome := range words.Outcomes {
			m.runs.Add(ctx, 0, is, metric.WithAttributes(attribute.String("outcome", outcome)))
		}
		for _, kind := range words.Records {
			m.records.Add(ctx, 0, is, kindOf(kind))
		}
		for _, kind := range words.Changes {
			m.changes.Add(ctx, 0, is, kindOf(kind))
		}
		for _, status := range firstStatuses {
			m.requests.Add(ctx, 0, is, statusOf(status))
		}
		m.crashes.Add(ctx, 0, is)
	}
}

// Ended counts a run.
func (m *Metrics) Ended(run Run) {
	ctx, is := context.Background(), run.labels()
	outcome := attribute.String("outcome", run.Outcome)
	m.runs.Add(ctx, 1, is, metric.WithAttributes(outcome))
	// By distributor only: a histogram for each of a thousand modules would be tens of thousands of series.
	m.durations.Record(ctx, run.Took.Seconds(), metric.WithAttributes(attribute.String("distributor", run.Distributor), outcome))
	for kind, n := range run.Records {
		m.records.Add(ctx, int64(n), is, kindOf(kind))
	}
	for kind, n := range run.Changes {
		m.changes.Add(ctx, int64(n), is, kindOf(kind))
	}
	untold := run.Requests
	for status, n := range run.Answers {
		text := "none"
		if status != 0 {
			text = strconv.Itoa(status)
		}
		m.requests.Add(ctx, n, is, statusOf(text))
		untold -= n
	}
	if untold > 0 {
		m.requests.Add(ctx, untold, is, statusOf("untold"))
	}
	if run.Crashed {
		m.crashes.Add(ctx, 1, is)
	}
	m.database.forget()
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, Timeout: scrapeLimit, EnableOpenMetrics: true,
		ErrorLog: m.sources.Log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn}),
	})
}

// Close ends the measuring.
func (m *Metrics) Close(ctx context.Context) error { return m.provider.Shutdown(ctx) }

func (m Module) String() string { return m.Tenant + "/" + m.Name }

func (m Module) labels() metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("tenant", m.Tenant), attribute.String("module", m.Name),
		attribute.String("distributor", m.Distributor))
}

func kindOf(kind string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("kind", kind))
}

func statusOf(status string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("status", status))
}

// build are the labels of the program itself.
func (m *Metrics) build() metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("version", m.sources.Version), attribute.String("go_version", runtime.Version()))
}

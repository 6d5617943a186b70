// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/metric"
)

const (
	// scrapeLimit is how long a scrape may take, queryLimit how long the database may take to answer it.
	scrapeLimit = 20 * time.Second
	queryLimit  = 8 * time.Second
)

// gauges makes what is looked up when it is asked for.
func (m *Metrics) gauges() error {
	g := &gauges{Metrics: m, meter: m.provider.Meter(scope)}
	build := g.whole("tallyman.build.info", "Which program this is.")
	looked := g.seconds("tallyman.schedule.looked.timestamp", "When this process last looked what is due; it does so at least once a minute.")
	due := g.whole("tallyman.modules.due", "Modules that are due and wait for their run.")
	oldest := g.seconds("tallyman.modules.due.oldest.age", "How long the module that is due the longest has waited.")
	underWay := g.whole("tallyman.runs.under.way", "Runs that this process makes now.")
	limit := g.whole("tallyman.runs.limit", "Runs that this process makes at once, at most.")
	answers := g.whole("tallyman.database.answers", "Whether the database answers. What is not of this process is only told then.")
	module := g.modules()
	if err := errors.Join(g.errs...); err != nil {
		return err
	}
	_, err := g.meter.RegisterCallback(func(ctx context.Context, to metric.Observer) error {
		now, host := time.Now(), m.sources.Host()
		to.ObserveInt64(build, 1, m.build())
		to.ObserveInt64(due, int64(host.Due))
		age := 0.0
		if host.Due > 0 {
			age = max(now.Sub(host.Oldest).Seconds(), 0)
		}
		to.ObserveFloat64(oldest, age)
		to.ObserveInt64(underWay, int64(host.UnderWay))
		to.ObserveInt64(limit, int64(host.Limit))
		if !host.Looked.IsZero() {
			to.ObserveFloat64(looked, timestamp(host.Looked))
		}
		standings, err := m.database.get(ctx)
		if err != nil {
			m.sources.Log.Warn("the database does not answer, so /metrics lacks what it knows", "error", err)
		}
		to.ObserveInt64(answers, yes(err == nil))
		module.observe(to, host, standings)
		return nil
	}, g.all...)
	return err
}

// gauges makes instruments and remembers them.
type gauges struct {
	*Metrics
	meter metric.Meter
	all   []metric.Observable
	errs  []error
}

func (g *gauges) whole(name, description string) metric.Int64ObservableGauge {
	gauge, err := g.meter.Int64ObservableGauge(name, metric.WithDescription(description))
	g.all, g.errs = append(g.all, gauge), append(g.errs, err)
	return gauge
}

func (g *gauges) seconds(name, description string) metric.Float64ObservableGauge {
	gauge, err := g.meter.Float64ObservableGauge(name, metric.WithDescription(description), metric.WithUnit("s"))
	g.all, g.errs = append(g.all, gauge), append(g.errs, err)
	return gauge
}

// moduleGauges tell how each module is doing.
type moduleGauges struct {
	*Metrics
	complete, staleAfter, lastRun, took, scheduled, next metric.Float64ObservableGauge
	failures, held, stopped, paused                      metric.Int64ObservableGauge
}

func (g *gauges) modules() *moduleGauges {
	return &moduleGauges{
		Metrics: g.Metrics,
		complete: g.seconds("tallyman.module.complete.timestamp",
			"When the last complete reading began, by kind: up to when the picture is known to be right. Absent: there was none."),
		staleAfter: g.seconds("tallyman.module.stale.after",
			"How old the last complete reading may become before the module is stale, as the configuration says. Absent: any age."),
		lastRun:   g.seconds("tallyman.module.last.run.timestamp", "When the newest sync began."),
		took:      g.seconds("tallyman.module.last.run.duration", "How long the newest sync took."),
		scheduled: g.seconds("tallyman.module.scheduled.timestamp", "Since when the module has its schedule. Absent: it has none."),
		next:      g.seconds("tallyman.module.next.run.timestamp", "When the module is due. Absent: never, as things are."),
		failures:  g.whole("tallyman.module.failures", "Syncs in a row that have failed."),
		held:      g.whole("tallyman.module.held.changes", "Changes that wait for a person."),
		stopped:   g.whole("tallyman.module.stopped", "Whether the module is not run any more, since its credentials were refused too often."),
		paused:    g.whole("tallyman.module.paused", "Whether somebody paused the module, so that it is not run by itself."),
	}
}

func (g *moduleGauges) observe(to metric.Observer, host Host, standings []Standing) {
	modules := g.Metrics.modules.Load()
	if modules == nil {
		return
	}
	byName := make(map[string]*Standing, len(standings))
	for i := range standings {
		byName[standings[i].Tenant+"/"+standings[i].Name] = &standings[i]
	}
	for _, module := range *modules {
		name, is := module.String(), module.labels()
		if module.StaleAfter > 0 {
			to.ObserveFloat64(g.staleAfter, module.StaleAfter.Seconds(), is)
		}
		if at := host.Next[name]; !at.IsZero() {
			to.ObserveFloat64(g.next, timestamp(at), is)
		}
		if !host.Looked.IsZero() {
			to.ObserveInt64(g.stopped, yes(host.Stopped[name]), is)
			to.ObserveInt64(g.paused, yes(host.Paused[name]), is)
		}
		s := byName[name]
		if s == nil {
			continue
		}
		for _, kind := range module.Kinds {
			if at := s.Complete[kind]; !at.IsZero() {
				to.ObserveFloat64(g.complete, timestamp(at), is, kindOf(kind))
			}
		}
		if !s.LastRun.IsZero() {
			to.ObserveFloat64(g.lastRun, timestamp(s.LastRun), is)
			to.ObserveFloat64(g.took, s.LastRunTook.Seconds(), is)
		}
		if !s.Scheduled.IsZero() {
			to.ObserveFloat64(g.scheduled, timestamp(s.Scheduled), is)
		}
		to.ObserveInt64(g.failures, int64(s.Failures), is)
		to.ObserveInt64(g.held, int64(s.Held), is)
	}
}

// timestamp gives an instant as Prometheus has it: seconds since 1970.
func timestamp(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

func yes(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

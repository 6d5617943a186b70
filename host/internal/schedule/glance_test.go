// SPDX-License-Identifier: Apache-2.0

package schedule

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAGlanceTellsWhatIsUnderWayAndWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecord()
		refused := func(context.Context) (Outcome, error) { return Refused, errors.New("refused") }
		at := func(hour, minute int) Spec { return Spec{Daily: &Clock{Hour: hour, Minute: minute}, Zone: time.UTC} }
		r.ask(func(o Orders) { o.Paused["acme/paused"] = Pause{Who: "somebody"} })
		paused := map[string]bool{"acme/paused": true}
		l, end := r.up(Plan{
			Orders: r.read, Limit: 1, Drain: time.Hour, Policy: Policy{Wait: time.Hour, Repeats: 1, Refusals: 1},
			Entries: []Entry{
				r.entry(t, "acme/slow", at(1, 0), bubble, takes(2*time.Hour)), r.entry(t, "acme/first", at(1, 10), bubble, takes(time.Minute)),
				r.entry(t, "acme/second", at(1, 20), bubble, takes(time.Minute)), r.entry(t, "acme/refused", at(0, 30), bubble, refused),
				r.entry(t, "acme/paused", at(1, 15), bubble, takes(time.Minute)),
			},
		})
		day := func(n, hour, minute int) time.Time {
			return bubble.AddDate(0, 0, n).Add(time.Duration(60*hour+minute) * time.Minute)
		}
		for _, step := range []struct {
			name         string
			hour, minute int
			want         Glance
		}{
			{"nothing is due", 0, 10, Glance{Next: map[string]time.Time{
				"acme/refused": day(0, 0, 30), "acme/slow": day(0, 1, 0), "acme/first": day(0, 1, 10), "acme/second": day(0, 1, 20),
			}, Stopped: map[string]bool{}, Paused: paused}},
			{"one is under way and two wait", 1, 30, Glance{Running: 1, Due: 2, Oldest: day(0, 1, 10), Next: map[string]time.Time{
				"acme/slow": day(0, 1, 0), "acme/first": day(0, 1, 10), "acme/second": day(0, 1, 20),
			}, Stopped: map[string]bool{"acme/refused": true}, Paused: paused}},
			{"all are done", 4, 0, Glance{Next: map[string]time.Time{
				"acme/slow": day(1, 1, 0), "acme/first": day(1, 1, 10), "acme/second": day(1, 1, 20),
			}, Stopped: map[string]bool{"acme/refused": true}, Paused: paused}},
		} {
			until(1, step.hour, step.minute)
			got := l.Glance()
			if old := time.Since(got.Looked); old < 0 || old > freshFor {
				t.Errorf("%s: it was looked %s ago", step.name, old)
			}
			step.want.Looked, step.want.Limit = got.Looked, 1
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
		}
		end()
	})
}

// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

var begin = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)

// history plays what happens to a module, and keeps its incidents as the database would.
type history struct {
	t    *testing.T
	open []store.Incident
	run  int64
}

// at looks at the module some hours after the beginning and gives the kinds of messages that are sent, with a + where it
// is told again.
func (h *history) at(hours int, f Facts, muted bool) string {
	h.t.Helper()
	now := begin.Add(time.Duration(hours) * time.Hour)
	f.Tenant, f.Module = "acme", "rhipe"
	if f.RightAt.IsZero() {
		f.RightAt = now
	}
	var told []string
	for _, d := range Decide(&f, h.open, Policy{Now: now, RemindAfter: 24 * time.Hour, Muted: muted, Zone: time.UTC}) {
		for _, incident := range d.Incidents {
			switch d.Action {
			case store.StepOpen:
				incident.ID = int64(len(h.open) + 1000*hours + 1)
				h.open = append(h.open, incident)
			default:
				for i := range h.open {
					if h.open[i].ID != incident.ID {
						continue
					}
					if d.Action == store.StepTell {
						at := d.At
						h.open[i].ToldAt = &at
					} else {
						h.open = append(h.open[:i:i], h.open[i+1:]...)
					}
					break
				}
			}
		}
		if d.Message != nil {
			text := string(d.Message.Kind)
			if strings.HasPrefix(d.Message.Subject, "still: ") {
				text += "+"
			}
			told = append(told, text)
		}
	}
	return strings.Join(told, " ")
}

// ended gives facts of a run that ended so. An outcome may have what it says after a colon: an error's code, guards or
// warnings, separated by |.
func (h *history) ended(outcome string) Facts {
	h.run++
	outcome, says, _ := strings.Cut(outcome, ":")
	f := Facts{Last: &store.Run{ID: h.run, Outcome: outcome}}
	switch integrator.Outcome(outcome) {
	case integrator.Failed:
		f.Last.ErrorCode, f.Last.Error = says, "it did not work"
		f.Failing = &store.Failing{Since: begin, Runs: 1, Last: *f.Last}
	case integrator.Held:
		f.Held, f.Report.Guards = 3, map[string]string{}
		for guard := range strings.SplitSeq(says, "|") {
			f.Report.Guards[guard] = "too many: " + guard
		}
	case integrator.Warning:
		f.Report.Warnings = strings.Split(says, "|")
	}
	return f
}

func TestOneMessageForEachIncident(t *testing.T) {
	t.Parallel()
	type event struct {
		hours   int
		outcome string
		muted   bool
		change  func(*Facts)
		want    string
	}
	stopped := func(f *Facts) { f.MaxRefused, f.Refused = 3, 3 }
	right := func(hours int) func(*Facts) {
		return func(f *Facts) {
			f.StaleAfter, f.RightAt = 36*time.Hour, begin.Add(time.Duration(hours)*time.Hour)
		}
	}
	expires := func(days int) func(*Facts) {
		return func(f *Facts) { f.Expires = begin.Truncate(24*time.Hour).AddDate(0, 0, days) }
	}
	holds := func(n int) func(*Facts) { return func(f *Facts) { f.Held = n } }
	for name, events := range map[string][]event{
		"all is well": {{0, "succeeded", false, nil, ""}, {1, "no_change", false, nil, ""}},
		"failing is told once, again after a day, and when it is over": {
			{0, "failed:a", false, nil, "failed"},
			{1, "failed:a", false, nil, ""},
			{23, "failed:a", false, nil, ""},
			{24, "failed:a", false, nil, "failed+"},
			{25, "failed:a", false, nil, ""},
			{48, "failed:a", false, nil, "failed+"},
			{49, "succeeded", false, nil, "recovered"},
			{50, "succeeded", false, nil, ""},
			{51, "failed:a", false, nil, "failed"},
		},
		"another cause is another incident, and going to and fro is none": {
			{0, "failed:a", false, nil, "failed"},
			{1, "failed:b", false, nil, "failed"},
			{2, "failed:a", false, nil, ""},
			{3, "failed:b", false, nil, ""},
			{4, "no_change", false, nil, "recovered"},
		},
		"held": {
			{0, "held:deactivations", false, nil, "held"},
			{1, "held:deactivations", false, nil, ""},
			{2, "failed:a", false, holds(3), "failed"},
			{3, "held:deactivations", false, nil, "recovered"},
			{4, "held:deactivations|quantity", false, nil, "held"},
			{5, "succeeded", false, nil, "recovered"},
		},
		"warnings are told once, however they count, and a failed run says nothing about them": {
			{0, `warning:customer "A" was listed 2 times`, false, nil, "warning"},
			{1, `warning:customer "B" was listed 3 times`, false, nil, ""},
			{48, `warning:customer "B" was listed 3 times`, false, nil, ""},
			{49, "failed:a", false, nil, "failed"},
			{50, `warning:customer "A" was listed 2 times`, false, nil, "recovered"},
			{51, `warning:something else`, false, nil, "warning"},
			{52, "succeeded", false, nil, "recovered"},
		},
		"stale and failing are over together": {
			{0, "failed:a", false, right(0), "failed"}, {37, "failed:a", false, right(0), "failed+ stale"}, {38, "succeeded", false, right(38), "recovered"},
		},
		"stale without any run": {{36, "", false, right(0), ""}, {37, "", false, right(0), "stale"}, {38, "", false, right(0), ""}, {61, "", false, right(0), "stale+"}},
		"paused": {
			{37, "succeeded", false, func(f *Facts) { right(0)(f); f.Paused = true }, ""},
			{38, "succeeded", false, right(0), "stale"},
			{39, "succeeded", false, func(f *Facts) { right(0)(f); f.Paused = true }, ""},
			{90, "succeeded", false, right(90), "recovered"},
		},
		"refused until it is stopped":      {{0, "failed:distributor.auth", false, nil, "failed"}, {1, "failed:distributor.auth", false, stopped, "stopped"}, {2, "succeeded", false, nil, "recovered"}},
		"muted":                            {{0, "failed:a", true, nil, ""}, {1, "failed:a", true, nil, ""}, {2, "succeeded", true, nil, ""}, {3, "succeeded", false, nil, ""}},
		"muted, and going on after that":   {{0, "failed:a", true, nil, ""}, {2, "failed:a", false, nil, "failed"}, {3, "failed:a", false, nil, ""}, {4, "succeeded", false, nil, "recovered"}},
		"over while muted, before it told": {{0, "failed:a", true, nil, ""}, {1, "succeeded", false, nil, ""}},
		"credentials end": {
			{0, "succeeded", false, expires(32), ""},
			{48, "succeeded", false, expires(32), "expiring"},
			{96, "succeeded", false, expires(32), ""},
			{25 * 24, "succeeded", false, expires(32), "expiring"},
			{27 * 24, "succeeded", false, expires(32), ""},
			{31 * 24, "succeeded", false, expires(32), "expiring"},
			{32 * 24, "succeeded", false, expires(32), "expiring"},
			{33 * 24, "succeeded", false, expires(32), "expiring+"},
			{33*24 + 1, "succeeded", false, expires(400), "recovered"},
			{34 * 24, "succeeded", false, expires(400), ""},
		},
		"without any run": {{0, "", false, nil, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &history{t: t}
			for i, e := range events {
				var f Facts
				if e.outcome != "" {
					f = h.ended(e.outcome)
				}
				if e.change != nil {
					e.change(&f)
				}
				if got := h.at(e.hours, f, e.muted); got != e.want {
					t.Errorf("event %d, after %d hours %s: told is %q, want %q", i, e.hours, e.outcome, got, e.want)
				}
			}
			if last := events[len(events)-1].outcome; (last == "succeeded" || last == "no_change") && len(h.open) > 0 {
				t.Errorf("left open are %+v", h.open)
			}
		})
	}
}

func TestAMessageSaysWhatHappenedAndWhatToDo(t *testing.T) {
	t.Parallel()
	h := &history{t: t}
	f := h.ended("held:deactivations")
	f.Tenant, f.Module, f.RightAt = "acme", "rhipe", begin
	f.Report.Guards["deactivations"] = "12 of 20 subscriptions of \"Contoso\x1b[31m\u202e\nPty\" would be deactivated" + strings.Repeat("x", 1000)
	for i := range 30 {
		f.Report.Guards[fmt.Sprintf("guard %02d", i)] = "too many"
	}
	m := Decide(&f, nil, Policy{Now: begin})[0].Message
	text := m.Text()
	for _, want := range []string{
		"acme/rhipe holds 3 changes until you decide", `- deactivations: 12 of 20 subscriptions of "Contoso [31m Pty" would`,
		"- and 21 more", "tallyman runs show 1\n", "tallyman approve 1", "tallyman reject 1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	if m.Run != 1 || m.Severity != Warn || m.Subject != "acme/rhipe holds 3 changes until you decide" {
		t.Errorf("the message is %+v", m)
	}
	if n := len([]rune(text)); n > 1500 {
		t.Errorf("the text has %d characters", n)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	routes := []Route{
		{Channels: []string{"ops", "chat"}, Severity: Warn},
		{Channels: []string{"boss"}, Severity: Severe, Tenants: []string{"acme"}},
		{Channels: []string{"books", "ops"}, Severity: Info, Kinds: []Kind{Held, Digest}, Tenants: []string{"beta"}},
	}
	for _, test := range []struct {
		kind     Kind
		severity Severity
		tenant   string
		want     string
	}{
		{Failed, Severe, "acme", "[boss chat ops]"},
		{Failed, Severe, "beta", "[chat ops]"},
		{Held, Warn, "beta", "[books chat ops]"},
		{Held, Warn, "acme", "[chat ops]"},
		{Recovered, Info, "acme", "[]"},
		{Recovered, Severe, "acme", "[boss chat ops]"},
	} {
		if got := fmt.Sprint(channelsFor(routes, &Message{Kind: test.kind, Severity: test.severity, Tenant: test.tenant})); got != test.want {
			t.Errorf("%+v goes to %s", test, got)
		}
	}
	for name, want := range map[string]bool{"ops acme": true, "books acme": false, "books beta": true, "boss acme": true, "boss beta": false} {
		channel, tenant, _ := strings.Cut(name, " ")
		if got := digestOf(routes, channel, tenant); got != want {
			t.Errorf("%s is part of the digest of %s: %v", tenant, channel, got)
		}
	}
}

func TestTheDigestIsDueOnceADayAtItsTimeOnTheWall(t *testing.T) {
	t.Parallel()
	sydney, err := time.LoadLocation("Australia/Sydney")
	if err != nil {
		t.Fatal(err)
	}
	d := &DigestTime{8, 0}
	days := map[string]time.Time{}
	// A year, both changes of the clock included.
	for now := begin; now.Before(begin.AddDate(1, 0, 0)); now = now.Add(10 * time.Minute) {
		if day, due := d.due(now, sydney); due && days[day].IsZero() {
			days[day] = now
		}
	}
	if len(days) != 366 {
		t.Errorf("%d digests in a year", len(days))
	}
	for day, at := range days {
		if wall := at.In(sydney).Format("2006-01-02 15:04"); wall != day+" 08:00" && at != begin {
			t.Errorf("the digest of %s is due at %s", day, wall)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/store"
)

// clock gives a time as messages tell it.
func clock(t time.Time, p Policy) string {
	return t.In(cmp.Or(p.Zone, time.UTC)).Format("2006-01-02 15:04 MST")
}

// plural counts things in words.
func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func (f *Facts) failed(p Policy) Message {
	why := cmp.Or(f.Last.Error, "no reason was recorded")
	if f.Last.ErrorCode != "" && f.Last.ErrorCode != "run.failed" {
		why = f.Last.ErrorCode + ": " + why
	}
	what := fmt.Sprintf("%s failed in run %d: %s", f, f.Last.ID, why)
	var details []string
	if f.Failing != nil && f.Failing.Runs > 1 {
		details = append(details, fmt.Sprintf("It has been failing since %s, in %s.", clock(f.Failing.Since, p), plural(f.Failing.Runs, "run")))
	}
	if !f.Never {
		details = append(details, "Its picture is right as of "+clock(f.RightAt, p)+"; nothing is changed on a reading that failed.")
	}
	return Message{
		Subject: fmt.Sprintf("%s failed: %s", f, why), What: what, Details: details,
		Next: []string{fmt.Sprintf("tallyman runs show %d", f.Last.ID), "tallyman test " + f.String(), "tallyman sync " + f.String()},
	}
}

func (f *Facts) stopped() Message {
	return Message{
		Subject: f.String() + " is stopped: the distributor refuses the credentials",
		What: fmt.Sprintf("The distributor refused the credentials of %s in %s in a row. It is not run any more, lest the account be locked.",
			f, plural(f.Refused, "run")),
		Next: []string{
			"Get credentials that work and put them where the module's settings take them from.",
			"tallyman test " + f.String(), "tallyman sync " + f.String() + "   (once it gets through, the schedule goes on)",
		},
	}
}

func (f *Facts) held() Message {
	m := Message{
		Subject: fmt.Sprintf("%s holds %s until you decide", f, plural(f.Held, "change")),
		What:    fmt.Sprintf("%s holds %s until you decide; everything else was applied.", f, plural(f.Held, "change")),
		Next:    []string{"tallyman runs list " + f.String() + " --waiting"},
	}
	for _, guard := range slices.Sorted(maps.Keys(f.Report.Guards)) {
		m.Details = append(m.Details, guard+": "+f.Report.Guards[guard])
	}
	if len(f.Report.Guards) > 0 {
		m.Next = []string{
			"tallyman runs list " + f.String() + " --waiting   (the newest run is the one to decide)",
			fmt.Sprintf("tallyman runs show %d", f.Last.ID),
			fmt.Sprintf("tallyman approve %d   (applies what is still true)", f.Last.ID),
			fmt.Sprintf("tallyman reject %d    (drops it)", f.Last.ID),
		}
	}
	return m
}

func (f *Facts) warned() Message {
	n := len(f.Report.Warnings) + f.Report.WarningsLeft
	what := fmt.Sprintf("Run %d of %s got through with %s.", f.Last.ID, f, plural(n, "warning"))
	details := slices.Clone(f.Report.Warnings)
	if left := f.Report.WarningsLeft; left > 0 {
		details = append(details, fmt.Sprintf("%d more are not kept", left))
	}
	return Message{
		Subject: fmt.Sprintf("%s has %s", f, plural(n, "warning")), What: what, Details: details,
		Next: []string{fmt.Sprintf("tallyman runs show %d", f.Last.ID)},
	}
}

func (f *Facts) stale(p Policy) Message {
	since := "since " + clock(f.RightAt, p)
	if f.Never {
		since = "so far; it is known since " + clock(f.RightAt, p)
	}
	return Message{
		Subject: f.String() + " is stale",
		What: fmt.Sprintf("%s had no trustworthy run %s, longer than %s. What customers hold and are charged may have changed meanwhile.",
			f, since, hours(f.StaleAfter)),
		Next: []string{"tallyman status " + f.String(), "tallyman sync " + f.String()},
	}
}

// hours gives a duration in hours, or minutes.
func hours(d time.Duration) string {
	if d%time.Hour == 0 {
		return plural(int(d/time.Hour), "hour")
	}
	return plural(int(d/time.Minute), "minute")
}

func (f *Facts) expiring(days int) Message {
	at := f.Expires.Format(time.DateOnly)
	when := "in " + plural(days, "day")
	if days <= 0 {
		when = "now"
	}
	what := fmt.Sprintf("The credentials of %s stop working %s, on %s; then its syncs fail.", f, when, at)
	if days <= 0 {
		what = fmt.Sprintf("The credentials of %s stopped working on %s, as its setting credentials_expire says.", f, at)
	}
	return Message{
		Subject: fmt.Sprintf("the credentials of %s stop working %s", f, when), What: what,
		Next: []string{
			"Make new credentials at the distributor and put them where the module's settings take them from.",
			"tallyman test " + f.String(), "Write the new day into credentials_expire in the module's block notifications.",
		},
	}
}

// recovered closes incidents and says so, if somebody was told of them.
func (f *Facts) recovered(over []store.Incident, p Policy) Decision {
	d := Decision{Action: store.StepClose, Incidents: over}
	m := Message{Kind: Recovered, Severity: Info, Tenant: f.Tenant, Module: f.Module, At: p.Now}
	if f.Last != nil {
		m.Run = f.Last.ID
	}
	var kinds []string
	told := false
	for _, incident := range over {
		if incident.ToldAt == nil {
			continue
		}
		told = true
		if severity := Severity(incident.Severity); severity.AtLeast(m.Severity) {
			m.Severity = severity
		}
		if !slices.Contains(kinds, incident.Kind) {
			kinds = append(kinds, incident.Kind)
		}
		m.Details = append(m.Details, fmt.Sprintf("%s since %s: %s", incident.Kind, clock(incident.OpenedAt, p), incident.Summary))
	}
	if !told {
		return d
	}
	m.Subject = fmt.Sprintf("%s recovered: no longer %s", f, strings.Join(kinds, ", "))
	m.What = fmt.Sprintf("This is over with %s:", f)
	m.Next = []string{"Nothing. See \"tallyman status " + f.String() + "\"."}
	d.Message = m.tidy()
	return d
}

// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// Policy says when something is told again, and how times are shown.
type Policy struct {
	Now time.Time
	// RemindAfter is after how long it is told again that something is not as it should be.
	RemindAfter time.Duration
	// Muted: nobody is told, but incidents are kept.
	Muted bool
	// Zone is the one in which times are shown.
	Zone *time.Location
}

// Decision is what becomes of incidents, and what is told about it; nothing if Message is nil.
type Decision struct {
	Action    store.StepAction
	Incidents []store.Incident
	Message   *Message
	// At is when somebody is told, for store.StepTell.
	At time.Time
}

// finding is something that is not as it should be with a module now.
type finding struct {
	kind  Kind
	cause string
	// severity is that of the kind unless it says something else.
	severity Severity
	message  *Message
	// once: it is not told again as long as it lasts.
	once bool
}

// Decide compares what is known of a module with its incidents that are open.
func Decide(f *Facts, open []store.Incident, p Policy) []Decision {
	findings := f.findings(p)
	for i := range findings {
		// A later run that says nothing about what is held does not make another incident of it.
		found := &findings[i]
		if last := lastOf(open, found.kind); found.kind == Held && found.cause == "" && last != nil {
			found.cause = last.Cause
		}
	}
	var decisions []Decision
	for _, found := range findings {
		at := slices.IndexFunc(open, func(i store.Incident) bool { return i.Kind == string(found.kind) && i.Cause == found.cause })
		if at < 0 {
			decisions = append(decisions, found.open(f, p))
		} else if decision, ok := found.again(open[at], p); ok {
			decisions = append(decisions, decision)
		}
	}
	var over, replaced []store.Incident
	for _, incident := range open {
		switch f.fate(incident, findings) {
		case isOver:
			// Whoever was told that it began is told that it is over once the mute is.
			if !p.Muted || incident.ToldAt == nil {
				over = append(over, incident)
			}
		case isReplaced:
			replaced = append(replaced, incident)
		}
	}
	if len(replaced) > 0 {
		decisions = append(decisions, Decision{Action: store.StepClose, Incidents: replaced})
	}
	if len(over) > 0 {
		decisions = append(decisions, f.recovered(over, p))
	}
	return decisions
}

// lastOf gives the newest open incident of a kind, or nil.
func lastOf(open []store.Incident, kind Kind) *store.Incident {
	for i := len(open) - 1; i >= 0; i-- {
		if open[i].Kind == string(kind) {
			return &open[i]
		}
	}
	return nil
}

// open makes a new incident.
func (found finding) open(f *Facts, p Policy) Decision {
	incident := store.Incident{
		TenantID: f.TenantID, ModuleID: f.ModuleID, Kind: string(found.kind), Cause: found.cause, Severity: string(found.severity),
		Summary: found.message.What, OpenedAt: p.Now,
	}
	if found.message.Run != 0 {
		incident.RunID = &found.message.Run
	}
	d := Decision{Action: store.StepOpen}
	if !p.Muted {
		incident.ToldAt, d.Message = &p.Now, found.message
	}
	d.Incidents = []store.Incident{incident}
	return d
}

// again tells of an incident that goes on, if nobody was told yet or it is time to say so again.
func (found finding) again(incident store.Incident, p Policy) (Decision, bool) {
	message := *found.message
	switch {
	case p.Muted:
		return Decision{}, false
	case incident.ToldAt == nil:
	case found.once || p.Now.Sub(*incident.ToldAt) < p.RemindAfter:
		return Decision{}, false
	default:
		message.Subject = line("still: "+message.Subject, longestSubject)
		message.What = line(message.What+" You were told first at "+clock(incident.OpenedAt, p)+".", 2*longestLine)
	}
	incident.Summary = found.message.What
	return Decision{store.StepTell, []store.Incident{incident}, &message, p.Now}, true
}

// fate is what becomes of an open incident.
type fate int

const (
	goesOn fate = iota
	isOver
	// isReplaced: a new one says the same more urgently.
	isReplaced
)

// fate says what becomes of an open incident. One that is not found any more goes on as long as what there is says nothing
// about it: a run that failed otherwise than the one before does not end the first failure.
func (f *Facts) fate(incident store.Incident, findings []finding) fate {
	for _, found := range findings {
		if string(found.kind) != incident.Kind {
			continue
		}
		if found.kind == Expiring && found.cause != incident.Cause {
			if day, _, _ := strings.Cut(found.cause, " "); strings.HasPrefix(incident.Cause, day+" ") {
				return isReplaced
			}
			return isOver
		}
		return goesOn
	}
	failed := f.Last == nil || f.Last.Outcome == string(integrator.Failed)
	switch kind := Kind(incident.Kind); {
	case kind == Warning && failed, kind == Stale && f.Paused:
		return goesOn
	}
	return isOver
}

// findings gives what is not as it should be.
func (f *Facts) findings(p Policy) []finding {
	var list []finding
	add := func(kind Kind, cause string, once bool, m Message) *finding {
		found := finding{kind: kind, cause: cause, severity: kind.severity(), once: once}
		if f.Last != nil && kind != Expiring {
			m.Run = f.Last.ID
		}
		m.Kind, m.Severity, m.Tenant, m.Module, m.At = kind, found.severity, f.Tenant, f.Module, p.Now
		found.message = m.tidy()
		list = append(list, found)
		return &list[len(list)-1]
	}
	last := f.Last
	if last != nil && last.Outcome == string(integrator.Failed) {
		add(Failed, last.ErrorCode, false, f.failed(p))
	}
	if f.MaxRefused > 0 && f.Refused >= f.MaxRefused {
		add(Stopped, "", false, f.stopped())
	}
	if f.Held > 0 {
		cause := ""
		if last != nil && last.Outcome == string(integrator.Held) {
			cause = strings.Join(slices.Sorted(maps.Keys(f.Report.Guards)), " ")
		}
		add(Held, cause, false, f.held())
	}
	if last != nil && last.Outcome != string(integrator.Failed) && (last.Outcome == string(integrator.Warning) || len(f.Report.Warnings) > 0) {
		add(Warning, fingerprint(f.Report.Warnings), true, f.warned())
	}
	if f.StaleAfter > 0 && !f.Paused && p.Now.Sub(f.RightAt) > f.StaleAfter {
		add(Stale, "", false, f.stale(p))
	}
	if stage, days := f.expiry(p.Now); stage >= 0 {
		found := add(Expiring, fmt.Sprintf("%s %d", f.Expires.Format(time.DateOnly), stage), stage > 1, f.expiring(days))
		if stage <= 1 {
			found.severity, found.message.Severity = Severe, Severe
		}
	}
	return list
}

// stages are how many days before the credentials end it is told.
var stages = []int{0, 1, 7, 30}

// expiry gives which stage it is, and how many days are left, begun ones too; -1: none yet.
func (f *Facts) expiry(now time.Time) (stage, days int) {
	if f.Expires.IsZero() {
		return -1, 0
	}
	days = int(math.Ceil(f.Expires.Sub(now).Hours() / 24))
	for _, stage := range stages {
		if days <= stage {
			return stage, days
		}
	}
	return -1, days
}

var (
	quoted  = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	numbers = regexp.MustCompile(`[0-9]+`)
)

// fingerprint gives the same for warnings that say the same of other customers and numbers.
func fingerprint(warnings []string) string {
	kinds := make([]string, len(warnings))
	for i, text := range warnings {
		kinds[i] = numbers.ReplaceAllString(quoted.ReplaceAllString(text, `""`), "0")
	}
	slices.Sort(kinds)
	hash := fnv.New64a()
	for _, text := range slices.Compact(kinds) {
		_, _ = hash.Write([]byte(text + "\n"))
	}
	return fmt.Sprintf("%016x", hash.Sum64())
}

// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"cmp"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func kinds(changes []Change) []Kind {
	var list []Kind
	for _, c := range changes {
		list = append(list, c.Kind)
	}
	return list
}

// TestRulesForWhatIsListed is the table of what a listed subscription leads to.
func TestRulesForWhatIsListed(t *testing.T) {
	t.Parallel()
	active := Fields{Name: "Premium", Quantity: "5", State: StateActive, PartnerCost: "27.36", Currency: "AUD"}
	with := func(edit func(*Fields)) Observed {
		f := active
		edit(&f)
		return Observed{Fields: f}
	}
	cancelled := active
	cancelled.State, cancelled.Status = StateCancelled, "Cancelled"
	on := Policy{DeactivateMissing: true, MissingRuns: 1}
	for name, c := range map[string]struct {
		current  *Current
		told     Observed
		customer int64
		complete bool
		policy   Policy
		kinds    []Kind
		active   bool
		pending  bool
	}{
		"new":                    {nil, with(func(*Fields) {}), 1, true, on, []Kind{Create}, true, false},
		"new and ended":          {nil, with(func(f *Fields) { f.State = StateCancelled }), 1, true, on, []Kind{Create}, false, false},
		"the same":               {&Current{true, 1, active}, with(func(*Fields) {}), 1, true, on, nil, true, false},
		"quantity":               {&Current{true, 1, active}, with(func(f *Fields) { f.Quantity = "7" }), 1, false, on, []Kind{Update}, true, false},
		"moved":                  {&Current{true, 1, active}, with(func(*Fields) {}), 2, true, on, []Kind{Move}, true, false},
		"price not told":         {&Current{true, 1, active}, with(func(f *Fields) { f.PartnerCost, f.Currency = "", "" }), 1, true, on, nil, true, false},
		"suspended stays active": {&Current{true, 1, active}, with(func(f *Fields) { f.State = StateSuspended }), 1, true, on, []Kind{Update}, true, false},
		"unknown is no end":      {&Current{true, 1, active}, with(func(f *Fields) { f.State, f.Status = StateUnknown, "Odd" }), 1, true, on, []Kind{Update}, true, false},
		"state not told":         {&Current{true, 1, active}, with(func(f *Fields) { f.State = StateUnknown }), 1, true, on, nil, true, false},
		"unknown is no return":   {&Current{false, 1, cancelled}, with(func(f *Fields) { f.State, f.Status = StateUnknown, "4" }), 1, true, on, []Kind{Update}, false, false},
		"ended, then not told":   {&Current{false, 1, cancelled}, with(func(f *Fields) { f.State = StateUnknown }), 1, true, on, nil, false, false},
		"a state was never told": {&Current{false, 1, Fields{Name: "Premium", State: StateUnknown}}, Observed{Fields: Fields{State: StateUnknown}}, 1, true, on, []Kind{Reactivate}, true, false},
		"pending, then unclear":  {&Current{true, 1, cancelled}, with(func(f *Fields) { f.State = StateUnknown }), 1, true, on, nil, true, false},
		"ended, complete":        {&Current{true, 1, active}, with(func(f *Fields) { f.State = StateExpired }), 1, true, on, []Kind{Update, Deactivate}, false, false},
		"ended, incomplete":      {&Current{true, 1, active}, with(func(f *Fields) { f.State = StateExpired }), 1, false, on, []Kind{Update}, true, true},
		"ended, not allowed":     {&Current{true, 1, active}, with(func(f *Fields) { f.State = StateExpired }), 1, true, Policy{}, []Kind{Update}, true, true},
		"back again":             {&Current{false, 1, active}, with(func(*Fields) {}), 1, false, Policy{}, []Kind{Reactivate}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := Seen(c.current, c.told, c.customer, c.complete, c.policy)
			if diff := gocmp.Diff(c.kinds, kinds(d.Changes)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if d.Active != c.active || d.EndPending != c.pending {
				t.Errorf("active %v, end pending %v; want %v, %v", d.Active, d.EndPending, c.active, c.pending)
			}
		})
	}
}

func TestMeteredUseHasNoQuantity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ known, told, want Fields }{
		"metered":                     {Fields{Quantity: "1"}, Fields{Quantity: "9", Charge: ChargeUsage}, Fields{Charge: ChargeUsage}},
		"known to be, not told again": {Fields{Charge: ChargeUsage}, Fields{Quantity: "9"}, Fields{Charge: ChargeUsage}},
		"no longer metered":           {Fields{Charge: ChargeUsage}, Fields{Quantity: "9", Charge: "recurring"}, Fields{Quantity: "9", Charge: "recurring"}},
	} {
		if d := Seen(&Current{true, 1, c.known}, Observed{Fields: c.told}, 1, true, Policy{}); d.Fields != c.want {
			t.Errorf("%s: %+v, want %+v", name, d.Fields, c.want)
		}
	}
}

// TestRulesForWhatIsMissing is the table of what absence from a complete scope leads to.
func TestRulesForWhatIsMissing(t *testing.T) {
	t.Parallel()
	here := &Current{Active: true, Customer: 1}
	for name, c := range map[string]struct {
		current                            *Current
		before                             int
		removed                            bool
		policy                             Policy
		missing                            int
		deactivates, gone, remainsCharging bool
	}{
		"at once by default":        {here, 0, false, Policy{true, 1}, 1, true, true, false},
		"a zero policy means once":  {here, 0, false, Policy{true, 0}, 1, true, true, false},
		"first of two":              {here, 0, false, Policy{true, 2}, 1, false, false, false},
		"second of two":             {here, 1, false, Policy{true, 2}, 2, true, true, false},
		"said in as many words":     {here, 0, true, Policy{true, 3}, 3, true, true, false},
		"switched off":              {here, 0, false, Policy{false, 1}, 1, false, false, true},
		"switched off, again":       {here, 1, false, Policy{false, 1}, 1, false, false, true},
		"inactive already":          {&Current{Customer: 1}, 0, false, Policy{true, 1}, 1, false, true, false},
		"waiting for its mapping":   {nil, 0, false, Policy{true, 1}, 1, false, true, false},
		"waiting, not long missing": {nil, 0, false, Policy{true, 2}, 1, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := Missing(c.current, c.before, c.removed, "the account", c.policy)
			if a.Missing != c.missing || (a.Change != nil) != c.deactivates || a.Gone != c.gone || a.LeftActive != c.remainsCharging {
				t.Errorf("got %+v (change %v)", a, a.Change)
			}
		})
	}
}

// TestGuards is the table of what each guard holds, at its edges.
func TestGuards(t *testing.T) {
	t.Parallel()
	l := DefaultLimits()
	for _, c := range []struct {
		n, active int
		held      bool
	}{{5, 6, false}, {6, 6, true}, {6, 29, true}, {6, 30, false}, {20, 100, false}, {21, 100, true}} {
		if _, held := l.HoldDeactivations(c.n, c.active); held != c.held {
			t.Errorf("%d deactivations of %d: held %v", c.n, c.active, held)
		}
	}
	for _, c := range []struct {
		n, mapped   int
		first, held bool
	}{{25, 0, false, false}, {26, 0, false, true}, {26, 0, true, false}, {50, 100, false, false}, {51, 100, false, true}} {
		if _, held := l.HoldCreations(c.n, c.mapped, c.first); held != c.held {
			t.Errorf("%d creations beside %d, first %v: held %v", c.n, c.mapped, c.first, held)
		}
	}
	for _, c := range []struct {
		before, after string
		held          bool
	}{
		{"5", "50", false},
		{"5", "56", true},
		{"6", "60", false},
		{"6", "61", true},
		{"600", "5", true},
		{"0", "50", false},
		{"0", "51", true},
		{"", "5000", false},
		{"5", "", false},
		{"1000", "1100", false},
		{"0.5", "51", true},
	} {
		if _, held := l.HoldQuantity(c.before, c.after); held != c.held {
			t.Errorf("quantity %q to %q: held %v", c.before, c.after, held)
		}
	}
	if _, held := l.HoldEmpty(40, 0, "subscriptions"); !held {
		t.Error("an empty listing where there were 40 was believed")
	}
	if _, held := l.HoldEmpty(0, 0, "subscriptions"); held {
		t.Error("an empty listing of an empty account was held")
	}
	l.Overridden = map[string]bool{GuardDeactivations: true, GuardCreations: true, GuardQuantity: true, GuardEmptyListing: true}
	_, a := l.HoldDeactivations(99, 100)
	_, b := l.HoldCreations(99, 0, false)
	_, c := l.HoldQuantity("1", "9999")
	_, d := l.HoldEmpty(40, 0, "subscriptions")
	if a || b || c || d {
		t.Error("an overridden guard held")
	}
}

// TestRemember: what is not told is what was told before, but for the state, whose end must be told again.
func TestRemember(t *testing.T) {
	t.Parallel()
	before := Fields{Name: "Premium", Quantity: "5", State: StateCancelled, Status: "Cancelled", PartnerCost: "27.36", Currency: "AUD"}
	for name, c := range map[string]struct{ before, told, want string }{
		"seats":                   {"recurring", "recurring", "5"},
		"charge not told":         {"recurring", "", "5"},
		"metered":                 {ChargeUsage, ChargeUsage, ""},
		"metered, not told again": {ChargeUsage, "", ""},
		"was metered":             {ChargeUsage, "recurring", ""},
		"became metered":          {"recurring", ChargeUsage, ""},
	} {
		before.Charge = c.before
		got := Observed{Ref: "u1", Fields: Fields{Name: "Basic", State: StateUnknown, Charge: c.told}}.Remember(before)
		want := Observed{Ref: "u1", Fields: Fields{
			Name: "Basic", State: StateUnknown, Quantity: c.want, PartnerCost: "27.36", Currency: "AUD", Charge: cmp.Or(c.told, c.before),
		}}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

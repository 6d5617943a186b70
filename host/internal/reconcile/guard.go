// SPDX-License-Identifier: Apache-2.0

package reconcile

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// The names of the guards, as they are stored and as a person names them to override one.
const (
	GuardDeactivations = "deactivations"
	GuardEmptyListing  = "empty-listing"
	GuardCreations     = "creations"
	GuardQuantity      = "quantity"
	// GuardUnmatched holds the creation of customers where the operator chose to approve each.
	GuardUnmatched = "unmatched"
)

// GuardNames are all guards a person can override for one run.
var GuardNames = []string{GuardDeactivations, GuardEmptyListing, GuardCreations, GuardQuantity, GuardUnmatched}

// Limits are the guards of a module.
type Limits struct {
	// Deactivations in one run, and as a share of the module's active subscriptions, with those that the run adds; the
	// larger counts.
	Deactivations, DeactivationsPercent int
	// Customers created in one run, and as a share of the module's mapped customers, with those that the run maps by name;
	// the larger counts.
	Creations, CreationsPercent int
	// A quantity may change by more than the factor, or by more than the step, but not by both.
	QuantityFactor, QuantityStep int
	// AllowEmpty switches the guard against empty listings off.
	AllowEmpty bool
	// Overridden are the guards a person switched off for this run.
	Overridden map[string]bool
}

// DefaultLimits are the limits of a module that sets none.
func DefaultLimits() Limits {
	return Limits{
		Deactivations: 5, DeactivationsPercent: 20,
		Creations: 25, CreationsPercent: 50,
		QuantityFactor: 10, QuantityStep: 50,
	}
}

// HoldDeactivations reports whether n deactivations among that many active subscriptions are too many, and why.
func (l Limits) HoldDeactivations(n, active int) (string, bool) {
	allowed := max(l.Deactivations, active*l.DeactivationsPercent/100)
	if n <= allowed || l.Overridden[GuardDeactivations] {
		return "", false
	}
	return fmt.Sprintf("%d deactivations among %d active subscriptions are more than the %d allowed in one run", n, active, allowed), true
}

// HoldCreations reports whether creating n customers beside that many mapped ones is too much, and why.
// A first import creates as many as it needs.
func (l Limits) HoldCreations(n, mapped int, first bool) (string, bool) {
	allowed := max(l.Creations, mapped*l.CreationsPercent/100)
	if first || n <= allowed || l.Overridden[GuardCreations] {
		return "", false
	}
	return fmt.Sprintf("%d customers to create beside %d mapped ones are more than the %d allowed in one run", n, mapped, allowed), true
}

// HoldEmpty reports whether a listing that had that many records and now has none is to be doubted, and why.
func (l Limits) HoldEmpty(before, now int, what string) (string, bool) {
	if before == 0 || now > 0 || l.AllowEmpty || l.Overridden[GuardEmptyListing] {
		return "", false
	}
	return fmt.Sprintf("the distributor listed no %s where there were %d", what, before), true
}

// HoldQuantity reports whether a change of quantity is too large to be believed, and why.
// Quantities that are absent or not numbers are not compared.
func (l Limits) HoldQuantity(before, after string) (string, bool) {
	if l.Overridden[GuardQuantity] {
		return "", false
	}
	from, err1 := decimal.NewFromString(before)
	to, err2 := decimal.NewFromString(after)
	if err1 != nil || err2 != nil {
		return "", false
	}
	small, large := decimal.Min(from.Abs(), to.Abs()), decimal.Max(from.Abs(), to.Abs())
	byFactor := large.GreaterThan(small.Mul(decimal.NewFromInt(int64(l.QuantityFactor))))
	byStep := to.Sub(from).Abs().GreaterThan(decimal.NewFromInt(int64(l.QuantityStep)))
	if !byFactor || !byStep {
		return "", false
	}
	return fmt.Sprintf("quantity from %s to %s is a change by more than a factor of %d and by more than %d",
		before, after, l.QuantityFactor, l.QuantityStep), true
}

// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tallymanhq/tallyman/sdk/transport"
)

// both reads both listings of the healthy distributor and joins what check says of each.
func (b *bench) both(ctx context.Context, check func(h *heard) error) error {
	var wrong []error
	for _, k := range kinds {
		h, err := b.listed(ctx, k)
		if err != nil {
			return err
		}
		wrong = append(wrong, check(h))
	}
	return errors.Join(wrong...)
}

func checkComplete(ctx context.Context, b *bench) error {
	return b.both(ctx, func(h *heard) error {
		if h.complete() {
			return nil
		}
		text := h.String()
		if len(h.warnings) > 0 {
			text += "; it warns: " + strings.Join(h.warnings, "; ")
		}
		return errors.New(text)
	})
}

// onHealthy looks for what a healthy listing did against a rule.
func onHealthy(rule string) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		return b.both(ctx, func(h *heard) error { return h.violations(rule) })
	}
}

// violations gives what a listing did against a rule, or against any for "".
func (h *heard) violations(rule string) error {
	const most = 5
	var wrong []error
	n := 0
	for _, v := range h.broken {
		if rule != "" && v.rule != rule {
			continue
		}
		if n++; n <= most {
			wrong = append(wrong, fmt.Errorf("%s: %s", h.kind, v.text))
		}
	}
	if n > most {
		wrong = append(wrong, fmt.Errorf("%s: and %d more like these", h.kind, n-most))
	}
	return errors.Join(wrong...)
}

func checkSize(ctx context.Context, b *bench) error {
	return b.both(ctx, func(h *heard) error {
		if h.largest > transport.MaxSentBytes {
			return fmt.Errorf("%s: a message of %d bytes", h.kind, h.largest)
		}
		return nil
	})
}

func checkStable(ctx context.Context, b *bench) error {
	s, err := b.connect(ctx, nil)
	if err != nil {
		return err
	}
	defer s.close()
	return b.both(ctx, func(first *heard) error {
		second := s.list(ctx, first.kind, nil, keepRefs)
		if diff := difference(keys(first.customerOf), keys(second.customerOf)); diff != "" {
			return fmt.Errorf("%s: the second listing %s", first.kind, diff)
		}
		if diff := difference(keys(first.byRef), keys(second.byRef)); diff != "" {
			return fmt.Errorf("%s: by its scopes, the second listing %s", first.kind, diff)
		}
		return nil
	})
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// difference says how the second of two sorted lists differs from the first.
func difference(first, second []string) string {
	lacks := slices.DeleteFunc(slices.Clone(first), func(ref string) bool { return contains(second, ref) })
	has := slices.DeleteFunc(slices.Clone(second), func(ref string) bool { return contains(first, ref) })
	var parts []string
	if len(lacks) > 0 {
		parts = append(parts, fmt.Sprintf("lacks %s", few(lacks)))
	}
	if len(has) > 0 {
		parts = append(parts, fmt.Sprintf("has %s besides", few(has)))
	}
	return strings.Join(parts, " and ")
}

func contains(sorted []string, text string) bool {
	_, found := slices.BinarySearch(sorted, text)
	return found
}

func few(list []string) string {
	const most = 3
	text := fmt.Sprintf("%q", list[:min(most, len(list))])
	if len(list) > most {
		text += fmt.Sprintf(" and %d more", len(list)-most)
	}
	return text
}

// checkCustomer lists for the customer with the most subscriptions.
func checkCustomer(ctx context.Context, b *bench) error {
	all, err := b.listed(ctx, subscriptions)
	if err != nil {
		return err
	}
	held := map[string][]string{}
	for ref, customer := range all.customerOf {
		held[customer] = append(held[customer], ref)
	}
	if len(held) == 0 {
		return missing("the distributor has no subscriptions")
	}
	chosen := slices.MaxFunc(keys(held), func(x, y string) int { return len(held[x]) - len(held[y]) })
	s, err := b.connect(ctx, nil)
	if err != nil {
		return err
	}
	defer s.close()
	narrowed := s.list(ctx, subscriptions, []string{chosen}, keepRefs)
	if err := narrowed.violations(""); err != nil {
		return fmt.Errorf("for customer %q: %w", chosen, err)
	}
	if !narrowed.complete() {
		return fmt.Errorf("for customer %q: %s", chosen, narrowed)
	}
	want := slices.Sorted(slices.Values(held[chosen]))
	got := keys(narrowed.customerOf)
	lacks := slices.DeleteFunc(want, func(ref string) bool { return contains(got, ref) })
	if len(lacks) > 0 {
		return fmt.Errorf("for customer %q it lacks %s", chosen, few(lacks))
	}
	d, err := b.described(ctx)
	if err != nil {
		return err
	}
	// Only the connection knows whether it filters; the description of a configured process says so.
	if described, err := s.rpc.Describe(ctx, nil); err == nil {
		d = described
	}
	if !d.GetCapabilities().GetCustomerFilter() {
		return nil
	}
	for ref, customer := range narrowed.customerOf {
		if !strings.EqualFold(customer, chosen) {
			return fmt.Errorf("customer_filter is declared, and for customer %q it lists %q of customer %q", chosen, ref, customer)
		}
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"errors"
	"fmt"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// faultRule makes a rule of a simulator's fault.
func faultRule(f simulator.Fault) *Rule {
	return &Rule{
		Name: "fault." + f.Name, Demand: "Where " + f.Help + ", " + demandOf(f), Where: whereListings,
		check: func(ctx context.Context, b *bench) error {
			wrong := b.underFault(ctx, f)
			return errors.Join(wrong, b.Simulator.Play(context.WithoutCancel(ctx), ""))
		},
	}
}

func demandOf(f simulator.Fault) string {
	text := "what cannot be read is never complete"
	if f.Customers == simulator.Complete || f.Subscriptions == simulator.Complete {
		text = "the listing still ends complete"
	}
	if f.Class != "" {
		text += ", and the class is " + f.Class
	}
	return text
}

func (b *bench) underFault(ctx context.Context, f simulator.Fault) error {
	for _, k := range kinds {
		expect := f.Customers
		if k == subscriptions {
			expect = f.Subscriptions
		}
		if err := b.Simulator.Play(ctx, f.Name); err != nil {
			return fmt.Errorf("the simulator does not play it: %w", err)
		}
		s, err := b.connect(ctx, nil)
		if err != nil {
			return err
		}
		h := s.list(ctx, k, nil, keepRefs)
		s.close()
		if err := errors.Join(h.violations(""), held(h, f, expect)); err != nil {
			return err
		}
	}
	if err := b.Simulator.Play(ctx, f.Name); err != nil {
		return err
	}
	r, err := b.testConnection(ctx, nil)
	if err != nil {
		return err
	}
	if f.TestFails && r.GetOk() {
		return errors.New("the connection test succeeds")
	}
	return nil
}

// held holds a listing against what a fault expects.
func held(h *heard, f simulator.Fault, expect simulator.Expect) error {
	wrong := false
	switch expect {
	case simulator.Complete:
		wrong = !h.complete()
	case simulator.Incomplete:
		wrong = h.complete()
	case simulator.Partly:
		wrong = h.complete() || h.completeScopes() == 0
	case simulator.Any:
	}
	if wrong {
		return fmt.Errorf("%s; it must be %s", h, expect)
	}
	if f.Class != "" && (expect == simulator.Incomplete || expect == simulator.Partly) && className(h.class()) != f.Class {
		return fmt.Errorf("%s; the class must be %s", h, f.Class)
	}
	return nil
}

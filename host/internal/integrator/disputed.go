// SPDX-License-Identifier: Apache-2.0

package integrator

import "context"

// A subscription that a listing gives to several customers is nobody's: which one came last says nothing, and may be
// another one in the next run. It stays with whom it was, and is not created.

// isSteady notes that a known record came unchanged before it came again.
func (s *subscriptionListing) isSteady(id int64) {
	if s.steady == nil {
		s.steady = map[int64]bool{}
	}
	s.steady[id] = true
}

// findDisputed finds the records that came more than once, with several customers.
func (s *subscriptionListing) findDisputed(ctx context.Context, r *run) error {
	if len(s.repeated) == 0 {
		return nil
	}
	s.disputed = map[string]bool{}
	owners, names := map[string]string{}, map[int64]string{}
	var steady []int64
	err := s.delta.each(func(rec spooled) error {
		if !s.repeated[rec.key] || s.scopes[rec.scope].failed {
			return nil
		}
		name, owner := rec.name(r.key), r.key(withoutNUL(rec.sub.GetCustomerRef()))
		if before, known := owners[name]; known && before != owner {
			s.dispute(r, name, before, owner)
		}
		owners[name] = owner
		if rec.entry >= 0 {
			if id := s.index.entries[rec.entry].id; s.steady[id] {
				steady, names[id] = append(steady, id), name
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for len(steady) > 0 {
		n := min(len(steady), chunk)
		known, err := r.pairs(ctx, steady[:n])
		if err != nil {
			return err
		}
		for id, pair := range known {
			if owner := owners[names[id]]; owner != pair.CustomerKey {
				s.dispute(r, names[id], pair.CustomerKey, owner)
			}
		}
		steady = steady[n:]
	}
	return nil
}

func (s *subscriptionListing) dispute(r *run, name, one, other string) {
	if s.disputed[name] {
		return
	}
	s.disputed[name] = true
	const most = 10
	if len(s.disputed) <= most {
		r.details.warn("subscription %q was listed for two customers, %q and %q, so it is left as it was: ask the distributor whose it is", name, one, other)
	}
}

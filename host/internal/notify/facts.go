// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

// Watched is a module that somebody wants to know of.
type Watched struct {
	Tenant, Module string
	// Entities are what is synced; the older picture of them counts.
	Entities integrator.Entities
	// StaleAfter is after how long without a trustworthy run it is stale; zero: never.
	StaleAfter time.Duration
	// Expires is when its credentials stop working; zero: not known.
	Expires time.Time
	// MaxRefused is after how many refused runs in a row it is stopped; zero: it is run by no schedule.
	MaxRefused int
}

// String gives the module as people write it: acme/rhipe.
func (w Watched) String() string { return w.Tenant + "/" + w.Module }

// Facts is what the database knows of a watched module.
type Facts struct {
	Watched
	TenantID, ModuleID int64
	// Last is the newest sync of all customers that has ended and that nobody cancelled; nil: there is none.
	Last *store.Run
	// Report is what Last reported.
	Report integrator.Details
	// Failing is nil unless Last failed.
	Failing *store.Failing
	// Refused is how many of the newest runs in a row were refused by the distributor, MaxRefused at most.
	Refused int
	// Held is how many changes wait for a person.
	Held int
	// RightAt is up to when the picture is known to be right; that it never was counts from when the module was first seen.
	RightAt time.Time
	// Never says that it never was.
	Never bool
	// Paused: somebody keeps it from being run by itself, so that it becomes stale is no news.
	Paused bool
}

// refused is the error code of a run whose credentials were refused.
const refused = "distributor.auth"

// read gives what the database knows of a module, or nil if it knows nothing.
func read(ctx context.Context, s *store.Store, w Watched) (*Facts, error) {
	tenant, module, err := s.FindModule(ctx, w.Tenant, w.Module)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := &Facts{Watched: w, TenantID: tenant.ID, ModuleID: module.ID}
	standing, err := s.StandingOf(ctx, module)
	if err != nil {
		return nil, err
	}
	f.Held, f.Failing, f.Last = standing.Held, standing.Failing, standing.Last
	if f.Last != nil && f.Last.Outcome == string(integrator.Cancelled) {
		if f.Last, err = s.LastNotCancelled(ctx, module.ID); err != nil {
			return nil, err
		}
	}
	if f.Last != nil {
		if err := json.Unmarshal(f.Last.Report, &f.Report); err != nil {
			return nil, fmt.Errorf("read the report of run %d: %w", f.Last.ID, err)
		}
	}
	f.RightAt, f.Never = RightAt(w.Entities, standing.Trustworthy)
	if f.Never {
		f.RightAt = module.CreatedAt
	}
	pauses, err := s.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pauses {
		f.Paused = f.Paused || (p.TenantID == nil || *p.TenantID == tenant.ID) && (p.ModuleID == nil || *p.ModuleID == module.ID)
	}
	if w.MaxRefused > 0 && f.Failing != nil {
		runs, err := s.LastSyncs(ctx, module.ID, w.Entities.String(), w.MaxRefused)
		if err != nil {
			return nil, err
		}
		for _, run := range runs {
			if run.ErrorCode != refused {
				break
			}
			f.Refused++
		}
	}
	return f, nil
}

// RightAt gives up to when the picture of these entities is known to be right, or that it never was.
func RightAt(entities integrator.Entities, t store.Trustworthy) (at time.Time, never bool) {
	for _, part := range []struct {
		wanted bool
		at     *time.Time
	}{{entities.Customers, t.Customers}, {entities.Subscriptions, t.Subscriptions}} {
		switch {
		case !part.wanted:
		case part.at == nil:
			return time.Time{}, true
		case at.IsZero() || part.at.Before(at):
			at = *part.at
		}
	}
	return at, at.IsZero()
}

// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/host/internal/reconcile"
	"github.com/tallymanhq/tallyman/host/internal/store"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// scopeState is one scope of the subscription listing.
type scopeState struct {
	ref, name string
	// id is its row's, zero until it has one.
	id int64
	// listed: the listing had it. complete, failed: how its reading ended.
	listed, complete, failed bool
	// known is how many live records the database has in it, count how many were listed.
	known, count int
}

// title is how people read about a scope.
func (s *scopeState) title() string {
	if s.name != "" {
		return s.name
	}
	return fmt.Sprintf("%q", s.ref)
}

// subscriptionListing is what was read of the subscriptions, against what was known.
type subscriptionListing struct {
	read     bool
	complete bool
	index    *index
	scopes   []scopeState
	scopeRef map[string]uint32
	delta    spool
	// fresh are the key hashes of records that are not known, to find those that came twice.
	fresh []uint64
	// repeated are the hashes of the keys that came more than once.
	repeated map[uint64]bool
	// steady are the known records that came as they were before they came again. disputed are the names of those that came
	// with several customers: nobody knows whose they are, and they stay as they were.
	steady   map[int64]bool
	disputed map[string]bool
	// removals are the records the distributor said were removed; removed those of them, by the hashes of their keys, that
	// a scope says which was read completely.
	removals []removal
	removed  map[uint64]bool
	// ended: a record that is new or differs has ended at the distributor.
	ended bool
	// listed counts the records of scopes that did not fail, unchanged what cost nothing.
	listed, unchanged int
	// live counts the known records that are not gone, waiting those among them without a subscription of ours that may get
	// one, carried those listed whose subscriptions were carried over to another module.
	live, waiting, carried int
	warnedTwice            int
}

// removal is a record the distributor said was removed.
type removal struct {
	key   string
	scope uint32
}

func (r *run) collectSubscriptions(ctx context.Context) error {
	s := &r.subscriptions
	if err := s.load(ctx, r); err != nil {
		return err
	}
	r.progress("collect subscriptions", 0, "")
	last, err := r.lastComplete(ctx)
	if err != nil {
		return err
	}
	listing, err := r.source.ListSubscriptions(ctx, r.narrowRefs, last)
	if err != nil {
		return r.listingFailed(ctx, "subscriptions", err)
	}
	defer listing.Close()
	hash := fingerprinter{key: r.key}
	for {
		event, err := listing.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r.listingFailed(ctx, "subscriptions", err)
		}
		switch event := event.(type) {
		case pluginhost.ScopeBegin:
			s.scope(event.Ref, event.Name)
		case pluginhost.Subscriptions:
			scope := s.scope(event.Scope, "")
			for _, sub := range event.Subscriptions {
				if err := s.take(r, &hash, scope, sub); err != nil {
					return err
				}
			}
			r.progress("collect subscriptions", s.listed, "")
		case pluginhost.Tombstone:
			s.removals = append(s.removals, removal{r.key(event.Ref), s.scope(event.Scope, "")})
		case pluginhost.Progress:
			r.progress("collect subscriptions", s.listed, event.Text)
		}
	}
	result := listing.Result()
	if err := r.judge(ctx, "subscriptions", result); err != nil {
		return err
	}
	if err := s.conclude(result); err != nil {
		return err
	}
	if err := s.findRemoved(ctx, r); err != nil {
		return err
	}
	s.read = true
	s.complete = result.Outcome == pluginhost.OutcomeComplete
	if err := errors.Join(s.findRepeated(r), s.findDisputed(ctx, r)); err != nil {
		return err
	}
	r.count(CountSubscriptionsListed, s.listed)
	r.count(CountUnchanged, s.unchanged)
	r.count(CountElsewhere, s.carried)
	return nil
}

// lastComplete gives when the last complete reading of the module's subscriptions began; zero: there was none. Whatever was
// read since is kept: of our records, and of those that wait for their customers to be mapped.
func (r *run) lastComplete(ctx context.Context) (time.Time, error) {
	trusted, err := r.store.LastTrustworthy(ctx, r.module.ID)
	if err != nil || trusted.Subscriptions == nil {
		return time.Time{}, err
	}
	return *trusted.Subscriptions, nil
}

// conclude takes over how the scopes were read, and takes back what came from those that failed.
func (s *subscriptionListing) conclude(result pluginhost.Result) error {
	failed := false
	for _, ended := range result.Scopes {
		scope := &s.scopes[s.scope(ended.Ref, ended.Name)]
		scope.listed = true
		scope.complete = ended.Outcome == pluginhost.OutcomeComplete
		if scope.failed = ended.Outcome == pluginhost.OutcomeFailed; scope.failed {
			failed = true
			s.listed -= scope.count
		}
	}
	if !failed {
		return nil
	}
	// What a failed scope said is not used. That it said so still shows that the record is there.
	for i := range s.index.entries {
		s.index.entries[i].spooled = false
	}
	return s.delta.each(func(rec spooled) error {
		if rec.entry >= 0 && !s.scopes[rec.scope].failed {
			s.index.entries[rec.entry].spooled = true
		}
		return nil
	})
}

// findRemoved finds what the distributor said was removed, as far as a scope says so that was read completely. A
// subscription of several items is removed with all of them, whether or not it had items all along.
func (s *subscriptionListing) findRemoved(ctx context.Context, r *run) error {
	s.removed = map[uint64]bool{}
	for _, told := range s.removals {
		if !s.scopes[told.scope].complete {
			continue
		}
		s.removed[hashKey(told.key)] = true
		items, err := r.store.ItemKeyHashes(ctx, r.module.ID, told.key)
		if err != nil {
			return err
		}
		for _, hash := range items {
			s.removed[uint64(hash)] = true
		}
	}
	return nil
}

// load reads what is known into the index.
func (s *subscriptionListing) load(ctx context.Context, r *run) error {
	scopes, err := r.store.Scopes(ctx, r.module.ID)
	if err != nil {
		return err
	}
	s.scopeRef = map[string]uint32{}
	position := map[int64]uint32{}
	for _, row := range scopes {
		at := s.scope(row.Ref, row.Name)
		s.scopes[at].id = row.ID
		position[row.ID] = at
	}
	n, err := r.store.CountIndex(ctx, r.module.ID)
	if err != nil {
		return err
	}
	s.index = newIndex(n)
	err = r.store.ScanIndex(ctx, r.module.ID, func(row store.IndexRow) {
		at := position[row.ScopeID]
		s.index.add(entry{
			key: uint64(row.KeyHash), print: uint64(row.Fingerprint), id: row.ID,
			scope: at, flags: uint8(row.Flags), linked: row.Linked,
		})
		if row.Flags&store.FlagGone == 0 {
			s.live++
			s.scopes[at].known++
			if !row.Linked && row.Flags&store.FlagCarried == 0 {
				s.waiting++
			}
		}
	})
	if err != nil {
		return err
	}
	s.index.build()
	return nil
}

// scope gives the position of a scope, which it makes if there is none yet.
func (s *subscriptionListing) scope(ref, name string) uint32 {
	at, ok := s.scopeRef[ref]
	if !ok {
		at = uint32(len(s.scopes))
		s.scopes = append(s.scopes, scopeState{ref: ref})
		s.scopeRef[ref] = at
	}
	if name != "" {
		s.scopes[at].name = name
	}
	return at
}

// noItem stands for a subscription without items: it is one record all the same.
var noItem = &distributorv1.Item{}

// take looks at one listed subscription. One that is unchanged is marked as seen and costs nothing more.
func (s *subscriptionListing) take(r *run, hash *fingerprinter, scope uint32, sub *distributorv1.Subscription) error {
	ours := r.narrow == nil || r.narrow[r.key(sub.GetCustomerRef())]
	if ours {
		s.listed++
		s.scopes[scope].count++
	}
	for i := range max(len(sub.GetItems()), 1) {
		item := noItem
		if len(sub.GetItems()) > 0 {
			item = sub.GetItems()[i]
		}
		key, print := hash.subscription(sub, item)
		at := s.index.find(key, print)
		switch {
		case !ours && at >= 0:
			// It is somebody else's now, which is not the same as missing.
			s.index.entries[at].seen = true
			continue
		case !ours:
			continue
		case at < 0:
			s.fresh = append(s.fresh, key)
		default:
			known := &s.index.entries[at]
			twice := known.seen
			known.seen = true
			if !twice && known.flags&store.FlagCarried != 0 {
				s.carried++
			}
			if twice {
				if !known.spooled {
					s.isSteady(known.id)
				}
				s.repeat(r, key, sub.GetRef())
			} else if known.print == print && known.flags&^store.FlagCarried == 0 && known.scope == scope {
				s.unchanged++
				continue
			}
			known.spooled = true
		}
		if told := (reconcile.Fields{State: stateName(sub.GetState())}); told.Ended() {
			s.ended = true
		}
		if err := s.delta.append(spooled{entry: at, scope: scope, key: key, print: print, item: i, sub: sub}); err != nil {
			return err
		}
	}
	return nil
}

// repeat notes that a record came more than once.
func (s *subscriptionListing) repeat(r *run, key uint64, ref string) {
	if s.repeated == nil {
		s.repeated = map[uint64]bool{}
	}
	s.repeated[key] = true
	if s.warnedTwice++; s.warnedTwice <= 10 {
		r.details.warn("subscription %q was listed twice; the last one counts", ref)
	}
}

// findRepeated finds the new records that came more than once.
func (s *subscriptionListing) findRepeated(r *run) error {
	slices.Sort(s.fresh)
	twice := map[uint64]int{}
	for i := 1; i < len(s.fresh); i++ {
		if s.fresh[i] == s.fresh[i-1] {
			twice[s.fresh[i]] = 0
		}
	}
	s.fresh = nil
	if len(twice) == 0 {
		return nil
	}
	return s.delta.each(func(rec spooled) error {
		if n, repeated := twice[rec.key]; repeated {
			if twice[rec.key] = n + 1; n > 0 {
				s.repeat(r, rec.key, rec.sub.GetRef())
			}
		}
		return nil
	})
}

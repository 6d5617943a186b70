// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"errors"
	"fmt"
	"time"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// testConnection makes the connection test and checks the form of its answer.
func (b *bench) testConnection(ctx context.Context, changes map[string]any) (*distributorv1.TestConnectionResponse, error) {
	s, err := b.connect(ctx, changes)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := s.rpc.TestConnection(ctx, &distributorv1.TestConnectionRequest{})
	if err != nil {
		return nil, fmt.Errorf("the connection test ends as a call, where steps were due: %w", err)
	}
	s.texts.add(r.GetAccount(), r.GetVisible())
	for i, step := range r.GetSteps() {
		s.texts.add(step.GetDetail(), step.GetError().GetMessage(), step.GetError().GetHint())
		last := i == len(r.GetSteps())-1
		switch {
		case step.GetName() == "":
			return nil, fmt.Errorf("step %d has no name", i+1)
		case !step.GetOk() && step.GetError().GetMessage() == "":
			return nil, fmt.Errorf("step %q failed and does not say why", step.GetName())
		case !step.GetOk() && (r.GetOk() || !last):
			return nil, fmt.Errorf("step %q failed, and the test went on", step.GetName())
		case step.GetOk() && last && !r.GetOk():
			return nil, errors.New("the test failed, and none of its steps did")
		}
	}
	if len(r.GetSteps()) == 0 {
		return nil, errors.New("the connection test tells no step")
	}
	return r, nil
}

// outcomeOf says how a connection test ended.
func outcomeOf(r *distributorv1.TestConnectionResponse) string {
	last := r.GetSteps()[len(r.GetSteps())-1]
	if r.GetOk() {
		return "it succeeds"
	}
	return fmt.Sprintf("step %q fails (%s: %s)", last.GetName(), className(last.GetError().GetClass()), last.GetError().GetMessage())
}

func checkTestSucceeds(ctx context.Context, b *bench) error {
	r, err := b.testConnection(ctx, nil)
	if err != nil {
		return err
	}
	if r.GetOk() {
		return nil
	}
	class := r.GetSteps()[len(r.GetSteps())-1].GetError().GetClass()
	if b.Simulator == nil && (class == distributorv1.ErrorClass_ERROR_CLASS_TRANSIENT || class == distributorv1.ErrorClass_ERROR_CLASS_THROTTLED) {
		b.unreachable = true
	}
	return errors.New(outcomeOf(r))
}

// wrongSecret is put in the place of a secret.
const wrongSecret = "wr0ng-s3cret-of-the-conformance-suite"

// wrongSecrets gives the settings with every secret replaced.
func (b *bench) wrongSecrets(ctx context.Context) (map[string]any, error) {
	d, err := b.described(ctx)
	if err != nil {
		return nil, err
	}
	changes := map[string]any{}
	for _, f := range d.GetSettings() {
		if _, set := b.Settings[f.GetName()]; f.GetSecret() && set {
			changes[f.GetName()] = wrongSecret
		}
	}
	if len(changes) == 0 {
		return nil, missing("the settings hold no secret")
	}
	return changes, nil
}

func checkTestRefused(ctx context.Context, b *bench) error {
	changes, err := b.wrongSecrets(ctx)
	if err != nil {
		return err
	}
	r, err := b.testConnection(ctx, changes)
	if err != nil {
		return err
	}
	last := r.GetSteps()[len(r.GetSteps())-1]
	if r.GetOk() || last.GetError().GetClass() != distributorv1.ErrorClass_ERROR_CLASS_AUTH {
		return fmt.Errorf("with a wrong secret, %s", outcomeOf(r))
	}
	return nil
}

// checkApart lets a session with good credentials get what it needs, then lists with wrong ones beside it.
func checkApart(ctx context.Context, b *bench) error {
	changes, err := b.wrongSecrets(ctx)
	if err != nil {
		return err
	}
	good, err := b.connect(ctx, nil)
	if err != nil {
		return err
	}
	defer good.close()
	if h := good.list(ctx, customers, nil, onlyCount); !h.complete() {
		return fmt.Errorf("with good credentials, %s", h)
	}
	bad, err := b.connect(ctx, changes)
	if err != nil {
		return err
	}
	defer bad.close()
	for _, k := range kinds {
		if h := bad.list(ctx, k, nil, onlyCount); h.complete() || h.count > 0 {
			return fmt.Errorf("beside a session with good credentials, one with a wrong secret lists %s", h)
		}
	}
	if h := good.list(ctx, subscriptions, nil, onlyCount); !h.complete() {
		return fmt.Errorf("beside a session with a wrong secret, one with good credentials lists %s", h)
	}
	return nil
}

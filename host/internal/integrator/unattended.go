// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"
	"errors"
)

// codeCreatedMeanwhile is the error code of a run that wanted to create a customer whom somebody else created since it looked.
const codeCreatedMeanwhile = "run.customer_created_meanwhile"

// RunUnattended is Run for where no person waits who would run it again: if somebody else, such as another module of the
// tenant, created the customer that the run was about to create, it makes another run at once, which maps to that customer.
// It does so once. What comes of the other run is given.
func (i *Integrator) RunUnattended(ctx context.Context, req Request) (*Report, error) {
	report, err := i.Run(ctx, req)
	var problem *Problem
	if report == nil || !errors.As(err, &problem) || problem.Code != codeCreatedMeanwhile || ctx.Err() != nil {
		return report, err
	}
	i.Log.Info("the run is made again at once", "module", req.Module.String(), "run", report.Run, "reason", problem.Message)
	// The run that failed was what was wished for and was due.
	req.Wish, req.Confirm = 0, nil
	again, againErr := i.Run(ctx, req)
	if again == nil {
		return report, errors.Join(err, againErr)
	}
	return again, againErr
}

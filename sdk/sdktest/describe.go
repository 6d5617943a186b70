// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"errors"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// Describe starts the program of a suite and gives what the plugin says about itself: its name, its settings.
func Describe(ctx context.Context, s Suite) (*distributorv1.DescribeResponse, error) {
	if s.Binary == "" {
		return nil, errors.New("no program to ask")
	}
	return newBench(s, program(s.Binary)).described(ctx)
}

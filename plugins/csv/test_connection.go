// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
)

// TestConnection finds the files, opens them and reads them from end to end.
func (c *connection) TestConnection(_ context.Context, t *sdk.ConnectionTest) error {
	patterns := []string{c.settings.Subscriptions}
	if trim(c.settings.Customers) != "" {
		patterns = append(patterns, c.settings.Customers)
	}
	err := t.Step("find", func(context.Context) (string, error) {
		var found []string
		for _, pattern := range patterns {
			path, err := c.source(pattern).find()
			if err != nil {
				return strings.Join(found, "; "), err
			}
			found = append(found, fmt.Sprintf("%s for %q", path, pattern))
		}
		return strings.Join(found, "; "), nil
	})
	if err != nil {
		return err
	}
	t.Account(c.settings.Directory)
	rows := map[string]int{}
	read := func(open func(context.Context) (*table, error)) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			file, err := open(ctx)
			if err != nil {
				return "", err
			}
			defer file.Close() //nolint:errcheck // it was only read
			if file.cut != "" {
				return describe(file), wholeError(file)
			}
			rows[file.shape.setting] = file.rows
			return describe(file), nil
		}
	}
	if err := t.Step("read subscriptions", read(c.subscriptionFile)); err != nil {
		return err
	}
	if len(patterns) > 1 {
		if err := t.Step("read customers", read(c.customerFile)); err != nil {
			return err
		}
		t.Visible("%d rows of subscriptions, %d rows of customers", rows["columns"], rows["customer_columns"])
		return nil
	}
	t.Visible("%d rows of subscriptions; the customers are those they name", rows["columns"])
	return nil
}

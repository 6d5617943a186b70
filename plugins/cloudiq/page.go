// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// The records of a page are held until their details are read. These bound what that takes, in bytes: an element of a list,
// or the details of one record, and a page. A record has some kilobytes.
const (
	maxElement = 4 << 20
	maxPage    = 64 << 20
)

// together is how many records wait for one another's details, which are held meanwhile.
const together = 50

// readPages reads a list page by page: from page 1, in an envelope with the number of all elements. after is called behind
// each page; nil is nothing to do. A page that holds far more elements than were asked for is an error.
func (c *connection) readPages(ctx context.Context, request rest.Request, each func(rest.Value) error, after func() error) (rest.Listing, error) {
	came := 0
	paging := rest.Paging{First: 1, SizeParam: "pageSize", Size: c.settings.PageSize, List: "Items", Total: "TotalHits", ID: "Id"}
	paging.After = func() error {
		came = 0
		if after == nil {
			return nil
		}
		return after()
	}
	return c.ListPages(ctx, request, paging, func(v rest.Value) error {
		if came++; came > c.mostOfPage() {
			return c.tooMany("elements")
		}
		return each(v)
	})
}

// mostOfPage is how many elements a page may hold, add-ons included: ten times what was asked for, should the size that is
// asked for not count, and never less than ten thousand.
func (c *connection) mostOfPage() int {
	const times, least = 10, 10_000
	return max(times*c.settings.PageSize, least)
}

func (c *connection) tooMany(what string) error {
	return &sdk.Error{
		Class: sdk.ClassSchema, Origin: sdk.OriginDistributor,
		Message: fmt.Sprintf("a page holds more than %d %s, and %d elements were asked for", c.mostOfPage(), what, c.settings.PageSize),
		Hint:    "Cloud-iQ has a fault, or its paging has changed. Try again later; if it stays, report it to Crayon.",
	}
}

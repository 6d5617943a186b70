// SPDX-License-Identifier: Apache-2.0

package pax8sim

import (
	"net/http"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// pageFaults are troubles with where pages begin and end, and with how many elements are said to be on them.
func pageFaults(a *api) []simulator.HTTPFault {
	const capped = 50
	return append(simulator.PageFaults(simulator.Pages{On: listsAsked, With: a.with, Another: another, Capped: capped}), simulator.HTTPFault{
		Fault: bothEnd("page.default", "a page holds 10 elements, whatever size is asked for", simulator.Complete, ""), On: listsAsked,
		Spoil: a.spoil(func(l simulator.List, number, _ int) simulator.Page { return simulator.Whole(l, number, defaultSize) }),
	})
}

// spoil answers with pages of another shape.
func (a *api) spoil(s simulator.Shape) simulator.Spoil {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) { a.with(s).ServeHTTP(w, r) }
}

// another gives an element that is not in the list but like its last.
func another(l simulator.List) []byte {
	return edited(l.At(l.Len-1), func(members map[string]any) { members["id"] = "aaaaaaaa-0000-4000-8000-000000000000" })
}

// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"net/http"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// pageFaults are troubles with where pages begin and end, and with how many elements are said to be on them.
func pageFaults(a *api) []simulator.HTTPFault {
	const capped = 20
	return append(simulator.PageFaults(simulator.Pages{On: listsAsked, With: a.with, Another: another, Capped: capped}), simulator.HTTPFault{
		Fault: bothEnd("list.bare", "lists come without their envelope, as the OpenAPI file has them", simulator.Incomplete, ""), On: listsAsked,
		Spoil: func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			other := *a
			other.bare = true
			other.ServeHTTP(w, r)
		},
	})
}

// spoil answers with pages of another shape.
func (a *api) spoil(s simulator.Shape) simulator.Spoil {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) { a.with(s).ServeHTTP(w, r) }
}

// another gives an element that is not in the list but like its last.
func another(l simulator.List) []byte {
	return edited(l.At(l.Len-1), func(members map[string]any) { members["Id"], members["Subscriptions"] = 99_999_990, []any{} })
}

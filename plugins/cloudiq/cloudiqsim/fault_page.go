// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"net/http"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// pageFaults are troubles with where pages begin and end, and with how many elements are said to be on them.
func pageFaults(a *api) []simulator.HTTPFault {
	faults := make([]simulator.HTTPFault, 0, len(misshapen))
	for _, m := range misshapen {
		faults = append(faults, simulator.HTTPFault{
			Fault: bothEnd(m.name, m.help, m.expect, ""), On: listsAsked, Spoil: a.spoil(m.shape),
		})
	}
	return faults
}

// spoil answers with pages of another shape.
func (a *api) spoil(s shape) simulator.Spoil {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) { a.with(s).ServeHTTP(w, r) }
}

var misshapen = []struct {
	name, help string
	expect     simulator.Expect
	shape      shape
}{
	{"total.exact", "the last page is full to its last place", simulator.Complete, func(l list, number, size int) page {
		l.len -= l.len % size
		return whole(l, number, size)
	}},
	{"total.one-more", "the last page holds a single element", simulator.Complete, func(l list, number, size int) page {
		l.len -= max(0, l.len%size-1)
		return whole(l, number, size)
	}},
	{"total.none", "there is nothing, and it is said so", simulator.Complete, func(l list, number, size int) page {
		l.len = 0
		return whole(l, number, size)
	}},
	{"total.grows", "an element is added at the end while the list is read", simulator.Incomplete, later(func(l list) list {
		return list{l.len + 1, func(i int) []byte {
			if i == l.len {
				return another(l)
			}
			return l.at(i)
		}}
	})},
	{"total.shifts", "an element is added at the beginning while the list is read", simulator.Incomplete, later(func(l list) list {
		return list{l.len + 1, func(i int) []byte {
			if i == 0 {
				return another(l)
			}
			return l.at(i - 1)
		}}
	})},
	{"total.shrinks", "an element is removed from the beginning while the list is read", simulator.Incomplete, later(func(l list) list {
		return l.part(1, l.len)
	})},
	{"total.swaps", "one element is removed from the beginning and one added at the end, so that the number stays", simulator.Any, later(func(l list) list {
		return list{l.len, func(i int) []byte {
			if i == l.len-1 {
				return another(l)
			}
			return l.at(i + 1)
		}}
	})},
	{"total.too-high", "one element more is announced than there is", simulator.Incomplete, func(l list, number, size int) page {
		p := whole(l, number, size)
		p.total++
		return p
	}},
	{"total.too-low", "one element less is announced than there is", simulator.Incomplete, func(l list, number, size int) page {
		p := whole(l, number, size)
		p.total--
		return p
	}},
	{"total.untold", "the answers hold no TotalHits", simulator.Incomplete, func(l list, number, size int) page {
		p := whole(l, number, size)
		p.total = -1
		return p
	}},
	{"list.bare", "lists come without their envelope, as the OpenAPI file has them", simulator.Incomplete, func(l list, number, size int) page {
		p := whole(l, number, size)
		p.bare = true
		return p
	}},
	{"page.capped", "a page holds at most 20 elements, whatever size is asked for", simulator.Complete, func(l list, number, size int) page {
		return whole(l, number, min(size, 20))
	}},
	{"page.empty", "the second page is empty", simulator.Incomplete, func(l list, number, size int) page {
		p := whole(l, number, size)
		if number == 2 {
			p.to = p.from
		}
		return p
	}},
	{"page.lacks", "the first page lacks its last element", simulator.Incomplete, func(l list, number, size int) page {
		p := whole(l, number, size)
		if number == 1 {
			p.to = max(p.from, p.to-1)
		}
		return p
	}},
	{"page.stuck", "the first page is answered, whatever page is asked for", simulator.Incomplete, func(l list, _, size int) page {
		return whole(l, 1, size)
	}},
}

// later is the shape of a list that changes after its first page was read.
func later(change func(list) list) shape {
	return func(l list, number, size int) page {
		if number > 1 && l.len > 0 {
			l = change(l)
		}
		return whole(l, number, size)
	}
}

// another gives an element that is not in the list but like its last.
func another(l list) []byte {
	return edited(l.at(l.len-1), func(members map[string]any) { members["Id"], members["Subscriptions"] = 99_999_990, []any{} })
}

// SPDX-License-Identifier: Apache-2.0

package simulator

import "net/http"

// List is a list whose elements are made as they are asked for, so that a million cost no memory.
type List struct {
	Len int
	// At gives the JSON of an element.
	At func(i int) []byte
}

// Part gives the elements from one up to another.
func (l List) Part(from, to int) List {
	return List{to - from, func(i int) []byte { return l.At(from + i) }}
}

// Page is one page of a list, as it is answered.
type Page struct {
	List List
	// From is the first element it holds, To the one behind its last.
	From, To int
	// Number, counted from 0, Size and Total are what it says of itself. A negative total: it does not say.
	Number, Size, Total int
}

// Append appends a JSON array of the page's elements.
func (p Page) Append(body []byte) []byte {
	body = append(body, '[')
	for i := p.From; i < p.To; i++ {
		if i > p.From {
			body = append(body, ',')
		}
		body = append(body, p.List.At(i)...)
	}
	return append(body, ']')
}

// Shape makes the page of a number, counted from 0, that has room for so many elements.
type Shape func(l List, number, size int) Page

// Whole is the Shape of pages as they should be: an element is on exactly one page, and behind the last one all are empty.
func Whole(l List, number, size int) Page {
	from := min(number*size, l.Len)
	return Page{List: l, From: from, To: min(from+size, l.Len), Number: number, Size: size, Total: l.Len}
}

// Pages says how a simulator answers with pages.
type Pages struct {
	// On are the requests for pages.
	On Match
	// With is the simulated API with pages of another Shape than Whole.
	With func(Shape) http.Handler
	// Another gives an element that is not in a list but like its last.
	Another func(List) []byte
	// Capped is a size of pages that is smaller than the plugin asks for, and that takes several pages.
	Capped int
}

// PageFaults are the troubles that every distributor has whose lists come in pages: with where pages begin and end, and with
// how many elements are said to be on them.
func PageFaults(p Pages) []HTTPFault {
	var faults []HTTPFault
	for _, m := range misshapen(p) {
		faults = append(faults, HTTPFault{
			Fault: Fault{Name: m.name, Help: m.help, Customers: m.expect, Subscriptions: m.expect}, On: p.On,
			Spoil: func(w http.ResponseWriter, r *http.Request, _ http.Handler) { p.With(m.shape).ServeHTTP(w, r) },
		})
	}
	return faults
}

type shaped struct {
	name, help string
	expect     Expect
	shape      Shape
}

func misshapen(p Pages) []shaped {
	// of changes what a page says or holds.
	of := func(change func(*Page)) Shape {
		return func(l List, number, size int) Page {
			page := Whole(l, number, size)
			change(&page)
			return page
		}
	}
	return []shaped{
		{"total.exact", "the last page is full to its last place", Complete, func(l List, number, size int) Page {
			l.Len -= l.Len % size
			return Whole(l, number, size)
		}},
		{"total.one-more", "the last page holds a single element", Complete, func(l List, number, size int) Page {
			l.Len -= max(0, l.Len%size-1)
			return Whole(l, number, size)
		}},
		{"total.none", "there is nothing, and it is said so", Complete, func(l List, number, size int) Page {
			l.Len = 0
			return Whole(l, number, size)
		}},
		{"total.grows", "an element is added at the end while the list is read", Incomplete, later(func(l List) List {
			return List{l.Len + 1, func(i int) []byte {
				if i == l.Len {
					return p.Another(l)
				}
				return l.At(i)
			}}
		})},
		{"total.shifts", "an element is added at the beginning while the list is read", Incomplete, later(func(l List) List {
			return List{l.Len + 1, func(i int) []byte {
				if i == 0 {
					return p.Another(l)
				}
				return l.At(i - 1)
			}}
		})},
		{"total.shrinks", "an element is removed from the beginning while the list is read", Incomplete, later(func(l List) List {
			return l.Part(1, l.Len)
		})},
		{"total.swaps", "one element is removed from the beginning and one added at the end, so that the number stays", Any, later(func(l List) List {
			return List{l.Len, func(i int) []byte {
				if i == l.Len-1 {
					return p.Another(l)
				}
				return l.At(i + 1)
			}}
		})},
		{"total.too-high", "one element more is announced than there is", Incomplete, of(func(page *Page) { page.Total++ })},
		{"total.too-low", "one element less is announced than there is", Incomplete, of(func(page *Page) { page.Total-- })},
		{"total.untold", "the answers do not tell how many elements there are", Incomplete, of(func(page *Page) { page.Total = -1 })},
		{"page.capped", "a page holds fewer elements than are asked for", Complete, func(l List, number, size int) Page {
			return Whole(l, number, min(size, p.Capped))
		}},
		{"page.empty", "the second page is empty", Incomplete, of(func(page *Page) {
			if page.Number == 1 {
				page.To = page.From
			}
		})},
		{"page.lacks", "the first page lacks its last element", Incomplete, of(func(page *Page) {
			if page.Number == 0 {
				page.To = max(page.From, page.To-1)
			}
		})},
		{"page.stuck", "the first page is answered, whatever page is asked for", Incomplete, func(l List, _, size int) Page {
			return Whole(l, 0, size)
		}},
	}
}

// later is the shape of a list that changes after its first page was read.
func later(change func(List) List) Shape {
	return func(l List, number, size int) Page {
		if number > 0 && l.Len > 0 {
			l = change(l)
		}
		return Whole(l, number, size)
	}
}

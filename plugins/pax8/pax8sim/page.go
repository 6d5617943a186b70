// SPDX-License-Identifier: Apache-2.0

package pax8sim

import (
	"fmt"
	"net/http"
)

// page is one page of a list, as it is answered.
type page struct {
	list list
	// from and to are the elements it holds.
	from, to int
	// number, size and total are what it says of itself. A negative total: it says nothing at all.
	number, size, total int
}

// shape makes the page of a number, counted from 0, that has room for so many elements.
type shape func(l list, number, size int) page

// whole is the shape of pages as they should be: an element of the list is on exactly one page. Behind the last page
// all are empty.
func whole(l list, number, size int) page {
	from := min(number*size, l.len)
	return page{list: l, from: from, to: min(from+size, l.len), number: number, size: size, total: l.len}
}

func (p page) write(w http.ResponseWriter) {
	body := []byte(`{"content":[`)
	for i := p.from; i < p.to; i++ {
		if i > p.from {
			body = append(body, ',')
		}
		body = append(body, p.list.at(i)...)
	}
	body = append(body, ']')
	if p.total >= 0 {
		pages := (p.total + p.size - 1) / p.size
		body = fmt.Appendf(body, `,"page":{"size":%d,"totalElements":%d,"totalPages":%d,"number":%d}`, p.size, p.total, pages, p.number)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '}'))
}

// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"net/http"
	"strconv"
)

// page is one page of a list, as it is answered.
type page struct {
	list list
	// from and to are the elements it holds.
	from, to int
	// total is what it says of the whole. Negative: it does not say.
	total int
	// bare: it is a list without an envelope, as the OpenAPI file has it.
	bare bool
}

// shape makes the page of a number, counted from 1, that has room for so many elements.
type shape func(l list, number, size int) page

// whole is the shape of pages as they should be: an element is on exactly one page, and behind the last one all are empty.
func whole(l list, number, size int) page {
	from := min((number-1)*size, l.len)
	return page{list: l, from: from, to: min(from+size, l.len), total: l.len}
}

func (p page) write(w http.ResponseWriter) {
	const usual = 1 << 10 // of an element
	body := make([]byte, 0, (p.to-p.from+1)*usual)
	if !p.bare {
		body = append(body, `{"Items":`...)
	}
	body = append(body, '[')
	for i := p.from; i < p.to; i++ {
		if i > p.from {
			body = append(body, ',')
		}
		body = append(body, p.list.at(i)...)
	}
	body = append(body, ']')
	if !p.bare {
		if p.total >= 0 {
			body = strconv.AppendInt(append(body, `,"TotalHits":`...), int64(p.total), 10)
		}
		body = append(body, '}')
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body)
}

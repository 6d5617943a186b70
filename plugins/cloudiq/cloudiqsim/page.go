// SPDX-License-Identifier: Apache-2.0

package cloudiqsim

import (
	"net/http"
	"strconv"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// write answers with a page, in its envelope or bare.
func (a *api) write(w http.ResponseWriter, p simulator.Page) {
	const usual = 1 << 10 // of an element
	body := make([]byte, 0, (p.To-p.From+1)*usual)
	if a.bare {
		body = p.Append(body)
	} else {
		body = p.Append(append(body, `{"Items":`...))
		if p.Total >= 0 {
			body = strconv.AppendInt(append(body, `,"TotalHits":`...), int64(p.Total), 10)
		}
		body = append(body, '}')
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body)
}

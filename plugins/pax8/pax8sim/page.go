// SPDX-License-Identifier: Apache-2.0

package pax8sim

import (
	"fmt"
	"net/http"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// write answers with a page. One that does not say of how many it is says nothing of itself at all.
func write(w http.ResponseWriter, p simulator.Page) {
	body := p.Append([]byte(`{"content":`))
	if p.Total >= 0 {
		pages := (p.Total + p.Size - 1) / p.Size
		body = fmt.Appendf(body, `,"page":{"size":%d,"totalElements":%d,"totalPages":%d,"number":%d}`, p.Size, p.Total, pages, p.Number)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '}'))
}

// SPDX-License-Identifier: Apache-2.0

package prismsim

import "net/http"

const controlPrefix = "/_control/"

func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	http.NotFound(w, r)
}

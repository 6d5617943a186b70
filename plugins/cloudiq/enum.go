// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/tallymanhq/tallyman/sdk/rest"
)

// enum is one of Cloud-iQ's enumerations: its numbers, with Crayon's words for them and what they mean.
type enum[M any] map[int64]meaning[M]

type meaning[M any] struct {
	word  string
	means M
}

// of gives what a value means, and Crayon's word for it. Numbers are documented; a word is understood as well. What is not
// known means the zero value and is given as it came.
func (e enum[M]) of(v rest.Value) (M, string) {
	if n, ok := v.Int(); ok {
		if known, ok := e[n]; ok {
			return known.means, known.word
		}
	}
	text := strings.TrimSpace(v.Text())
	for _, known := range e {
		if strings.EqualFold(known.word, text) {
			return known.means, known.word
		}
	}
	var unknown M
	return unknown, text
}

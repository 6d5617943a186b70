// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"strings"
	"unicode/utf8"
)

// Clean gives text that the wire and every database take: valid UTF-8 without NUL. What is not becomes U+FFFD, so that a
// person sees that something was there. Clean text, the usual case, is returned as it is.
func Clean(text string) string {
	if utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// Cut shortens text to at most limit bytes at a character boundary and says so in the text.
func Cut(text string, limit int) string {
	const note = " … (cut)"
	if len(text) <= limit {
		return text
	}
	end := max(limit-len(note), 0)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + note
}

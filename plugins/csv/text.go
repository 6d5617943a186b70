// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"unicode"
)

// trim removes the white space around a text, that without width and without break included.
func trim(text string) string {
	if text == "" || text[0] > ' ' && text[0] < 0x7f && text[len(text)-1] > ' ' && text[len(text)-1] < 0x7f {
		return text
	}
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' })
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

func hasNUL(text string) bool { return strings.IndexByte(text, 0) >= 0 }

// fold gives a name as names are compared: letters and digits alone, without case. "Subscription ID" and
// "subscription_id" are the same name.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// naturally compares names as people order them: numbers in them by their value, so that invoice-10 follows invoice-9.
func naturally(a, b string) int {
	for a != "" && b != "" {
		x, y := digitsOf(a), digitsOf(b)
		if x == "" || y == "" {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		a, b = a[len(x):], b[len(y):]
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

func digitsOf(text string) string {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return text[:n]
}

// short shows a value in a message, cut if it is long.
func short(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/mattn/go-runewidth"
)

// snippetWidth is how much of a line is shown at most, in columns.
const snippetWidth = 120

// longestLine is how long a line may be that is shown at all, in bytes.
const longestLine = 4000

// piece is a part of a line as it is shown.
type piece struct {
	// from and to are its bytes in the file.
	from, to int
	text     string
}

// snippet gives the first line of a place and the mark under it. Nothing that may be a secret is in it.
func (s *source) snippet(at hcl.Range, hiddenParts []span) (line, caret string) {
	raw, start := s.line(at.Start.Line)
	raw = s.withoutComment(raw, start)
	if len(raw) == 0 || len(raw) > longestLine {
		return "", ""
	}
	if s.broken {
		hiddenParts = s.guess(at.Start.Line)
	}
	pieces := cutLine(s.bytes, span{start, start + len(raw)}, hiddenParts)
	var shown strings.Builder
	from, to := -1, 0
	for _, p := range pieces {
		width := runewidth.StringWidth(shown.String())
		if p.text == hidden {
			if p.to > at.Start.Byte && from < 0 {
				from = width
			}
			if p.from < at.End.Byte {
				to = width + len(hidden)
			}
		} else {
			if p.to > at.Start.Byte && from < 0 {
				from = width + runewidth.StringWidth(p.text[:max(at.Start.Byte-p.from, 0)])
			}
			if p.from < at.End.Byte {
				to = width + runewidth.StringWidth(p.text[:min(at.End.Byte-p.from, len(p.text))])
			}
		}
		shown.WriteString(p.text)
	}
	text := strings.TrimRight(shown.String(), " ")
	if from < 0 {
		from = runewidth.StringWidth(text)
	}
	to = min(to, max(runewidth.StringWidth(text), from+1))
	if skip := from - snippetWidth/2; from > snippetWidth-20 && skip > 0 {
		cut := runewidth.TruncateLeft(text, skip, "… ")
		moved := runewidth.StringWidth(text) - runewidth.StringWidth(cut)
		text, from, to = cut, from-moved, to-moved
	}
	if runewidth.StringWidth(text) > snippetWidth {
		text = runewidth.Truncate(text, snippetWidth, " …")
		to = min(to, snippetWidth)
	}
	return text, strings.Repeat(" ", max(from, 0)) + strings.Repeat("^", max(to-from, 1))
}

// tokensIn gives the tokens that stand in a part of the file, or reach into it.
func (s *source) tokensIn(part span) hclsyntax.Tokens {
	first := sort.Search(len(s.tokens), func(i int) bool { return s.tokens[i].Range.End.Byte > part.from })
	last := first
	for last < len(s.tokens) && s.tokens[last].Range.Start.Byte < part.to {
		last++
	}
	return s.tokens[first:last]
}

// withoutComment cuts a comment off the end of a line: there may be anything in it.
func (s *source) withoutComment(raw []byte, start int) []byte {
	for _, t := range s.tokensIn(span{start, start + len(raw)}) {
		if at := t.Range.Start.Byte; at >= start && t.Type == hclsyntax.TokenComment && t.Bytes[len(t.Bytes)-1] == '\n' {
			return bytes.TrimRight(raw[:at-start], " \t")
		}
	}
	return raw
}

// cutLine takes a line apart into what is shown and what is hidden. Pieces have as many bytes as they stand for, or are
// "***".
func cutLine(content []byte, line span, parts []span) []piece {
	var inside []span
	for _, p := range parts {
		if p.to > line.from && p.from < line.to {
			inside = append(inside, span{max(p.from, line.from), min(p.to, line.to)})
		}
	}
	slices.SortFunc(inside, func(a, b span) int { return a.from - b.from })
	var pieces []piece
	at := line.from
	show := func(to int) {
		if to > at {
			pieces = append(pieces, piece{at, to, printableBytes(content[at:to])})
		}
	}
	for _, p := range inside {
		if p.to <= at {
			continue
		}
		show(p.from)
		p.from = max(p.from, at)
		if n := len(pieces); n > 0 && pieces[n-1].text == hidden && pieces[n-1].to == p.from {
			pieces[n-1].to = p.to
		} else {
			pieces = append(pieces, piece{p.from, p.to, hidden})
		}
		at = p.to
	}
	show(line.to)
	return pieces
}

// printableBytes replaces what a terminal would act on, without changing how many bytes there are.
func printableBytes(b []byte) string {
	text := []byte(strings.ToValidUTF8(string(b), ""))
	if len(text) != len(b) {
		text = slices.Clone(b)
		for i, c := range text {
			if c >= 0x80 {
				text[i] = '?'
			}
		}
	}
	var out strings.Builder
	for _, r := range string(text) {
		if clean := oneLine(string(r)); clean != string(r) {
			out.WriteString(strings.Repeat(" ", len(string(r))))
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

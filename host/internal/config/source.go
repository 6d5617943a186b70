// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	// maxFile bounds a configuration file, in bytes.
	maxFile = 16 << 20
	// maxNesting bounds brackets within brackets, and maxTokens what stands between two settings: the parser calls itself.
	maxNesting = 30
	maxTokens  = 20_000
	// maxSyntaxProblems bounds what is told of a file that is not HCL at all.
	maxSyntaxProblems = 20
)

// source is one configuration file.
type source struct {
	name string
	// dir is its folder; file("…") is taken from there.
	dir   string
	order int
	bytes []byte
	// tokens are all of it, broken or not.
	tokens hclsyntax.Tokens
	// body is what the parser made of it. Of a broken file only what stands before firstBad is to be believed; nil: nothing.
	body *hclsyntax.Body
	// broken files have their first mistake in the line firstBad.
	broken   bool
	firstBad int
	// hidden are the parts that a message must not show: everything but names and what the host's own settings hold.
	hidden []span
	// settings have hidden parts of their own, which depend on the plugin.
	settings map[*hclsyntax.Body]*settingsBlock
	// lines are the offsets at which lines begin.
	lines []int
}

// path is where the file is.
func (s *source) path() string { return filepath.Join(s.dir, filepath.Base(s.name)) }

// span is a part of a file, in bytes.
type span struct{ from, to int }

func spanOf(r hcl.Range) span { return span{r.Start.Byte, r.End.Byte} }

// parse reads a file. Its problems are those of the language only.
func parse(name string, order int, content []byte) (*source, []Problem) {
	s := &source{name: name, order: order, bytes: content, dir: filepath.Dir(name), firstBad: math.MaxInt, lines: []int{0}, settings: map[*hclsyntax.Body]*settingsBlock{}}
	if full, err := filepath.Abs(s.dir); err == nil {
		s.dir = full
	}
	if len(content) > maxFile {
		s.bytes, s.broken = nil, true
		return s, []Problem{s.problem(wholeFile(name), fmt.Sprintf("is larger than %d MiB", maxFile>>20), "Use a folder of smaller files.")}
	}
	for i, b := range content {
		if b == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	s.tokens, _ = hclsyntax.LexConfig(content, name, hcl.InitialPos)
	if at, message := s.tooComplex(); message != "" {
		s.broken, s.firstBad = true, at.Start.Line
		return s, []Problem{s.problem(at, message, "")}
	}
	file, diags := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
	s.body, _ = file.Body.(*hclsyntax.Body)
	if diags.HasErrors() {
		s.broken = true
		for i, d := range diags {
			if d.Summary == redefined || d.Summary == badEscape {
				// The rest of the file is as it seems.
				continue
			}
			for _, r := range []*hcl.Range{d.Subject, d.Context} {
				if r != nil {
					s.firstBad = min(s.firstBad, r.Start.Line)
				}
			}
			if d.Summary == notClosed {
				// From here on, text and what is not text are mixed up.
				diags = diags[:i+1]
				break
			}
		}
		// The first mistake is followed by many that are none.
		diags = diags[:min(len(diags), maxSyntaxProblems)]
		problems := make([]Problem, 0, len(diags))
		for _, d := range diags {
			problems = append(problems, s.syntaxProblem(d))
		}
		return s, problems
	}
	return s, nil
}

func wholeFile(name string) hcl.Range {
	return hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
}

// tooComplex finds what would let the parser call itself too often.
func (s *source) tooComplex() (hcl.Range, string) {
	depth, run := 0, 0
	for i, t := range s.tokens {
		run++
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp,
			hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			if depth++; depth > maxNesting {
				return t.Range, "too many brackets within brackets"
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd,
			hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			depth = max(depth-1, 0)
		case hclsyntax.TokenEqual:
			if i > 0 && s.tokens[i-1].Type == hclsyntax.TokenIdent {
				run = 0
			}
		}
		if run > maxTokens {
			return t.Range, "this is too long for one value"
		}
	}
	return hcl.Range{}, ""
}

var redefinedAt = regexp.MustCompile(`:(\d+),(\d+)-\d`)

// What the parser calls the mistakes that need care.
const (
	redefined = "Attribute redefined"
	badEscape = "Invalid escape sequence"
	notClosed = "Invalid multi-line string"
)

var quotedText = regexp.MustCompile(`"[^"]*"|\[[^\]]*\]`)

// syntaxProblem turns what the parser says into a problem. What it quotes from the file is masked where the file's own
// line would be.
func (s *source) syntaxProblem(d *hcl.Diagnostic) Problem {
	at := wholeFile(s.name)
	if d.Subject != nil {
		at = *d.Subject
	}
	if d.Summary == notClosed {
		return s.problem(at, "this text is not closed", "Write a quote at its end. Text of several lines stands between <<EOT and EOT.")
	}
	if place := redefinedAt.FindStringSubmatch(d.Detail); d.Summary == redefined && place != nil {
		return s.problem(at, "this is set twice", fmt.Sprintf("It is at %s:%s:%s, too. Remove one of them.", s.name, place[1], place[2]))
	}
	detail := d.Detail
	if masked := s.maskedTexts(at, d.Context); len(masked) > 0 {
		detail = quotedText.ReplaceAllStringFunc(detail, func(quoted string) string {
			for _, text := range masked {
				if strings.Contains(quoted, text) {
					return quoted[:1] + hidden + quoted[len(quoted)-1:]
				}
			}
			return quoted
		})
	}
	return s.problem(at, strings.ToLower(d.Summary[:1])+d.Summary[1:], detail)
}

// maskedTexts gives what the lines around a mistake hold and must not be shown.
func (s *source) maskedTexts(at hcl.Range, context *hcl.Range) []string {
	first, last := at.Start.Line, at.End.Line
	if context != nil {
		first, last = min(first, context.Start.Line), max(last, context.End.Line)
	}
	var texts []string
	_, from := s.line(first)
	_, to := s.line(last + 1)
	for _, t := range s.tokensIn(span{from, to}) {
		switch t.Type {
		case hclsyntax.TokenIdent, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenNumberLit:
			text := string(bytes.TrimSpace(t.Bytes))
			if text != "" && !slices.Contains(knownNames, text) {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// problem makes a problem of a place in the file. Its line is shown with what must not be seen masked.
func (s *source) problem(at hcl.Range, message, hint string) Problem {
	return s.problemHiding(at, message, hint, nil, nil)
}

// problemHiding hides other parts of one settings block than it does by itself.
func (s *source) problemHiding(at hcl.Range, message, hint string, block *settingsBlock, instead []span) Problem {
	at.Filename = s.name
	at.Start.Line, at.Start.Column = max(at.Start.Line, 1), max(at.Start.Column, 1)
	p := Problem{Origin: fileOrigin(at), Message: message, Hint: hint, order: s.order}
	parts := slices.Clone(s.hidden)
	for _, other := range s.settings {
		if other == block {
			parts = append(parts, instead...)
		} else {
			parts = append(parts, other.hidden...)
		}
	}
	p.source, p.caret = s.snippet(at, parts)
	return p
}

// line gives the line with a number, and the offset at which it begins.
func (s *source) line(number int) ([]byte, int) {
	if number < 1 || number > len(s.lines) {
		return nil, len(s.bytes)
	}
	from, to := s.lines[number-1], len(s.bytes)
	if number < len(s.lines) {
		to = s.lines[number] - 1
	}
	return bytes.TrimSuffix(s.bytes[from:to], []byte("\r")), from
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// knownNames are the names of blocks and settings of the host's own, and of what values are made of.
var knownNames = func() []string {
	names := []string{"env", "file", "true", "false", "null"}
	var collect func(b *block)
	collect = func(b *block) {
		names = append(names, b.names()...)
		for _, inner := range b.blocks {
			collect(inner)
		}
	}
	collect(schema)
	return names
}()

// shownAttributes are the settings of the host's own whose values may be shown even where the file is broken.
var shownAttributes = func() map[string]bool {
	names := map[string]bool{}
	var collect func(b *block)
	collect = func(b *block) {
		for _, a := range b.attributes {
			names[a.name] = a.kind != kindSecret
		}
		for _, inner := range b.blocks {
			collect(inner)
		}
	}
	collect(schema)
	return names
}()

// guess hides what may be a secret in a line of a broken file, where nobody knows what belongs to what. It shows names,
// labels, punctuation, env("…") and file("…"), and the values of the host's own settings.
func (s *source) guess(number int) []span {
	raw, start := s.line(number)
	end := start + len(raw)
	tokens := s.tokensIn(span{start, end})
	if len(tokens) == 0 || tokens[0].Range.Start.Byte < start {
		return []span{{start, end}}
	}
	g := guesser{
		tokens: tokens, inSettings: s.inSettings(number), trusted: number <= s.firstBad && s.begins(start),
		blank: span{start, end},
	}
	return g.run()
}

// begins reports whether a statement begins at the beginning of a line, and does not go on from the one before.
func (s *source) begins(start int) bool {
	before := s.tokensIn(span{0, start})
	open := 0
	last := hclsyntax.TokenNewline
	for _, t := range before {
		switch t.Type {
		case hclsyntax.TokenNewline, hclsyntax.TokenComment:
			continue
		case hclsyntax.TokenOBrack, hclsyntax.TokenOParen:
			open++
		case hclsyntax.TokenCBrack, hclsyntax.TokenCParen:
			open--
		}
		last = t.Type
	}
	if open > 0 {
		return false
	}
	switch last {
	case hclsyntax.TokenNewline, hclsyntax.TokenOBrace, hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen,
		hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenNumberLit, hclsyntax.TokenIdent:
		return true
	}
	return false
}

// inSettings reports whether a line of a broken file may belong to a settings block: nothing of the host's own has begun
// since the last line with the word.
func (s *source) inSettings(number int) bool {
	for n := number - 1; n >= 1; n-- {
		raw, _ := s.line(n)
		words := strings.FieldsFunc(string(raw), func(r rune) bool { return !(r == '_' || r == '-' || r >= 'a' && r <= 'z') })
		if slices.Contains(words, settingsName) {
			return true
		}
		text := strings.TrimSpace(string(raw))
		for _, name := range hostBlocks {
			if rest, ok := strings.CutPrefix(text, name); ok && strings.HasSuffix(strings.TrimSpace(rest), "{") &&
				!strings.Contains(rest, "=") {
				return false
			}
		}
	}
	return false
}

// settingForm is what the name of a plugin's setting looks like.
var settingForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

// hostBlocks are the blocks of the host's own that can follow a settings block.
var hostBlocks = func() []string {
	var names []string
	var collect func(b *block)
	collect = func(b *block) {
		for _, inner := range b.blocks {
			if !inner.opaque {
				names = append(names, inner.name)
				collect(inner)
			}
		}
	}
	collect(schema)
	return names
}()

// guesser goes through the tokens of one line.
type guesser struct {
	tokens hclsyntax.Tokens
	// inSettings lines belong to a plugin; trusted ones stand before the first mistake.
	inSettings, trusted bool
	blank               span
	shown               []span
}

func (g *guesser) show(from, to int) {
	g.shown = append(g.shown, span{g.tokens[from].Range.Start.Byte, g.tokens[to].Range.End.Byte})
}

func (g *guesser) is(i int, kind hclsyntax.TokenType) bool {
	return i < len(g.tokens) && g.tokens[i].Type == kind
}

// call reports whether env("…") or file("…") begins there.
func (g *guesser) call(i int) bool {
	name := string(g.tokens[i].Bytes)
	return (name == "env" || name == "file") && g.is(i+1, hclsyntax.TokenOParen) && g.is(i+2, hclsyntax.TokenOQuote) &&
		g.is(i+3, hclsyntax.TokenQuotedLit) && g.is(i+4, hclsyntax.TokenCQuote) && g.is(i+5, hclsyntax.TokenCParen)
}

// goesOn reports whether what follows a part of a value may belong to it. Where a line end is missing it does not.
func (g *guesser) goesOn(i int) bool {
	switch g.tokens[i].Type {
	case hclsyntax.TokenCQuote, hclsyntax.TokenNumberLit, hclsyntax.TokenIdent, hclsyntax.TokenCBrack:
		return i+1 >= len(g.tokens) || isBracket(g.tokens[i+1].Type) || g.is(i+1, hclsyntax.TokenNewline) || g.is(i+1, hclsyntax.TokenEOF)
	}
	return true
}

func (g *guesser) run() []span {
	// atStart: a name may stand here. inValue: a value has begun, and visible says whether it may be shown.
	atStart, inValue, visible := true, false, false
	for i := 0; i < len(g.tokens); i++ {
		t := g.tokens[i]
		switch {
		case t.Type == hclsyntax.TokenNewline || t.Type == hclsyntax.TokenEOF:
		case t.Type == hclsyntax.TokenComment:
			continue
		case t.Type == hclsyntax.TokenIdent && g.call(i):
			g.show(i, i+5)
			i += 5
			atStart = false
		case inValue:
			visible = visible && !(t.Type == hclsyntax.TokenQuotedLit && bytes.ContainsRune(t.Bytes, '='))
			if visible || isBracket(t.Type) {
				g.show(i, i)
			}
			visible = visible && g.goesOn(i)
		case t.Type == hclsyntax.TokenOBrace:
			g.show(i, i)
			atStart = true
		case isBracket(t.Type):
			g.show(i, i)
		case atStart && t.Type == hclsyntax.TokenIdent && g.is(i+1, hclsyntax.TokenEqual):
			name := string(t.Bytes)
			if g.trusted && settingForm.MatchString(name) || slices.Contains(knownNames, name) {
				g.show(i, i)
			}
			g.show(i+1, i+1)
			i++
			atStart, inValue, visible = false, true, shownAttributes[name] && !g.inSettings
		case atStart && t.Type == hclsyntax.TokenIdent && g.trusted && settingForm.Match(t.Bytes) && !slices.Contains(knownNames, string(t.Bytes)) &&
			(g.is(i+1, hclsyntax.TokenColon) && g.is(i+4, hclsyntax.TokenCQuote) || g.is(i+1, hclsyntax.TokenOQuote) && g.is(i+3, hclsyntax.TokenCQuote)):
			// client_secret: "…" and client_secret "…" lack an equals sign.
			g.show(i, i)
			inValue, visible = true, false
		case atStart && t.Type == hclsyntax.TokenIdent && slices.Contains(knownNames, string(t.Bytes)):
			g.show(i, i)
			if string(t.Bytes) == settingsName {
				g.inSettings = true
				atStart = false
				continue
			}
			if name := string(t.Bytes); (name == "tenant" || name == "module") && g.is(i+1, hclsyntax.TokenOQuote) &&
				g.is(i+2, hclsyntax.TokenQuotedLit) && g.is(i+3, hclsyntax.TokenCQuote) && !g.inSettings && nameForm.Match(g.tokens[i+2].Bytes) {
				g.show(i+1, i+3)
				i += 3
			}
			atStart = false
		default:
			atStart = false
		}
	}
	return g.rest()
}

// rest gives what is not shown, but for the blanks around it.
func (g *guesser) rest() []span {
	var parts []span
	for _, t := range g.tokens {
		at := spanOf(t.Range)
		at.to = min(at.to, g.blank.to)
		if at.from >= at.to || t.Type == hclsyntax.TokenNewline {
			continue
		}
		if !slices.ContainsFunc(g.shown, func(s span) bool { return s.from <= at.from && at.to <= s.to }) {
			// What stands between two hidden parts is hidden, too.
			if n := len(parts); n > 0 && !slices.ContainsFunc(g.shown, func(s span) bool { return s.from >= parts[n-1].to && s.to <= at.from }) {
				parts[n-1].to = at.to
				continue
			}
			parts = append(parts, at)
		}
	}
	return parts
}

func isBracket(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenOBrace, hclsyntax.TokenCBrace, hclsyntax.TokenOBrack, hclsyntax.TokenCBrack, hclsyntax.TokenOParen,
		hclsyntax.TokenCParen, hclsyntax.TokenComma:
		return true
	}
	return false
}

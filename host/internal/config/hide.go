// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// hideComments marks them: there may be anything in them.
func (s *source) hideComments() {
	for _, t := range s.tokens {
		if t.Type == hclsyntax.TokenComment {
			s.hidden = append(s.hidden, span{t.Range.Start.Byte, t.Range.Start.Byte + len(strings.TrimRight(string(t.Bytes), "\r\n"))})
		}
	}
}

// hide marks what messages must not show before the first of them is made.
func (l *loader) hide(s *source, body *hclsyntax.Body, b *block) {
	for _, attribute := range body.Attributes {
		// An address may hold a password, against the rule.
		if a := b.attribute(attribute.Name); a == nil || a.kind == kindSecret || a.check == "url" {
			s.hidden = append(s.hidden, l.hiddenIn(attribute.Expr)...)
		}
		l.note(attribute.Expr)
	}
	for _, inner := range body.Blocks {
		switch known := b.block(inner.Type); {
		case known == nil:
			for _, r := range inner.LabelRanges {
				s.hidden = append(s.hidden, spanOf(r))
			}
			from, to := inner.OpenBraceRange.End.Byte, inner.CloseBraceRange.Start.Byte
			for from < to && isBlank(s.bytes[from]) {
				from++
			}
			for from < to && isBlank(s.bytes[to-1]) {
				to--
			}
			s.hidden = append(s.hidden, span{from, to})
		case known.opaque:
			settings := &settingsBlock{source: s, body: inner.Body, at: inner.DefRange()}
			for _, r := range inner.LabelRanges {
				s.hidden = append(s.hidden, spanOf(r))
			}
			settings.hidden = l.hiddenInBody(inner.Body)
			s.settings[inner.Body] = settings
		default:
			if !known.labelled {
				for _, r := range inner.LabelRanges {
					s.hidden = append(s.hidden, spanOf(r))
				}
			}
			l.hide(s, inner.Body, known)
		}
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// hiddenInBody hides all values of a body that belongs to a plugin.
func (l *loader) hiddenInBody(body *hclsyntax.Body) []span {
	var parts []span
	for _, attribute := range body.Attributes {
		parts = append(parts, l.hiddenIn(attribute.Expr)...)
		l.note(attribute.Expr)
	}
	for _, inner := range body.Blocks {
		for _, r := range inner.LabelRanges {
			parts = append(parts, spanOf(r))
		}
		parts = append(parts, l.hiddenInBody(inner.Body)...)
	}
	return parts
}

// hiddenIn hides an expression, unless it is an env or a file: these may be shown.
func (l *loader) hiddenIn(expr hclsyntax.Expression) []span {
	if _, arg, ok := call(expr); ok && argument(arg) != "" {
		return nil
	}
	return []span{spanOf(expr.Range())}
}

// note remembers the variables an expression reads.
func (l *loader) note(expr hclsyntax.Expression) {
	_ = hclsyntax.VisitAll(expr, func(node hclsyntax.Node) hcl.Diagnostics {
		if e, ok := node.(hclsyntax.Expression); ok {
			if name, arg, ok := call(e); ok && name == "env" {
				l.referenced[argument(arg)] = true
			}
		}
		return nil
	})
}

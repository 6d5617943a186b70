// SPDX-License-Identifier: Apache-2.0

// Package notify tells people what is not as it should be with a module, and when it is over.
//
// Nothing is told of a run as such. What a module's runs say is compared with the incidents that are open: Decide is that
// comparison, without database and clock. An incident is opened, told once, told again after a while, and closed; the database
// keeps it, so that of several programs one tells. What is to be sent waits in the database for a channel that works: each
// message arrives at least once, and twice only if a program ends between sending it and noting that it did.
package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Kind is what a message is about.
type Kind string

// The kinds of messages.
const (
	// Failed: the last sync failed.
	Failed Kind = "failed"
	// Held: changes wait for a person.
	Held Kind = "held"
	// Warning: the last sync has warnings.
	Warning Kind = "warning"
	// Stale: the picture of a module was not known to be right for too long.
	Stale Kind = "stale"
	// Stopped: the distributor refuses the credentials, and nothing is tried any more.
	Stopped Kind = "stopped"
	// Expiring: the credentials stop working soon.
	Expiring Kind = "expiring"
	// Recovered: something of the above is over.
	Recovered Kind = "recovered"
	// Digest: a summary of all modules.
	Digest Kind = "digest"
	// Test: somebody tries a channel.
	Test Kind = "test"
)

// Severity is how much it matters.
type Severity string

// The severities, the least first.
const (
	Info   Severity = "info"
	Warn   Severity = "warning"
	Severe Severity = "error"
)

var severities = []Severity{Info, Warn, Severe}

// AtLeast reports whether it matters as much as another.
func (s Severity) AtLeast(least Severity) bool {
	return slices.Index(severities, s) >= slices.Index(severities, least)
}

// severity gives that of a kind.
func (k Kind) severity() Severity {
	switch k {
	case Failed, Stale, Stopped:
		return Severe
	case Held, Warning, Expiring:
		return Warn
	default:
		return Info
	}
}

// Message is what somebody is told.
type Message struct {
	Kind     Kind     `json:"kind"`
	Severity Severity `json:"severity"`
	// Tenant and Module are names; empty in a digest.
	Tenant string `json:"tenant,omitempty"`
	Module string `json:"module,omitempty"`
	// Run is the number of the run that says so; 0: none does.
	Run int64 `json:"run,omitempty"`
	// Subject is one line.
	Subject string `json:"subject"`
	// What says what happened; Details why, in lines; Next what to do, in commands and sentences.
	What    string    `json:"what"`
	Details []string  `json:"details,omitempty"`
	Next    []string  `json:"next,omitempty"`
	At      time.Time `json:"at"`
}

const (
	// longestSubject and longestLine bound what a distributor's texts and customers' names can make of a message, in
	// characters; mostLines how many lines of details it has.
	longestSubject, longestLine, mostLines = 120, 300, 10
)

// tidy bounds a message and makes its texts fit to be shown anywhere.
func (m *Message) tidy() *Message {
	m.Subject, m.What = line(m.Subject, longestSubject), line(m.What, 2*longestLine)
	m.Details = lines(m.Details)
	return m
}

// lines gives the first of several lines, and says how many are left out.
func lines(all []string) []string {
	shown := make([]string, 0, min(len(all), mostLines)+1)
	for _, text := range all[:min(len(all), mostLines)] {
		shown = append(shown, line(text, longestLine))
	}
	if left := len(all) - len(shown); left > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", left))
	}
	return shown
}

// line gives text in one line of at most so many characters, without any that change how the rest is shown.
func line(text string, longest int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest-1]) + "…"
	}
	return text
}

// Text gives the message without its subject, as plain text.
func (m *Message) Text() string {
	var b strings.Builder
	b.WriteString(m.What + "\n")
	for i, text := range m.Details {
		if i == 0 {
			b.WriteByte('\n')
		}
		b.WriteString("- " + text + "\n")
	}
	if len(m.Next) > 0 {
		b.WriteString("\nWhat to do:\n")
	}
	for _, text := range m.Next {
		b.WriteString("  " + text + "\n")
	}
	return b.String()
}

// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is what is shown in place of a secret.
const hidden = "***"

// Secret is text that must not be shown. Printed, logged or marshalled in whatever way it reads "***"; only Reveal gives
// the text. The zero value is an absent secret.
type Secret struct {
	// A pointer, because fmt prints the unexported fields of a struct around this one without asking Format.
	text *string
}

var (
	_ fmt.Formatter  = Secret{}
	_ slog.LogValuer = Secret{}
)

// NewSecret hides text. Settings are filled by the SDK; this is for tests and for tokens fetched later.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal gives the text. Give it to the distributor and to nothing else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsAbsent reports whether there is no text.
func (s Secret) IsAbsent() bool { return s.text == nil }

// String gives "***".
func (s Secret) String() string { return hidden }

// GoString gives "***".
func (s Secret) GoString() string { return hidden }

// Format writes "***" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// MarshalText gives "***".
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON gives "***" in quotes.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// LogValue gives "***".
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

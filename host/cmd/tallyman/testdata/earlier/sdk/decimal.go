// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// Decimal is an exact decimal number, or absent. The zero value is absent, which is not zero.
//
// It holds canonical text: no exponent, no leading or trailing zeros, no "-0". Two Decimals are equal exactly when
// they are the same number, so == works.
type Decimal struct{ text string }

// maxDecimalText bounds how long a number may be written, and how many digits it may have, so that "1e999999999" is an
// error and not a gigabyte.
const maxDecimalText = 64

// ParseDecimal reads a number such as "25", "27.360", "-1e2". Empty text is absent.
func ParseDecimal(text string) (Decimal, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Decimal{}, nil
	}
	if plain(text) {
		return Decimal{text}, nil
	}
	if len(text) > maxDecimalText {
		return Decimal{}, fmt.Errorf("number of %d characters is too long (at most %d)", len(text), maxDecimalText)
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return Decimal{}, fmt.Errorf("%q is not a number", text)
	}
	if e := d.Exponent(); e > maxDecimalText || e < -maxDecimalText {
		return Decimal{}, fmt.Errorf("%q has too many digits (at most %d)", text, maxDecimalText)
	}
	canonical := d.String()
	if len(canonical) > maxDecimalText {
		return Decimal{}, fmt.Errorf("%q has too many digits (at most %d)", text, maxDecimalText)
	}
	return Decimal{canonical}, nil
}

// plain reports whether text is canonical already, the usual case, which needs no parsing: "25", "27.36".
func plain(text string) bool {
	if len(text) > maxDecimalText {
		return false
	}
	whole, fraction, hasFraction := strings.Cut(text, ".")
	if !digits(whole) || (whole[0] == '0' && len(whole) > 1) {
		return false
	}
	return !hasFraction || (digits(fraction) && fraction[len(fraction)-1] != '0')
}

func digits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// Int makes a whole number.
func Int(n int64) Decimal { return Decimal{strconv.FormatInt(n, 10)} }

// IsAbsent reports whether there is no number.
func (d Decimal) IsAbsent() bool { return d.text == "" }

// String gives the canonical text; empty when absent.
func (d Decimal) String() string { return d.text }

// Big gives the number for arithmetic; zero when absent.
func (d Decimal) Big() decimal.Decimal {
	if d.text == "" {
		return decimal.Decimal{}
	}
	return decimal.RequireFromString(d.text)
}

// MarshalText gives the canonical text.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.text), nil }

// UnmarshalText reads what MarshalText wrote, or any number ParseDecimal takes.
func (d *Decimal) UnmarshalText(text []byte) error {
	parsed, err := ParseDecimal(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// UnmarshalJSON reads a JSON number or a number in quotes, exactly as it is written; null is absent.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	text := string(data)
	switch {
	case text == "null":
		text = ""
	case len(text) >= 2 && text[0] == '"':
		text = text[1 : len(text)-1]
	}
	return d.UnmarshalText([]byte(text))
}

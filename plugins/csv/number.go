// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/tallymanhq/tallyman/sdk"
)

// The decimal marks, as the setting names them.
const (
	point = "point"
	comma = "comma"
)

// decimals is what the numbers of a file tell about their decimal mark.
type decimals struct{ points, commas bool }

// see takes what a number tells.
func (d *decimals) see(text string) {
	text, _ = bare(text)
	if strings.Trim(text, "0123456789.,") != "" {
		return
	}
	switch markOf(text) {
	case point:
		d.points = true
	case comma:
		d.commas = true
	}
}

// unclear is the mark of a number such as 1,234, which is a thousand and more, or little more than one.
const unclear = "unclear"

// markOf tells the decimal mark of a number, "" if it has neither point nor comma.
func markOf(text string) string {
	lastPoint, lastComma := strings.LastIndexByte(text, '.'), strings.LastIndexByte(text, ',')
	switch {
	case lastPoint < 0 && lastComma < 0:
		return ""
	case lastPoint >= 0 && lastComma >= 0: // 1.234,50 or 1,234.50: the last is the decimal mark.
		if lastPoint > lastComma {
			return point
		}
		return comma
	case lastPoint >= 0: // 1.234.567 groups with points.
		if strings.Count(text, ".") > 1 {
			return comma
		}
		// A program writes 1.234 for one and a bit; only a file with decimal commas means a thousand.
		if grouped(text, lastPoint) {
			return ""
		}
		return point
	}
	if strings.Count(text, ",") > 1 {
		return point
	}
	if grouped(text, lastComma) {
		return unclear
	}
	return comma
}

// grouped reports whether what stands before a mark and behind it could be a group of thousands: 1 to 3 digits, 3 digits.
func grouped(text string, at int) bool {
	before := 0
	for i := at - 1; i >= 0 && text[i] >= '0' && text[i] <= '9'; i-- {
		before++
	}
	return before >= 1 && before <= 3 && text[at-before] != '0' && len(digitsOf(text[at+1:])) == 3
}

// errMixed says that the numbers of a file contradict each other.
var errMixed = errors.New(`the file has decimal points and decimal commas; set decimal to "point" or "comma"`)

// choose decides on the mark: what is set, or what the numbers tell. "" means that it does not matter but for numbers
// such as 1,234, which cannot be read then.
func (d *decimals) choose(setting string) (string, error) {
	switch {
	case setting != detect:
		return setting, nil
	case d.points && d.commas:
		return "", errMixed
	case d.points:
		return point, nil
	case d.commas:
		return comma, nil
	default:
		return "", nil
	}
}

// readNumber reads a number as people write it: with groups of thousands, currency signs, a sign behind it, or in
// parentheses for less than zero. Empty text is absent. mark is the decimal mark.
func readNumber(text, mark string) (sdk.Decimal, error) {
	if isPlain(text) && (mark != comma || strings.IndexByte(text, '.') < 0) {
		return sdk.ParseDecimal(text)
	}
	digits, negative := bare(text)
	if digits == "" {
		return sdk.Decimal{}, nil
	}
	if mark == "" {
		switch markOf(digits) {
		case unclear:
			return sdk.Decimal{}, fmt.Errorf(`%q can be read in two ways; set decimal to "point" or "comma"`, short(text))
		case comma:
			mark = comma
		default:
			mark = point
		}
	}
	group, decimal := ",", "."
	if mark == comma {
		group, decimal = ".", ","
	}
	whole, fraction, has := strings.Cut(digits, decimal)
	if !isGrouped(whole, group) || has && !allDigits(fraction) {
		return sdk.Decimal{}, fmt.Errorf("%q is no number with a decimal %s", short(text), mark)
	}
	digits = strings.ReplaceAll(whole, group, "")
	if digits == "" {
		digits = "0"
	}
	if has {
		digits += "." + fraction
	}
	if negative {
		digits = "-" + digits
	}
	return sdk.ParseDecimal(digits)
}

// bare takes off a number what is not its digits and marks: blanks, currency, sign. A dash alone is no number.
func bare(text string) (digits string, negative bool) {
	digits = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Sc, r) || r == '\'' || r == '’' {
			return -1
		}
		return r
	}, text)
	for _, minus := range []string{"−", "–"} {
		digits = strings.ReplaceAll(digits, minus, "-")
	}
	if code, rest := cutCurrency(digits); code != "" {
		digits = rest
	}
	switch {
	case strings.HasPrefix(digits, "(") && strings.HasSuffix(digits, ")"):
		return digits[1 : len(digits)-1], true
	case strings.HasPrefix(digits, "-"):
		return digits[1:], true
	case strings.HasSuffix(digits, "-"):
		return digits[:len(digits)-1], true
	default:
		return strings.TrimPrefix(digits, "+"), false
	}
}

// isPlain reports whether a number is written as programs do: -12.5.
func isPlain(text string) bool {
	text = strings.TrimPrefix(text, "-")
	whole, fraction, has := strings.Cut(text, ".")
	return whole != "" && allDigits(whole) && (!has || fraction != "" && allDigits(fraction))
}

func allDigits(text string) bool { return len(digitsOf(text)) == len(text) }

// isGrouped reports whether the whole part of a number is digits, or groups of three.
func isGrouped(whole, group string) bool {
	parts := strings.Split(whole, group)
	for i, part := range parts {
		if !allDigits(part) || len(parts) > 1 && (i > 0 && len(part) != 3 || i == 0 && (part == "" || len(part) > 3)) {
			return false
		}
	}
	return true
}

// cutCurrency takes a currency code off the beginning or the end of a number: "EUR12.50", "12.50 USD".
func cutCurrency(text string) (code, rest string) {
	if len(text) > 3 && isCurrency(text[:3]) {
		return text[:3], text[3:]
	}
	if at := len(text) - 3; at > 0 && isCurrency(text[at:]) {
		return text[at:], text[:at]
	}
	return "", text
}

// isCurrency reports whether a text has the form of an ISO 4217 code.
func isCurrency(text string) bool {
	for i := range len(text) {
		if text[i] < 'A' || text[i] > 'Z' {
			return false
		}
	}
	return len(text) == 3
}

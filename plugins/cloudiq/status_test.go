// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

func value(t *testing.T, text string) rest.Value {
	t.Helper()
	v, err := rest.ParseValue([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestStatus(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		state  sdk.State
		status string
	}{
		"0":   {sdk.StateUnknown, "None"},
		"1":   {sdk.StateActive, "Active"},
		"2":   {sdk.StateSuspended, "Suspended"},
		"4":   {sdk.StateDeleted, "Deleted"},
		"8":   {sdk.StateCancelled, "CustomerCancellation"},
		"16":  {sdk.StateConverted, "Converted"},
		"32":  {sdk.StateExpired, "Expired"},
		"64":  {sdk.StatePending, "Pending"},
		"128": {sdk.StateCancelled, "Cancelled"},
		"256": {sdk.StateSuspended, "Disabled"},

		"258": {sdk.StateSuspended, "Suspended, Disabled"},
		"136": {sdk.StateCancelled, "CustomerCancellation, Cancelled"},
		"12":  {sdk.StateDeleted, "Deleted, CustomerCancellation"},
		"48":  {sdk.StateConverted, "Converted, Expired"},
		"33":  {sdk.StateUnknown, "Expired, Active"},
		"65":  {sdk.StateUnknown, "Active, Pending"},
		"6":   {sdk.StateUnknown, "Deleted, Suspended"},

		"512":                  {sdk.StateUnknown, "512"},
		"516":                  {sdk.StateUnknown, "Deleted, 512"},
		"1024":                 {sdk.StateUnknown, "1024"},
		"-1":                   {sdk.StateUnknown, "-1"},
		"null":                 {sdk.StateUnknown, ""},
		`"128"`:                {sdk.StateCancelled, "Cancelled"},
		`"expired"`:            {sdk.StateExpired, "Expired"},
		`"Suspended,Disabled"`: {sdk.StateSuspended, "Suspended, Disabled"},
		`"None"`:               {sdk.StateUnknown, "None"},
		`"Paused"`:             {sdk.StateUnknown, "Paused"},
		`"Active, Paused"`:     {sdk.StateUnknown, "Active, Paused"},
		`{"Value":1}`:          {sdk.StateUnknown, ""},
	} {
		if state, status := statusOf(value(t, text)); state != want.state || status != want.status {
			t.Errorf("%s is %v %q, want %v %q", text, state, status, want.state, want.status)
		}
	}
}

// TestEveryStatus goes through every sum of flags: none is an end unless each of its flags is, and each tells all its words.
func TestEveryStatus(t *testing.T) {
	t.Parallel()
	const ends = 4 | 8 | 16 | 32 | 128
	for bits := range 1024 {
		state, status := statusOf(value(t, fmt.Sprint(bits)))
		isOnlyEnds := bits != 0 && bits&^ends == 0
		if isEnd(state) != isOnlyEnds {
			t.Errorf("%d (%s) is %v", bits, status, state)
		}
		if bits > everyStatus && state != sdk.StateUnknown {
			t.Errorf("%d (%s) has a flag that nobody knows and is %v", bits, status, state)
		}
		words := strings.Split(status, ", ")
		n := 0
		for b := bits; b > 0; b &= b - 1 {
			n++
		}
		if len(words) != max(n, 1) {
			t.Errorf("%d is told as %q", bits, status)
		}
	}
}

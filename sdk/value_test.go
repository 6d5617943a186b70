// SPDX-License-Identifier: Apache-2.0

package sdk_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/sdk"
)

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	const text = "correct horse"
	secret := sdk.NewSecret(text)
	type exported struct{ Key sdk.Secret }
	type unexported struct{ key sdk.Secret }
	values := []any{secret, &secret, exported{secret}, unexported{secret}, &unexported{secret}, []sdk.Secret{secret}, map[string]any{"k": unexported{secret}}}

	var shown []string
	for _, verb := range "vsqxXdTpcbeEfFgGtU" {
		for _, flag := range []string{"", "+", "#", "20", "-20", ".3"} {
			for _, value := range values {
				shown = append(shown, fmt.Sprintf("%"+flag+string(verb), value))
			}
		}
	}
	for _, value := range values {
		asJSON, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, string(asJSON), fmt.Sprint(value), fmt.Sprintln(value))
		var log bytes.Buffer
		hclog.New(&hclog.LoggerOptions{Output: &log}).Info("x", "value", value)
		hclog.New(&hclog.LoggerOptions{Output: &log, JSONFormat: true}).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		shown = append(shown, log.String())
	}
	asXML, err := xml.Marshal(exported{secret})
	if err != nil {
		t.Fatal(err)
	}
	shown = append(shown, string(asXML), secret.String(), secret.GoString())
	hexed := fmt.Sprintf("%x", text)
	for _, got := range shown {
		if strings.Contains(got, "horse") || strings.Contains(strings.ToLower(got), hexed[8:16]) {
			t.Errorf("the secret shows in %q", got)
		}
	}
	for _, verb := range []string{"%v", "%s", "%q", "%x", "%+v", "%#v", "%d"} {
		if got := fmt.Sprintf(verb, secret); got != "***" {
			t.Errorf("%s gives %q", verb, got)
		}
	}
	if secret.Reveal() != text || secret.IsAbsent() || !sdk.NewSecret("").IsAbsent() || (sdk.Secret{}).Reveal() != "" {
		t.Error("Reveal and IsAbsent do not tell the text")
	}
}

func TestDatesAndInstants(t *testing.T) {
	t.Parallel()
	sydney := time.FixedZone("Sydney", 11*3600)
	at := time.Date(2025, 3, 13, 1, 30, 0, 500_000_000, sydney)
	if got := sdk.Date(at); got != "2025-03-13" {
		t.Errorf("Date gives %q", got)
	}
	if got := sdk.Instant(at); got != "2025-03-12T14:30:00.5Z" {
		t.Errorf("Instant gives %q", got)
	}
	if sdk.Date(time.Time{}) != "" || sdk.Instant(time.Time{}) != "" {
		t.Error("the zero time is a date")
	}
}

func TestDecimals(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", " ": "", "0": "0", "-0": "0", "-0.00": "0", "25": "25", "007": "7", "27.360": "27.36", "-1e2": "-100", "+5": "5",
		"1.5e-3": "0.0015", "0.10": "0.1", " 3 ": "3", "12345678901234567890.123": "12345678901234567890.123", ".5": "0.5",
	} {
		got, err := sdk.ParseDecimal(text)
		if err != nil || got.String() != want {
			t.Errorf("%q is %q (%v), want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "1,5", "1e999999999", "1e64", "1e-64", "NaN", "Inf", "0x10", "1 2", strings.Repeat("9", 65)} {
		if got, err := sdk.ParseDecimal(text); err == nil {
			t.Errorf("%q is %q, not an error", text, got)
		}
	}
}

func TestDecimalsAreReadFromJSONAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	var got []sdk.Decimal
	if err := json.Unmarshal([]byte(`[25, "25.0", 0.1, 1e2, null, "", 12345678901234567890.12]`), &got); err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(got); text != "[25 25 0.1 100   12345678901234567890.12]" {
		t.Errorf("read %s", text)
	}
	for _, text := range []string{`[true]`, `["x"]`, `[{}]`} {
		if json.Unmarshal([]byte(text), &got) == nil {
			t.Errorf("%s is a number", text)
		}
	}
	if text, err := json.Marshal(sdk.Int(7)); err != nil || string(text) != `"7"` {
		t.Errorf("written %s, %v", text, err)
	}
}

func TestHTTPStatusesHaveAClass(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]sdk.Class{
		204: sdk.ClassSchema, 302: sdk.ClassSchema, 400: sdk.ClassInvalid, 401: sdk.ClassAuth, 403: sdk.ClassPermission,
		404: sdk.ClassNotFound, 405: sdk.ClassUnsupported, 408: sdk.ClassTransient, 422: sdk.ClassInvalid,
		429: sdk.ClassThrottled, 500: sdk.ClassTransient, 501: sdk.ClassUnsupported, 503: sdk.ClassTransient,
	} {
		if got := sdk.ClassOfHTTP(status); got != want {
			t.Errorf("%d is %v, want %v", status, got, want)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package sdk_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/testing/protocmp"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

type region string

type common struct {
	Proxy string `setting:"proxy,url"`
}

// everySetting has a setting of every type.
type everySetting struct {
	common
	ClientID string            `setting:"client_id,required" help:"Client id, from the portal." example:"1234-abcd"`
	Secret   sdk.Secret        `setting:"client_secret,required"`
	PIN      string            `setting:"pin,secret"`
	Sandbox  bool              `setting:"sandbox" default:"false"`
	PageSize int               `setting:"page_size" default:"100"`
	Big      int64             `setting:"big"`
	Margin   sdk.Decimal       `setting:"margin" default:"1.50"`
	Timeout  time.Duration     `setting:"timeout" default:"30s"`
	Endpoint *url.URL          `setting:"endpoint" default:"https://api.example.com/v2"`
	Token    string            `setting:"token_url,url"`
	Region   region            `setting:"region" choices:"eu|us" default:"eu"`
	Scopes   []string          `setting:"scopes"`
	Headers  map[string]string `setting:"headers"`
	Paths    struct {
		Customers string `setting:"customers" default:"/customers"`
		Deep      struct {
			Er string `setting:"er"`
		} `setting:"deep"`
	} `setting:"paths"`
	Unset    string `setting:"-"`
	internal int    //nolint:unused // neither exported nor tagged: no setting
}

func settingsPlugin(got *everySetting, validate func(everySetting) []sdk.Diagnostic) sdk.Plugin[everySetting] {
	return sdk.Plugin[everySetting]{
		Name: "fake", Version: "1.0.0", Validate: validate,
		Connect: func(_ context.Context, s everySetting, _ sdk.Env) (sdk.Distributor, error) {
			*got = s
			return &fake{}, nil
		},
	}
}

func list(values ...string) *distributorv1.SettingValue {
	return &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_List{List: &distributorv1.StringList{Values: values}}}
}

func mapOf(values map[string]string) *distributorv1.SettingValue {
	return &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Map{Map: &distributorv1.StringMap{Values: values}}}
}

func TestSettingsAreDescribed(t *testing.T) {
	t.Parallel()
	response, err := dial(t, settingsPlugin(new(everySetting), nil), nil).Describe(t.Context(), &distributorv1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	type kind = distributorv1.SettingType
	field := func(name string, k kind) *distributorv1.SettingField {
		return &distributorv1.SettingField{Name: name, Type: k}
	}
	with := func(f *distributorv1.SettingField, change func(*distributorv1.SettingField)) *distributorv1.SettingField {
		change(f)
		return f
	}
	byDefault := func(text string) func(*distributorv1.SettingField) {
		return func(f *distributorv1.SettingField) { f.DefaultValue = &text }
	}
	const (
		plain    = distributorv1.SettingType_SETTING_TYPE_STRING
		link     = distributorv1.SettingType_SETTING_TYPE_URL
		whole    = distributorv1.SettingType_SETTING_TYPE_INTEGER
		number   = distributorv1.SettingType_SETTING_TYPE_DECIMAL
		boolean  = distributorv1.SettingType_SETTING_TYPE_BOOLEAN
		duration = distributorv1.SettingType_SETTING_TYPE_DURATION
		texts    = distributorv1.SettingType_SETTING_TYPE_STRING_LIST
		named    = distributorv1.SettingType_SETTING_TYPE_STRING_MAP
	)
	want := []*distributorv1.SettingField{
		field("proxy", link),
		{Name: "client_id", Type: plain, Required: true, Help: "Client id, from the portal.", Example: "1234-abcd"},
		{Name: "client_secret", Type: plain, Required: true, Secret: true},
		{Name: "pin", Type: plain, Secret: true},
		with(field("sandbox", boolean), byDefault("false")),
		with(field("page_size", whole), byDefault("100")),
		field("big", whole),
		with(field("margin", number), byDefault("1.50")),
		with(field("timeout", duration), byDefault("30s")),
		with(field("endpoint", link), byDefault("https://api.example.com/v2")),
		field("token_url", link),
		with(&distributorv1.SettingField{Name: "region", Type: plain, Choices: []string{"eu", "us"}}, byDefault("eu")),
		field("scopes", texts),
		field("headers", named),
		with(field("paths.customers", plain), byDefault("/customers")),
		field("paths.deep.er", plain),
	}
	if diff := cmp.Diff(want, response.GetSettings(), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSettingsAreFilled(t *testing.T) {
	t.Parallel()
	parse := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	margin, err := sdk.ParseDecimal("1.5")
	if err != nil {
		t.Fatal(err)
	}
	defaults := everySetting{
		ClientID: "id", PageSize: 100, Margin: margin, Timeout: 30 * time.Second, Endpoint: parse("https://api.example.com/v2"), Region: "eu",
	}
	defaults.Paths.Customers = "/customers"
	all := everySetting{
		common: common{"http://proxy:8080"}, ClientID: "id", PIN: "0000", Sandbox: true, PageSize: -5, Big: 1 << 40, Margin: sdk.Int(2),
		Timeout: 90 * time.Second, Endpoint: parse("http://localhost:1"), Token: "https://t.example.com", Region: "us",
		Scopes: []string{"a", "b"}, Headers: map[string]string{"x": "y"},
	}
	all.Paths.Customers, all.Paths.Deep.Er = "/c", "!"
	tests := []struct {
		name   string
		values map[string]*distributorv1.SettingValue
		want   everySetting
	}{
		{"with defaults where nothing is given", map[string]*distributorv1.SettingValue{}, defaults},
		{"with everything that is given", map[string]*distributorv1.SettingValue{
			"proxy": text("http://proxy:8080"), "pin": text("0000"), "sandbox": text("true"), "page_size": text("-5"),
			"big": text("1099511627776"), "margin": text("2.0"), "timeout": text("1m30s"), "endpoint": text("http://localhost:1"),
			"token_url": text("https://t.example.com"), "region": text("us"), "scopes": list("a", "b"),
			"headers": mapOf(map[string]string{"x": "y"}), "paths.customers": text("/c"), "paths.deep.er": text("!"),
		}, all},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got everySetting
			test.values["client_id"], test.values["client_secret"] = text("id"), text("hush!")
			configure(t, dial(t, settingsPlugin(&got, nil), nil), test.values)
			if got.Secret.Reveal() != "hush!" {
				t.Errorf("the secret is %q", got.Secret.Reveal())
			}
			options := cmp.Options{sameDecimal, cmp.AllowUnexported(everySetting{}), cmpopts.IgnoreFields(everySetting{}, "Secret", "internal")}
			if diff := cmp.Diff(test.want, got, options); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEverythingWrongWithSettingsIsToldAtOnce(t *testing.T) {
	t.Parallel()
	client := dial(t, settingsPlugin(new(everySetting), nil), nil)
	response, err := client.Configure(t.Context(), &distributorv1.ConfigureRequest{Settings: map[string]*distributorv1.SettingValue{
		"client_secret": text("  "), "pin": list("0000"), "sandbox": text("maybe"), "page_size": text("ten"),
		"big": text("99999999999999999999"), "margin": text("cheap"), "timeout": text("90"), "endpoint": text("/v2"),
		"token_url": text("ftp://x"), "region": text("mars"), "scopes": text("a"), "headers": list("a"), "clientid": text("id"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range response.GetDiagnostics() {
		if d.GetSeverity() != distributorv1.Severity_SEVERITY_ERROR {
			t.Errorf("%v is no error", d)
		}
		got[d.GetField()] = d.GetMessage()
	}
	want := map[string]string{
		"client_id":     "is required",
		"client_secret": "is required, and is empty",
		"pin":           "must be a text, not a list",
		"sandbox":       `"maybe" is neither true nor false`,
		"page_size":     `"ten" is not a whole number in range`,
		"big":           `"99999999999999999999" is not a whole number in range`,
		"margin":        `"cheap" is not a number`,
		"timeout":       `"90" is not a duration such as "90s" or "2m30s"`,
		"endpoint":      `"/v2" is not an absolute URL; it must begin with https:// or http://`,
		"token_url":     `"ftp://x" is not an absolute URL; it must begin with https:// or http://`,
		"region":        `"mars" is none of the values allowed`,
		"scopes":        "must be a list of texts, not a single value",
		"headers":       "must be a map of texts, not a list",
		"clientid":      "there is no such setting",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, d := range response.GetDiagnostics() {
		switch d.GetField() {
		case "client_id":
			if d.GetHint() != `Client id, from the portal. For example "1234-abcd".` {
				t.Errorf("hint %q", d.GetHint())
			}
		case "region":
			if d.GetHint() != "One of eu, us." {
				t.Errorf("hint %q", d.GetHint())
			}
		}
	}
	if e := streamError(t, client); e.Class != sdk.ClassSettings {
		t.Errorf("a plugin that refused its settings answers %v", e)
	}
}

func TestAFewSettingsMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	client := dial(t, settingsPlugin(new(everySetting), nil), nil)
	response, err := client.Configure(t.Context(), &distributorv1.ConfigureRequest{})
	if err != nil || len(response.GetDiagnostics()) != 2 {
		t.Fatalf("%v, %v", response, err)
	}
	configure(t, client, map[string]*distributorv1.SettingValue{"client_id": text("a"), "client_secret": text("b")})
}

func TestSettingsWithWhiteSpaceAroundThemAreWarnedAbout(t *testing.T) {
	t.Parallel()
	var got everySetting
	response, err := dial(t, settingsPlugin(&got, nil), nil).Configure(t.Context(), &distributorv1.ConfigureRequest{
		Settings: map[string]*distributorv1.SettingValue{"client_id": text("id"), "client_secret": text("hush!\n"), "timeout": text(" 5s ")},
	})
	if err != nil || len(response.GetDiagnostics()) != 1 {
		t.Fatalf("%v, %v", response, err)
	}
	d := response.GetDiagnostics()[0]
	if d.GetField() != "client_secret" || d.GetSeverity() != distributorv1.Severity_SEVERITY_WARNING || strings.Contains(d.String(), "hush") {
		t.Errorf("diagnostic %v", d)
	}
	if got.Secret.Reveal() != "hush!\n" || got.Timeout != 5*time.Second {
		t.Errorf("settings are %q and %v", got.Secret.Reveal(), got.Timeout)
	}
}

func TestDiagnosticsOfThePluginItself(t *testing.T) {
	t.Parallel()
	plugin := settingsPlugin(new(everySetting), func(s everySetting) []sdk.Diagnostic {
		return []sdk.Diagnostic{
			{Warning: true, Field: "sandbox", Message: "the sandbox is slow"},
			{Field: "client_secret", Message: "do not reuse " + s.Secret.Reveal(), Hint: "Make another."},
		}
	})
	response, err := dial(t, plugin, nil).Configure(t.Context(), &distributorv1.ConfigureRequest{
		Settings: map[string]*distributorv1.SettingValue{"client_id": text("id"), "client_secret": text("hush-hush")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []*distributorv1.Diagnostic{
		{Severity: distributorv1.Severity_SEVERITY_WARNING, Field: "sandbox", Message: "the sandbox is slow"},
		{Severity: distributorv1.Severity_SEVERITY_ERROR, Field: "client_secret", Message: "do not reuse ***", Hint: "Make another."},
	}
	if diff := cmp.Diff(want, response.GetDiagnostics(), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPluginsThatAreWrongAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		plugin any
		says   []string
	}{
		{"without anything", sdk.Plugin[noSettings]{}, []string{`Name ""`, `Version ""`, "Connect is missing"}},
		{"with a name for people", withName[noSettings]("Acme Cloud"), []string{`Name "Acme Cloud" is not of the form`}},
		{"with settings that are no struct", withName[string]("x"), []string{"must be a struct"}},
		{"with a field without tag", withName[struct{ A, B string }]("x"), []string{"A: has no setting tag", "B: has no setting tag"}},
		{"with a setting that cannot be filled", withName[struct {
			a string `setting:"a"`
		}]("x"), []string{"is not exported"}},
		{"with a name that is none", withName[struct {
			A string `setting:"Client-ID"`
		}]("x"), []string{`setting name "Client-ID"`}},
		{"with two settings of one name", withName[struct {
			A string `setting:"a"`
			B string `setting:"a"`
		}]("x"), []string{`setting "a" exists already`}},
		{"with an option that does not exist", withName[struct {
			A string `setting:"a,optional"`
		}]("x"), []string{`unknown option "optional"`}},
		{"with a type that does not exist", withName[struct {
			A float64 `setting:"a"`
			B int     `setting:"b,url"`
		}]("x"), []string{"type float64 cannot be a setting", "type int cannot be a URL"}},
		{"with a default that is no value", withName[struct {
			A int    `setting:"a" default:"ten"`
			B string `setting:"b" default:"c" choices:"a|b"`
		}]("x"), []string{`default "ten" is not a whole number`, `default "c" is none of the values allowed`}},
		{"with a default for what is required or secret", withName[struct {
			A string     `setting:"a,required" default:"a"`
			B sdk.Secret `setting:"b" default:"b"`
			C []string   `setting:"c" default:"c"`
		}]("x"), []string{"is required and has a default", "is secret and has a default", "lists and maps cannot"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := wire.Bridge.NewServer(test.plugin, hclog.NewNullLogger())
			if err == nil {
				t.Fatal("is served")
			}
			for _, want := range test.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in:\n%v", want, err)
				}
			}
		})
	}
}

func withName[S any](name string) sdk.Plugin[S] {
	return sdk.Plugin[S]{
		Name: name, Version: "1.0.0",
		Connect: func(context.Context, S, sdk.Env) (sdk.Distributor, error) { return &fake{}, nil },
	}
}

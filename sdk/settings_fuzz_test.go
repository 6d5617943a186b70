// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// fuzzedSettings has a setting of every type.
type fuzzedSettings struct {
	Name    string            `setting:"name,required"`
	Secret  Secret            `setting:"secret,required"`
	PIN     []string          `setting:"pin,secret"`
	On      bool              `setting:"on" default:"true"`
	Size    int               `setting:"size" default:"100"`
	Margin  Decimal           `setting:"margin"`
	Timeout time.Duration     `setting:"timeout" default:"30s"`
	Link    *url.URL          `setting:"link"`
	Address string            `setting:"address,url"`
	Region  string            `setting:"region" choices:"eu|us" default:"eu"`
	Scopes  []string          `setting:"scopes"`
	Headers map[string]string `setting:"headers"`
	Paths   struct {
		Customers string `setting:"customers" default:"/customers"`
	} `setting:"paths"`
}

// FuzzSettings hands a plugin any settings a host could send: they are filled in or refused with a reason, and what is
// secret comes back in none of the reasons.
func FuzzSettings(f *testing.F) {
	settings, err := settingsOf(reflect.TypeFor[fuzzedSettings]())
	if err != nil {
		f.Fatal(err)
	}
	text := func(s string) *distributorv1.SettingValue {
		return &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Text{Text: s}}
	}
	for _, values := range []map[string]*distributorv1.SettingValue{
		{"name": text("a"), "secret": text("0123456789abcdef"), "size": text("7"), "timeout": text("2m"), "margin": text("1.50"), "link": text("https://a.example/")},
		{"name": text(" "), "secret": text("hidden in a link"), "link": text("https://u:hidden in a link@a.example"), "region": text("mars")},
		{"scopes": text("no list"), "headers": {}, "size": text("99999999999999999999"), "on": text("perhaps"), "nonsense": text("x")},
	} {
		seed, err := proto.Marshal(&distributorv1.ConfigureRequest{Settings: values})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var req distributorv1.ConfigureRequest
		if proto.Unmarshal(data, &req) != nil {
			return
		}
		var filled, again fuzzedSettings
		found := decodeSettings(settings, reflect.ValueOf(&filled).Elem(), req.GetSettings())
		if twice := decodeSettings(settings, reflect.ValueOf(&again).Elem(), req.GetSettings()); len(twice) != len(found) ||
			len(found) == 0 && !reflect.DeepEqual(filled, again) {
			t.Fatalf("the same settings were read in two ways: %+v and %+v", found, twice)
		}
		secrets := secretValues(settings, req.GetSettings())
		var redact redactor
		redact.set(secrets)
		for _, d := range diagnosticsToProto(found, &redact) {
			if d.GetMessage() == "" {
				t.Errorf("setting %q was refused without a reason", d.GetField())
			}
			for _, secret := range secrets {
				// Short ones are not secrets anybody can hide: they are part of ordinary words.
				if len(secret) >= 8 && strings.Contains(d.GetField()+d.GetMessage()+d.GetHint(), secret) {
					t.Errorf("a secret came back: %q in %v", secret, d)
				}
			}
		}
		if len(found) > 0 {
			return
		}
		if strings.TrimSpace(filled.Name) == "" || filled.Secret.IsAbsent() {
			t.Errorf("a required setting is missing, and nobody said so: %+v", req.GetSettings())
		}
		if filled.Region != "eu" && filled.Region != "us" {
			t.Errorf("region is %q, which is no choice", filled.Region)
		}
	})
}

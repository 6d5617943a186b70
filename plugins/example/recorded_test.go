// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
	"github.com/tallymanhq/tallyman/sdk/sdktest"
)

var record = flag.Bool("record", false, "record testdata/cassette again, from the simulator")

// A plugin with a distributor behind it records with the settings of a real account, and anonymises what people are called.
func TestRecordedAnswersAreReadAsTheyWere(t *testing.T) {
	t.Parallel()
	config := map[string]any{"url": "https://distributor.invalid", "key": "any key"}
	cassette, err := rest.Replay("testdata/cassette", anonymise)
	if *record {
		maps.Copy(config, newSimulator(t, generated).Settings())
		cassette, err = rest.Record("testdata/cassette", anonymise)
	}
	if err != nil {
		t.Fatal(err)
	}
	taped := plugin
	taped.Connect = func(ctx context.Context, s settings, env sdk.Env) (sdk.Distributor, error) {
		s.cassette = cassette
		return connect(ctx, s, env)
	}
	customers := sdktest.Customers(t, taped, config)
	subscriptions := sdktest.Subscriptions(t, taped, config)
	if err := cassette.Close(); err != nil {
		t.Error(err)
	}
	if !customers.Complete || !subscriptions.Complete || len(subscriptions.Records) != 12 {
		t.Errorf("customers %+v, subscriptions %+v", customers, subscriptions)
	}
	if want := []sdk.Customer{{Ref: "c0", Name: "Company 0"}, {Ref: "c1", Name: "Company 1"}}; !*record {
		if diff := cmp.Diff(want, customers.Records); diff != "" {
			t.Error(diff)
		}
	}
}

func anonymise(e *rest.Exchange) {
	e.Body = []byte(strings.ReplaceAll(string(e.Body), "Customer", "Company"))
}

// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

const key = "open-sesame"

// start builds the example, starts it as a host does and points it at a distributor that answers with answer.
func start(t *testing.T, answer http.HandlerFunc) distributorv1.DistributorServiceClient {
	t.Helper()
	path := filepath.Join(t.TempDir(), "example")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	process := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  transport.Handshake(),
		VersionedPlugins: transport.ClientPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              exec.Command(path),
		AutoMTLS:         true,
		SkipHostEnv:      true,
		GRPCDialOptions:  transport.DialOptions(),
		StartTimeout:     time.Minute,
		Logger:           hclog.NewNullLogger(),
	})
	t.Cleanup(process.Kill)
	protocol, err := process.Client()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := protocol.Dispense(transport.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	client := raw.(distributorv1.DistributorServiceClient)
	response, err := client.Configure(t.Context(), &distributorv1.ConfigureRequest{Settings: map[string]*distributorv1.SettingValue{
		"url": {Kind: &distributorv1.SettingValue_Text{Text: server.URL}},
		"key": {Kind: &distributorv1.SettingValue_Text{Text: key}},
	}})
	if err != nil || len(response.GetDiagnostics()) > 0 {
		t.Fatalf("configure: %v, %v", response, err)
	}
	return client
}

// subscriptions gives what a listing of subscriptions holds and how it ended.
func subscriptions(t *testing.T, client distributorv1.DistributorServiceClient) (records []sdk.Subscription, end *distributorv1.ListingEnd) {
	t.Helper()
	stream, err := client.ListSubscriptions(t.Context(), &distributorv1.ListSubscriptionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return records, end
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range response.GetRecords().GetSubscriptions() {
			record, err := transport.SubscriptionFromProto(p)
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, record)
		}
		end = response.GetEnd()
	}
}

func TestTheExampleListsItsDocument(t *testing.T) {
	t.Parallel()
	client := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, `{"customers": [{"id": "c1", "name": "Acme"}], "subscriptions": [
			{"id": "s1", "customer": "c1", "product": "Mail", "seats": 25, "status": "live"},
			{"id": "s2", "customer": "c1", "product": "Backup", "seats": "2.50", "status": "dreaming"},
			{"id": "s3", "customer": "c1", "product": "Metered", "status": "ended"}]}`)
	})
	quarter, err := sdk.ParseDecimal("2.5")
	if err != nil {
		t.Fatal(err)
	}
	want := []sdk.Subscription{
		{Ref: "s1", CustomerRef: "c1", Name: "Mail", State: sdk.StateActive, Status: "live", Items: []sdk.Item{{Name: "Mail", Quantity: sdk.Int(25)}}},
		{Ref: "s2", CustomerRef: "c1", Name: "Backup", Status: "dreaming", Items: []sdk.Item{{Name: "Backup", Quantity: quarter}}},
		{Ref: "s3", CustomerRef: "c1", Name: "Metered", State: sdk.StateCancelled, Status: "ended", Items: []sdk.Item{{Name: "Metered"}}},
	}
	got, end := subscriptions(t, client)
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b sdk.Decimal) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if end.GetOutcome() != distributorv1.Outcome_OUTCOME_COMPLETE {
		t.Errorf("the listing ended %v", end)
	}
	test, err := client.TestConnection(t.Context(), &distributorv1.TestConnectionRequest{})
	if err != nil || !test.GetOk() || test.GetVisible() != "at least 1 customers" {
		t.Errorf("the connection test gives %v, %v", test, err)
	}
}

func TestTheExampleNeverTakesATroubledAnswerForAnEmptyOne(t *testing.T) {
	t.Parallel()
	answers := map[string]distributorv1.ErrorClass{
		`{"error": "try later"}`: distributorv1.ErrorClass_ERROR_CLASS_SCHEMA,
		`{}`:                     distributorv1.ErrorClass_ERROR_CLASS_SCHEMA,
		`{"customers": null}`:    distributorv1.ErrorClass_ERROR_CLASS_SCHEMA,
		``:                       distributorv1.ErrorClass_ERROR_CLASS_SCHEMA,
		`{"customers": [], "subscriptions": [{"id":`: distributorv1.ErrorClass_ERROR_CLASS_SCHEMA,
		`401`: distributorv1.ErrorClass_ERROR_CLASS_AUTH,
		`500`: distributorv1.ErrorClass_ERROR_CLASS_TRANSIENT,
	}
	var current atomic.Value
	client := start(t, func(w http.ResponseWriter, _ *http.Request) {
		now := current.Load().(string)
		switch now {
		case "401":
			w.WriteHeader(http.StatusUnauthorized)
		case "500":
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, now)
	})
	for answer, class := range answers {
		current.Store(answer)
		records, end := subscriptions(t, client)
		if len(records) != 0 || end.GetOutcome() != distributorv1.Outcome_OUTCOME_PARTIAL || end.GetError().GetClass() != class {
			t.Errorf("%q gives %d records and ends %v", answer, len(records), end)
		}
		if message := end.GetError().GetMessage(); message == "" || strings.Contains(message, "nil") {
			t.Errorf("%q is told as %q", answer, message)
		}
		if hint := end.GetError().GetHint(); answer == "500" && strings.Contains(hint, "key") {
			t.Errorf("%q is answered with the hint %q", answer, hint)
		}
	}
}

func TestTheExampleIsSmall(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(source), "\n"), "\n")
	if len(lines) > 80 {
		t.Errorf("%d lines, want at most 80", len(lines))
	}
	if long := slices.MaxFunc(lines, func(a, b string) int { return len(a) - len(b) }); len(long) > 140 {
		t.Errorf("a line of %d characters", len(long))
	}
}

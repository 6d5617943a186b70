// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracing "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver takes traces as OTLP over HTTP.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracing.Span
	all   strings.Builder
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := io.Reader(req.Body)
		if req.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unzipped
		}
		text, err := io.ReadAll(body)
		sent := &collector.ExportTraceServiceRequest{}
		if err == nil {
			err = proto.Unmarshal(text, sent)
		}
		if err != nil || req.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", req.URL.Path, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all.WriteString(sent.String())
		for _, resource := range sent.GetResourceSpans() {
			if got := attributesOf(resource.GetResource().GetAttributes())["service.name"]; got != "tallyman" {
				t.Errorf("the service is %q", got)
			}
			for _, scope := range resource.GetScopeSpans() {
				r.spans = append(r.spans, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// tree gives what was received, each span below its parent in the order of their beginnings, and forgets it.
func (r *receiver) tree() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.SortFunc(r.spans, func(a, b *tracing.Span) int { return cmp.Compare(a.GetStartTimeUnixNano(), b.GetStartTimeUnixNano()) })
	var b strings.Builder
	var write func(parent, indent string)
	write = func(parent, indent string) {
		for _, span := range r.spans {
			if string(span.GetParentSpanId()) != parent {
				continue
			}
			name := strings.TrimPrefix(span.GetName(), "distributor.v1.DistributorService/")
			if span.GetStatus().GetCode() == tracing.Status_STATUS_CODE_ERROR {
				name += " failed: " + span.GetStatus().GetMessage()
			}
			fmt.Fprintf(&b, "%s%s\n", indent, name)
			write(string(span.GetSpanId()), indent+"  ")
		}
	}
	write("", "")
	r.spans = nil
	return b.String()
}

func attributesOf(list []*common.KeyValue) map[string]string {
	values := map[string]string{}
	for _, pair := range list {
		v := pair.GetValue()
		values[pair.GetKey()] = v.GetStringValue()
		if _, whole := v.GetValue().(*common.AnyValue_IntValue); whole {
			values[pair.GetKey()] = fmt.Sprint(v.GetIntValue())
		}
	}
	return values
}

func TestARunIsTracedThroughThePlugin(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w := newSmall()
	w.customer("Contoso", 5, 7)
	p := w.place(t, createUnmatched)
	p.sync("succeeded")
	if got := r.tree(); got != "" {
		t.Errorf("nobody wanted traces, and these came:\n%s", got)
	}

	p.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = r.URL
	p.sync("no_change")
	spans := slices.Clone(r.spans)
	want := `run
  open
    Describe
    Configure
    Describe
  collect
    ListCustomers
    ListSubscriptions
  plan
  guard
  apply
  Drain
`
	if got := r.tree(); got != want {
		t.Errorf("the trace is\n%swant\n%s", got, want)
	}
	for _, span := range spans {
		if span.GetName() != "run" {
			continue
		}
		is := attributesOf(span.GetAttributes())
		for name, want := range map[string]string{
			"tallyman.tenant": "acme", "tallyman.module": "rhipe", "tallyman.plugin": "rhipe", "tallyman.mode": "sync", "tallyman.run": "2",
			"tallyman.outcome": "no_change", "tallyman.count.subscriptions_listed": "2",
		} {
			if is[name] != want {
				t.Errorf("%s is %q, want %q", name, is[name], want)
			}
		}
	}

	// By the configuration, which counts more.
	p.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"
	p.env["TALLYMAN_TRACES_ENDPOINT"] = r.URL
	p.env["RHIPE_CLIENT_SECRET"] = "wrong-but-no-less-a-secret"
	p.sync("failed")
	if got := r.tree(); !strings.HasPrefix(got, "run failed: distributor.auth\n  open\n") || !strings.Contains(got, "  collect failed: distributor.auth\n") {
		t.Errorf("the trace of a run that failed is\n%s%s", got, p.printed.String())
	}
	for _, never := range []string{secret, p.env["RHIPE_CLIENT_SECRET"], "Contoso"} {
		if strings.Contains(r.all.String(), never) {
			t.Errorf("%q was sent", never)
		}
	}

	// Without a receiver nothing is kept from running.
	r.Close()
	p.env["RHIPE_CLIENT_SECRET"] = secret
	p.sync("no_change")
	p.wants(p.printed.String(), "traces are lost")
}

// TestWhatAPluginSaysIsInNoTrace: a plugin's errors may hold anything.
func TestWhatAPluginSaysIsInNoTrace(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	p := newBadPlace(t, filepath.Join(binaries, "bad"))
	p.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = r.URL
	p.settings = []string{`mode = "status"`}
	p.configure(badBlocks...)
	if r := p.sync("failed"); r.Error == nil || !strings.Contains(r.Error.Message, "something odd") {
		t.Errorf("the run failed otherwise: %+v", r.Error)
	}
	if got := r.tree(); !strings.Contains(got, "    ListSubscriptions failed: \n") {
		t.Errorf("the trace is\n%s", got)
	}
	if strings.Contains(r.all.String(), "something odd") {
		t.Error("the plugin's words were sent")
	}
}

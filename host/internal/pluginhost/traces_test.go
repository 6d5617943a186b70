// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"context"
	"fmt"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestCallsOfATraceAreSpansThatThePluginIsToldOf(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	p := launch(t, "good", func(s *Spec) { s.Traces = provider })
	told := func(ctx context.Context) string {
		t.Helper()
		test, err := p.TestConnection(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return test.Steps[0].Detail
	}
	if got := told(t.Context()); got != "api.example.com" || len(spans.GetSpans()) != 0 {
		t.Errorf("outside of a trace the plugin is told %q, and these are spans: %v", got, spans.GetSpans())
	}

	ctx, parent := provider.Tracer("test").Start(t.Context(), "parent")
	got := told(ctx)
	all := spans.GetSpans()
	if len(all) != 1 || all[0].Parent.SpanID() != parent.SpanContext().SpanID() {
		t.Fatalf("the spans of one call: %+v", all)
	}
	is := all[0].SpanContext
	if want := fmt.Sprintf("api.example.com 00-%s-%s-01", is.TraceID(), is.SpanID()); got != want {
		t.Errorf("the plugin is told %q, want %q", got, want)
	}
}

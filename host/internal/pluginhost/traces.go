// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"context"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// tracing gives what makes a span of each call to the plugin that is part of a trace; none without a provider. The plugin is told
// the span's ids (traceparent), for those that make spans of their own.
func tracing(provider trace.TracerProvider) []grpc.DialOption {
	if provider == nil {
		return nil
	}
	return []grpc.DialOption{grpc.WithStatsHandler(callSpans{otelgrpc.NewClientHandler(
		otelgrpc.WithTracerProvider(provider), otelgrpc.WithMeterProvider(metricnoop.NewMeterProvider()),
		otelgrpc.WithPropagators(propagation.TraceContext{}),
	)})}
}

// callSpans makes spans of calls within a trace. What go-plugin does by itself is in none.
type callSpans struct{ stats.Handler }

// spanned marks the context of a call that has a span.
type spanned struct{}

// TagRPC begins a span.
func (c callSpans) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	return context.WithValue(c.Handler.TagRPC(ctx, info), spanned{}, true)
}

// HandleRPC ends it. What the plugin says about an error stays out of it, since nobody has looked for secrets there.
func (c callSpans) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if ctx.Value(spanned{}) == nil {
		return
	}
	if end, ok := event.(*stats.End); ok && end.Error != nil {
		quiet := *end
		quiet.Error = status.Error(status.Code(end.Error), "")
		event = &quiet
	}
	c.Handler.HandleRPC(ctx, event)
}

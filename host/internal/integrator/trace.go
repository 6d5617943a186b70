// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// traceScope names what makes the spans of runs.
const traceScope = "github.com/tallymanhq/tallyman/host/internal/integrator"

// trace begins the span of a run, and gives what ends it. Without a provider it does nothing. No span holds names or ids of
// customers and subscriptions, nor what a distributor said.
func (i *Integrator) trace(ctx context.Context, req Request) (context.Context, func(*Report, error)) {
	if i.Traces == nil {
		return ctx, func(*Report, error) {}
	}
	ctx, span := i.Traces.Tracer(traceScope).Start(ctx, "run", trace.WithAttributes(
		attribute.String("tallyman.tenant", req.Module.Tenant), attribute.String("tallyman.module", req.Module.Name),
		attribute.String("tallyman.plugin", req.Module.Plugin), attribute.String("tallyman.mode", string(req.Mode)),
		attribute.String("tallyman.entities", req.Entities.String()), attribute.String("tallyman.trigger", req.Trigger),
	))
	return ctx, func(report *Report, err error) {
		if report != nil {
			span.SetAttributes(attribute.Int64("tallyman.run", report.Run), attribute.String("tallyman.outcome", string(report.Outcome)))
			for name, n := range report.Counts {
				span.SetAttributes(attribute.Int("tallyman.count."+name, n))
			}
		}
		endSpan(span, err)
	}
}

// stage makes one stage of a run, with a span of its own if the run has one.
func stage(ctx context.Context, name string, do func(context.Context) error) error {
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer(traceScope).Start(ctx, name)
	err := do(ctx)
	endSpan(span, err)
	return err
}

// endSpan ends a span with the code of what went wrong.
func endSpan(span trace.Span, err error) {
	if problem := ProblemOf(err); problem != nil {
		span.SetAttributes(attribute.String("error.type", problem.Code))
		span.SetStatus(codes.Error, problem.Code)
	}
	span.End()
}

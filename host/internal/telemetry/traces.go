// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// remindAfter is how long the same complaint about sending traces is not repeated.
const remindAfter = 10 * time.Minute

// TraceOptions say where traces go.
type TraceOptions struct {
	// Endpoint is the receiver's address, to which /v1/traces is added. Empty: what OTEL_EXPORTER_OTLP_ENDPOINT or
	// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT says. The other variables of OpenTelemetry hold, too: headers, certificates, sampling.
	Endpoint string
	Version  string
	Log      hclog.Logger
	// Getenv reads the environment, as os.Getenv does.
	Getenv func(name string) string
}

// wanted reports whether traces are to be sent at all.
func (o *TraceOptions) wanted() bool {
	if strings.EqualFold(o.Getenv("OTEL_SDK_DISABLED"), "true") || o.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return o.Endpoint != "" || o.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || o.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Traces sends spans to a receiver of OTLP over HTTP. Nil: nobody wants them.
type Traces struct{ provider *sdktrace.TracerProvider }

// NewTraces gives what sends spans, or nil if nobody wants them. A receiver that is not there is said in the log, and delays
// nothing.
func NewTraces(ctx context.Context, o TraceOptions) (*Traces, error) {
	if !o.wanted() {
		return nil, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if protocol := o.Getenv(name); protocol != "" && protocol != "http/protobuf" {
			o.Log.Warn("traces are sent as http/protobuf, the only form there is", "variable", name, "value", protocol)
			break
		}
	}
	var options []otlptracehttp.Option
	if o.Endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(strings.TrimSuffix(o.Endpoint, "/")+"/v1/traces"))
	}
	otel.SetErrorHandler(&complaints{log: o.Log})
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("send traces: %w", err)
	}
	is, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "tallyman"), attribute.String("service.version", o.Version)), resource.WithFromEnv())
	if err != nil {
		o.Log.Warn("the description of this program in traces is not complete", "error", err)
	}
	return &Traces{sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(is))}, nil
}

// Provider gives what makes spans; nil if nobody wants them.
func (t *Traces) Provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// Close sends what is left, for as long as ctx lasts.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// complaints logs what OpenTelemetry complains about, the same not again and again.
type complaints struct {
	log hclog.Logger

	mu   sync.Mutex
	last string
	at   time.Time
}

// Handle takes one complaint.
func (c *complaints) Handle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text := err.Error(); text != c.last || time.Since(c.at) >= remindAfter {
		c.last, c.at = text, time.Now()
		c.log.Warn("traces are lost", "error", err)
	}
}

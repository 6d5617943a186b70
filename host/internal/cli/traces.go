// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"

	"github.com/tallymanhq/tallyman/host/internal/telemetry"
)

// traceDrain is how long the end of the program waits for traces to be sent.
const traceDrain = 3 * time.Second

// tracing sends the traces of one call of the program, which shares it with every configuration it reads.
type tracing struct {
	once   sync.Once
	traces *telemetry.Traces
	log    hclog.Logger
}

// tracer gives what makes spans, or nil if nobody wants them. The configuration is loaded.
func (a *app) tracer() trace.TracerProvider {
	t := a.tracing
	if t == nil {
		return nil
	}
	t.once.Do(func() {
		var err error
		t.log = a.log()
		t.traces, err = telemetry.NewTraces(context.Background(), telemetry.TraceOptions{
			Endpoint: a.config.Traces.Endpoint, Version: a.version, Log: a.log(), Getenv: os.Getenv,
		})
		if err != nil {
			a.log().Warn("no traces are sent", "error", err)
		}
	})
	return t.traces.Provider()
}

// close sends what is left.
func (t *tracing) close() {
	ctx, cancel := context.WithTimeout(context.Background(), traceDrain)
	defer cancel()
	if err := t.traces.Close(ctx); err != nil {
		t.log.Warn("traces are lost: the last of them could not be sent", "error", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package telemetry

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestTracesAreSentToWhomTheyAreWantedBy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		endpoint string
		environ  map[string]string
		want     bool
	}{
		"nobody":                     {"", nil, false},
		"the configuration":          {"http://127.0.0.1:4318", nil, true},
		"the environment":            {"", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, true},
		"the environment, of traces": {"", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, true},
		"nobody, said so":            {"http://127.0.0.1:4318", map[string]string{"OTEL_SDK_DISABLED": "true"}, false},
		"nobody, of traces":          {"http://127.0.0.1:4318", map[string]string{"OTEL_TRACES_EXPORTER": "none"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			traces, err := NewTraces(t.Context(), TraceOptions{
				Endpoint: c.endpoint, Log: hclog.NewNullLogger(), Getenv: func(name string) string { return c.environ[name] },
			})
			if err != nil || (traces != nil) != c.want || (traces.Provider() != nil) != c.want {
				t.Errorf("traces: %v (%v), want %v", traces, err, c.want)
			}
			if err := traces.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSpansGoToTheEndpointOfTheConfiguration(t *testing.T) {
	t.Parallel()
	paths := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		paths <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type")
	}))
	t.Cleanup(receiver.Close)
	traces, err := NewTraces(t.Context(), TraceOptions{Endpoint: receiver.URL + "/", Log: hclog.NewNullLogger(), Getenv: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	_, span := traces.Provider().Tracer("test").Start(t.Context(), "run")
	span.End()
	if err := traces.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-paths; got != "POST /v1/traces application/x-protobuf" {
		t.Errorf("the receiver got %q", got)
	}
}

func TestTheSameComplaintIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := &complaints{log: hclog.New(&hclog.LoggerOptions{Output: &log})}
	for _, text := range []string{"refused", "refused", "refused", "too slow"} {
		c.Handle(errors.New(text))
	}
	if got := strings.Count(log.String(), "traces are lost"); got != 2 {
		t.Errorf("%d complaints:\n%s", got, log.String())
	}
}

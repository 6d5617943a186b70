// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/tallymanhq/tallyman/host/internal/integrator"
)

// health answers whether the program works.
type health struct{ server *http.Server }

// mostClients is how many connections are taken at once; whoever comes later waits.
const mostClients = 100

// aliveFor is how long ago the loop may have looked last. It does so each minute.
const aliveFor = 5 * time.Minute

// listen answers /healthz, /readyz and /metrics at an address. None: nobody answers.
func (v *server) listen(ctx context.Context, address string) (*health, error) {
	if address == "" {
		return &health{}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &integrator.Problem{
			Code: "serve.listen", Message: fmt.Sprintf("serve.listen: %v", err),
			Hint: "Does another \"tallyman serve\" on this machine answer there? Give each an address of its own.",
		}
	}
	begun := time.Now()
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", answer(func(context.Context) error { return v.alive(begun) }))
	mux.Handle("GET /readyz", answer(func(request context.Context) error {
		if ctx.Err() != nil {
			return errors.New("ending")
		}
		if err := v.store.Answers(request); err != nil {
			v.log.Warn("not ready", "error", err)
			return errors.New("the database does not answer; see the log")
		}
		return v.alive(begun)
	}))
	mux.Handle("GET /metrics", v.metrics.Handler())
	h := &health{&http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, // Prometheus asks every minute, mostly
	}}
	go func() {
		if err := h.server.Serve(netutil.LimitListener(listener, mostClients)); !errors.Is(err, http.ErrServerClosed) {
			v.log.Error("/healthz, /readyz and /metrics are not answered any more", "error", err)
		}
	}()
	v.log.Info("answering /healthz, /readyz and /metrics", "address", listener.Addr().String())
	return h, nil
}

func (h *health) close() {
	if h.server != nil {
		_ = h.server.Close()
	}
}

// alive reports whether the loop still looks what is due.
func (v *server) alive(begun time.Time) error {
	last := v.loop.Beat()
	if last.Before(begun) {
		last = begun
	}
	if silent := time.Since(last); silent > aliveFor {
		return fmt.Errorf("nothing was planned for %s", silent.Round(time.Second))
	}
	return nil
}

// answer says ok, or what is wrong with status 503.
func answer(check func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		if err := check(ctx); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	})
}

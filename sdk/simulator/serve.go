// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// greeting is the line of JSON that a simulator's process begins with.
type greeting struct {
	// Control is where Play and Resize are asked for. It holds a word that only who reads the line knows.
	Control  string         `json:"control"`
	Settings map[string]any `json:"settings"`
	Faults   []Fault        `json:"faults"`
}

// order is what the control address takes by POST.
type order struct {
	// Play is the name of a fault, or empty for all is well. Nil: as it is.
	Play *string `json:"play,omitempty"`
	// Resize is a number of subscriptions. Nil: as it is.
	Resize *int `json:"resize,omitempty"`
}

// Serve is the main of a simulator's program: it prints the settings that lead to it, its faults and its control address
// as one line of JSON, then plays until it is interrupted or its standard input ends. It closes the simulator and gives
// the exit code.
//
//	func main() {
//		sim, err := acmecloudsim.New()
//		if err != nil { … }
//		os.Exit(simulator.Serve(sim))
//	}
func Serve(sim Simulator) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, sim, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "simulator:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, sim Simulator, in io.Reader, out io.Writer) (err error) {
	defer func() { err = errors.Join(err, sim.Close()) }()
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	path := "/" + rand.Text()
	server := &http.Server{Handler: control(path, sim), ReadHeaderTimeout: 10 * time.Second}
	defer server.Close() //nolint:errcheck // nobody is left to tell
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	hello := greeting{Control: "http://" + listener.Addr().String() + path, Settings: sim.Settings(), Faults: sim.Faults()}
	if err := json.NewEncoder(out).Encode(hello); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, in)
	}()
	select {
	case <-ctx.Done():
		return nil
	case <-ended:
		return nil
	case err := <-served:
		return err
	}
}

// control obeys orders.
func control(path string, sim Simulator) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var o order
		err := json.NewDecoder(r.Body).Decode(&o)
		if err == nil && o.Play != nil {
			err = sim.Play(r.Context(), *o.Play)
		}
		if err == nil && o.Resize != nil {
			err = sim.Resize(r.Context(), *o.Resize)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	return mux
}

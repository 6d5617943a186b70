// SPDX-License-Identifier: Apache-2.0

package simulator_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

const asProgram = "TALLYMAN_TEST_SIMULATOR"

// TestMain makes the test binary a simulator's program, when a test starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	sim, err := newSimulator()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(simulator.Serve(sim))
}

func newSimulator() (*simulator.HTTP, error) {
	var size atomic.Int64
	size.Store(3)
	api := http.NewServeMux()
	api.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"access_token":"t"}`) })
	list := func(w http.ResponseWriter, _ *http.Request) {
		list := make([]int64, size.Load())
		_ = json.NewEncoder(w).Encode(list)
	}
	api.HandleFunc("GET /customers", list)
	api.HandleFunc("GET /customers/{id}/subscriptions", list)
	return simulator.NewHTTP(simulator.Options{
		Handler:  api,
		Settings: func(url string) map[string]any { return map[string]any{"url": url} },
		Faults: simulator.RESTFaults(simulator.Requests{
			Token: simulator.Path("POST /token"), Customers: simulator.Path("GET /customers"),
			Subscriptions: simulator.Path("GET /customers/{id}/subscriptions"),
		}),
		Resize: func(n int) error { size.Store(int64(n)); return nil },
	})
}

// get gives an answer's status and whether its body is a whole list of so many.
func get(t *testing.T, sim simulator.Simulator, path string) (status int, whole bool, elements int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sim.Settings()["url"].(string)+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true // On a connection that was used before, net/http repeats a read that was dropped.
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, false, 0
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	var list []int
	whole = err == nil && json.Unmarshal(body, &list) == nil && list != nil
	return resp.StatusCode, whole, len(list)
}

// Each fault must spoil at least one request of each listing that it says it spoils, and leave the rest alone.
func TestEachFaultDoesWhatItSays(t *testing.T) {
	t.Parallel()
	sim, err := newSimulator()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sim.Close() }()
	right := func(path string) bool {
		status, whole, n := get(t, sim, path)
		return status == http.StatusOK && whole && n == 3
	}
	for _, fault := range sim.Faults() {
		for path, expect := range map[string]simulator.Expect{"/customers": fault.Customers, "/customers/7/subscriptions": fault.Subscriptions} {
			if err := sim.Play(t.Context(), fault.Name); err != nil {
				t.Fatal(err)
			}
			first := right(path)
			if fault.Name == "throttled.words" {
				if right(path) {
					t.Errorf("%s: %s is answered rightly while the wait is not over", fault.Name, path)
				}
				time.Sleep(1100 * time.Millisecond)
			}
			second := right(path)
			switch tokenOnly := fault.Name == "token.down"; {
			case expect == simulator.Incomplete && !tokenOnly && (first || second):
				t.Errorf("%s: %s is answered rightly", fault.Name, path)
			case expect == simulator.Complete && (first || !second):
				t.Errorf("%s: %s is answered rightly %t, then %t", fault.Name, path, first, second)
			case expect == simulator.Any && !first:
				t.Errorf("%s: %s is spoilt", fault.Name, path)
			}
		}
	}
	if err := sim.Play(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if !right("/customers") {
		t.Error("it does not heal")
	}
	if err := sim.Play(t.Context(), "nonsense"); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a fault that is not there gives %v", err)
	}
}

func TestASimulatorRunsInAProcessOfItsOwn(t *testing.T) {
	t.Setenv(asProgram, "1")
	sim, err := simulator.Start(t.Context(), os.Stderr, os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(sim.Faults()) < 20 {
		t.Errorf("%d faults", len(sim.Faults()))
	}
	if status, _, n := get(t, sim, "/customers"); status != http.StatusOK || n != 3 {
		t.Errorf("%d with %d", status, n)
	}
	if err := sim.Resize(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if err := sim.Play(t.Context(), "permission.refused"); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := get(t, sim, "/customers"); status != http.StatusForbidden {
		t.Errorf("%d", status)
	}
	if err := sim.Play(t.Context(), "nonsense"); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a fault that is not there gives %v", err)
	}
	if err := sim.Play(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if status, _, n := get(t, sim, "/customers"); status != http.StatusOK || n != 5 {
		t.Errorf("%d with %d", status, n)
	}
	if err := sim.Close(); err != nil {
		t.Error(err)
	}
	if status, _, _ := get(t, sim, "/customers"); status != 0 {
		t.Errorf("it lives on: %d", status)
	}
}

func TestAProgramThatIsNoSimulatorIsSaidToBeNone(t *testing.T) {
	t.Parallel()
	_, err := simulator.Start(t.Context(), io.Discard, os.Args[0], "-test.run", "^$")
	if err == nil || !strings.Contains(err.Error(), "does not begin as a simulator does") {
		t.Errorf("%v", err)
	}
}

func TestAHangEndsWithItsFault(t *testing.T) {
	t.Parallel()
	began := make(chan struct{})
	sim, err := simulator.NewHTTP(simulator.Options{
		Handler: http.NotFoundHandler(), Settings: func(url string) map[string]any { return map[string]any{"url": url} },
		Faults: []simulator.HTTPFault{{Fault: simulator.Fault{Name: "hang"}, Spoil: func(w http.ResponseWriter, r *http.Request, api http.Handler) {
			close(began)
			simulator.Hang()(w, r, api)
		}, Times: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Play(t.Context(), "hang"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		get(t, sim, "/")
	}()
	<-began
	select {
	case <-ended:
		t.Error("it does not hang")
	default:
	}
	if err := sim.Close(); err != nil {
		t.Error(err)
	}
	<-ended
}

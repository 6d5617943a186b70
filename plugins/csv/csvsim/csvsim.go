// SPDX-License-Identifier: Apache-2.0

// Package csvsim plays a distributor that sends files: it writes a list of customers and one of subscriptions into a
// folder of its own, in the forms that exports have, and spoils them on demand.
package csvsim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// The names of the files, and the row that ends each.
const (
	Subscriptions = "subscriptions-2025-03.csv"
	Customers     = "customers.csv"
	Trailer       = "TRAILER"
)

const (
	few = 12
	// each is how many subscriptions a customer has.
	each = 10
	// age is how old the files look, so that nobody has to wait until they stand still.
	age = time.Hour
)

// Simulator is a distributor that sends files.
type Simulator struct {
	directory string

	mu            sync.Mutex
	subscriptions int
	fault         *fault
	// stop ends what writes while a fault is played, and waits for it.
	stop func()
}

var _ simulator.Simulator = (*Simulator)(nil)

// New makes a folder and writes the files into it. Close removes it.
func New() (*Simulator, error) {
	directory, err := os.MkdirTemp("", "csvsim-")
	if err != nil {
		return nil, err
	}
	s := &Simulator{directory: directory, subscriptions: few, stop: func() {}}
	if err := s.Play(context.Background(), ""); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Directory is where the files are.
func (s *Simulator) Directory() string { return s.directory }

// Settings lead to the folder.
func (s *Simulator) Settings() map[string]any {
	return map[string]any{
		"directory": s.directory, "subscriptions": "subscriptions*.csv", "customers": "customers*.csv", "trailer": Trailer, "currency": "AUD",
		"settle": "500ms", "settle_wait": "700ms",
	}
}

// Faults are the troubles it can play.
func (s *Simulator) Faults() []simulator.Fault {
	list := make([]simulator.Fault, len(faults))
	for i := range faults {
		list[i] = faults[i].Fault
	}
	return list
}

// Play writes the files anew, spoilt as the fault has it.
func (s *Simulator) Play(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.stop, s.fault = func() {}, nil
	for i := range faults {
		if faults[i].Name == name {
			s.fault = &faults[i]
		}
	}
	if name != "" && s.fault == nil {
		return fmt.Errorf("the simulator has no fault %q", name)
	}
	return s.write()
}

// Resize writes files of that many subscriptions. They are files, so they are made at once; a million take a second.
func (s *Simulator) Resize(_ context.Context, subscriptions int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if subscriptions < 1 {
		subscriptions = few
	}
	s.subscriptions = subscriptions
	return s.write()
}

// Close removes the folder.
func (s *Simulator) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.stop = func() {}
	return os.RemoveAll(s.directory)
}

// write removes what is there and writes what the fault wants. The caller holds mu.
func (s *Simulator) write() error {
	old, err := filepath.Glob(filepath.Join(s.directory, "*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	customers, subscriptions := customerRows((s.subscriptions+each-1)/each), subscriptionRows(s.subscriptions)
	if s.fault == nil {
		return errors.Join(s.writeRows(Customers, customers), s.writeRows(Subscriptions, subscriptions))
	}
	return s.fault.write(s, customers, subscriptions)
}

// put writes a file that was finished an hour ago.
func (s *Simulator) put(name string, content []byte) error {
	path := filepath.Join(s.directory, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	return s.finished(path, age)
}

func (s *Simulator) finished(path string, ago time.Duration) error {
	when := time.Now().Add(-ago)
	return os.Chtimes(path, when, when)
}

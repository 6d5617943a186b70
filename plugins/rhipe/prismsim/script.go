// SPDX-License-Identifier: Apache-2.0

package prismsim

import "sync"

// Step is one step of a script: after the n-th call of an endpoint has been
// answered, Do is run. It has run before the client sees the end of that
// answer, so the client's next call finds what it changed.
type Step struct {
	// After is the endpoint whose calls are counted; empty means any.
	After Endpoint
	// ID limits the count to calls about one id, in any letter case.
	ID string
	// Calls is the number of calls, counted from the step before; at least 1.
	Calls int
	// Do changes the world, a switch or a fault.
	Do func(*Server)
}

type script struct {
	mu    sync.Mutex
	steps []Step
	count int
}

// Script replaces the script by these steps, taken in order.
func (s *Server) Script(steps ...Step) {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	s.script.steps, s.script.count = append([]Step(nil), steps...), 0
}

// ScriptDone reports whether every step has been taken.
func (s *Server) ScriptDone() bool {
	s.script.mu.Lock()
	defer s.script.mu.Unlock()
	return len(s.script.steps) == 0
}

// answered counts an answered call and takes the step that is due.
func (s *Server) answered(r Request) {
	sc := &s.script
	sc.mu.Lock()
	if len(sc.steps) == 0 {
		sc.mu.Unlock()
		return
	}
	step := sc.steps[0]
	if step.After != "" && step.After != r.Endpoint || step.ID != "" && lower(step.ID) != lower(r.ID) {
		sc.mu.Unlock()
		return
	}
	sc.count++
	due := sc.count >= step.Calls
	if due {
		sc.steps, sc.count = sc.steps[1:], 0
	}
	sc.mu.Unlock()
	if due && step.Do != nil {
		step.Do(s)
	}
}

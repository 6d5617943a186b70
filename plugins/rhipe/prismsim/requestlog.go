// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Request is what the simulator keeps of a call. It holds no header and no
// body; the client's secret and tokens are blotted out of path and query.
type Request struct {
	// Seq counts all calls from 1.
	Seq    int    `json:"seq"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"`
	// Endpoint is empty for a path or method the service does not have.
	Endpoint Endpoint `json:"endpoint,omitempty"`
	// ID is the first id in the path, such as a contract agreement's.
	ID string `json:"id,omitempty"`
	// Status is 0 while the call is being answered, and when it was left
	// without an answer.
	Status int `json:"status"`
	// Bytes is the size of the body so far.
	Bytes int64 `json:"bytes"`
	// Write marks a call that would change something at the distributor.
	Write bool `json:"write,omitempty"`
	// Fault is the kind of fault the answer was spoilt with, if any.
	Fault FaultKind `json:"fault,omitempty"`
}

// maxRequests is how many calls are kept; the counts go on beyond.
const maxRequests = 20_000

type requestLog struct {
	mu       sync.Mutex
	list     []Request
	seq      int
	begun    map[Endpoint]int
	writes   []Request
	changed  chan struct{} // closed and replaced at every call
	inFlight int
	peak     int
}

func newRequestLog() *requestLog {
	return &requestLog{begun: map[Endpoint]int{}, changed: make(chan struct{})}
}

func (l *requestLog) begin(r Request) Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	r.Seq = l.seq
	if len(l.list) >= maxRequests {
		l.list = slices.Delete(l.list, 0, maxRequests/10)
	}
	l.list = append(l.list, r)
	if r.Write && len(l.writes) < maxRequests {
		l.writes = append(l.writes, r)
	}
	l.begun[r.Endpoint]++
	l.inFlight++
	l.peak = max(l.peak, l.inFlight)
	l.wake()
	return r
}

func (l *requestLog) end(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, list := range [][]Request{l.list, l.writes} {
		i, ok := slices.BinarySearchFunc(list, r.Seq, func(x Request, seq int) int { return x.Seq - seq })
		if ok {
			list[i] = r
		}
	}
	l.inFlight--
	l.wake()
}

func (l *requestLog) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Requests lists the calls so far, oldest first; the oldest are dropped when
// there are very many.
func (s *Server) Requests() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.list)
}

// Writes lists the calls that would have changed something at the distributor.
func (s *Server) Writes() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.writes)
}

// ForgetRequests empties the record of calls and their counts.
func (s *Server) ForgetRequests() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.list, s.log.writes, s.log.begun = nil, nil, map[Endpoint]int{}
	s.log.peak = s.log.inFlight
}

// Calls counts the calls of an endpoint that have begun.
func (s *Server) Calls(e Endpoint) int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.begun[e]
}

// MostAtOnce is the greatest number of calls that were answered at once.
func (s *Server) MostAtOnce() int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.peak
}

// WaitForCalls waits until n calls of an endpoint have begun. It returns the
// context's error when that ends first.
func (s *Server) WaitForCalls(ctx context.Context, e Endpoint, n int) error {
	for {
		s.log.mu.Lock()
		have, changed := s.log.begun[e], s.log.changed
		s.log.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for call %d of %s, %d seen: %w", n, e, have, ctx.Err())
		}
	}
}

// blot removes the secret and the tokens from a text.
func (s *Server) blot(text string) string {
	if text == "" {
		return text
	}
	text = strings.ReplaceAll(text, s.clientSecret, "***")
	return s.tokens.blot(text)
}

// blotQuery is blot for a query, in which the secret may be escaped.
func (s *Server) blotQuery(query string) string {
	if plain, err := url.QueryUnescape(query); err == nil && s.blot(plain) != plain {
		return s.blot(plain)
	}
	return s.blot(query)
}

// blotJSON is blot for JSON, in which the secret may be escaped.
func (s *Server) blotJSON(text []byte) string {
	quoted, err := json.Marshal(s.clientSecret)
	if err != nil {
		panic(err) // a text can always be encoded
	}
	return s.blot(strings.ReplaceAll(string(text), string(quoted[1:len(quoted)-1]), "***"))
}

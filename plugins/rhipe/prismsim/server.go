// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Credentials the simulator takes unless told otherwise. They open nothing
// else.
const (
	DemoClientID     = "5e0f1a2b-3c4d-4e5f-8a6b-7c8d9e0f1a2b"
	DemoClientSecret = "00000000demo00000000demo00000000"
)

// Server is the simulated service: token endpoint, API and, where asked for,
// the control endpoint. It is an http.Handler; Start gives it a listener of
// its own. All methods are safe for concurrent use.
type Server struct {
	source       Source
	clientID     string
	clientSecret string
	clock        func() time.Time
	logger       hclog.Logger
	controlled   bool

	mu       sync.Mutex
	switches Switches
	special  map[string]Switches // by endpoint or by lower-case id
	faults   []*armed
	numbered int // faults so far
	day      int
	lagged   map[string]int // readings of usage rows, by lower-case id

	tokens tokenStore
	log    *requestLog
	script script

	ctx      context.Context //nolint:containedctx // it ends with Close; answers that hang wait for it
	cancel   context.CancelFunc
	handlers sync.WaitGroup
	listener *listening
}

var _ http.Handler = (*Server)(nil)

// Option changes a Server before it serves.
type Option func(*Server)

// WithCredentials replaces the demo credentials. The secret must not be empty.
func WithCredentials(clientID, clientSecret string) Option {
	return func(s *Server) { s.clientID, s.clientSecret = clientID, clientSecret }
}

// WithSwitches sets the switches the server starts with.
func WithSwitches(sw Switches) Option { return func(s *Server) { s.switches = sw } }

// WithClock replaces the clock that token lifetimes are measured with.
func WithClock(now func() time.Time) Option { return func(s *Server) { s.clock = now } }

// WithLogger logs every call, without secrets; a call that writes is logged as
// an error.
func WithLogger(l hclog.Logger) Option { return func(s *Server) { s.logger = l } }

// WithControl opens the control endpoint under /_control/ to callers on the
// loopback interface. It is JSON over HTTP:
//
//	GET    /_control/                 what there is: day, counts, names
//	GET    /_control/requests         the calls so far; ?writes=true only those that write
//	DELETE /_control/requests         forget them
//	GET    /_control/switches         the Switches as they stand
//	PUT    /_control/switches         set them; what is not named goes back
//	PATCH  /_control/switches         set those that are named
//	DELETE /_control/switches         put all back, special ones too
//	PATCH  /_control/switches/{name}  as SetFor, for one endpoint or id only
//	GET    /_control/faults           the faults, with how often each struck
//	POST   /_control/faults           add a Fault; its number comes back
//	DELETE /_control/faults           take all away
//	DELETE /_control/faults/{number}  take one away
//	GET    /_control/day              the day
//	PUT    /_control/day              go to a day: {"day": 2}
//	POST   /_control/world            one Edit, or several in an array; their ids come back
//	DELETE /_control/tokens           make every token worthless
//	POST   /_control/reset            day 1, no switches, faults, script, tokens, calls
//
// Errors are objects with error. Callers must be on the loopback interface and
// no web page. Neither the client's secret nor a token is ever sent.
func WithControl() Option { return func(s *Server) { s.controlled = true } }

// New returns a server of a source. It panics when a credential is empty.
func New(source Source, options ...Option) *Server {
	s := &Server{
		source: source, clientID: DemoClientID, clientSecret: DemoClientSecret, clock: time.Now, logger: hclog.NewNullLogger(),
		special: map[string]Switches{}, day: 1, lagged: map[string]int{}, log: newRequestLog(),
		tokens: tokenStore{good: map[string]*tokenState{}},
	}
	for _, o := range options {
		o(s)
	}
	if s.clientID == "" || s.clientSecret == "" {
		panic("prismsim: client id and secret must not be empty")
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *Server) now() time.Time { return s.clock() }

// Switches returns the switches as they stand.
func (s *Server) Switches() Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.switches
}

// Set lets change edit the switches. It holds from the next call on.
func (s *Server) Set(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.switches)
}

// SetFor gives one endpoint, or all calls about one id (such as a contract
// agreement's), switches of their own, edited from the general ones as they
// stand. An id wins over an endpoint.
func (s *Server) SetFor(endpointOrID string, change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sw := s.switches
	change(&sw)
	s.special[lower(endpointOrID)] = sw
}

// ResetSwitches puts all switches back, those of SetFor included.
func (s *Server) ResetSwitches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.switches = Switches{}
	clear(s.special)
	clear(s.lagged)
}

// Fail adds a fault. Of several that match a call, the one added first
// strikes. The returned function takes it away again. It panics when the fault
// names a kind or endpoint that does not exist.
func (s *Server) Fail(f Fault) (clear func()) {
	if err := f.check(); err != nil {
		panic("prismsim: " + err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.arm(f)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults = slices.DeleteFunc(s.faults, func(x *armed) bool { return x == a })
	}
}

// arm adds a fault and gives it a number. The caller holds the lock.
func (s *Server) arm(f Fault) *armed {
	s.numbered++
	a := &armed{Fault: f, number: s.numbered}
	s.faults = append(s.faults, a)
	return a
}

// ClearFaults takes all faults away.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Day is the day the source is on, counted from 1.
func (s *Server) Day() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.day
}

// SetDay moves the source to a day: a world with days, such as Demo, is put
// back to its beginning and lives through the days up to that one; a generated
// source goes to generation day−1. All faults are replaced by those of the day.
func (s *Server) SetDay(day int) error {
	faults, err := s.source.setDay(day)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.day, s.faults = day, nil
	for _, f := range faults {
		s.arm(f)
	}
	return nil
}

// prepare picks what holds for a call.
func (s *Server) prepare(ep Endpoint, id string) Switches {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sw, ok := s.special[lower(id)]; ok && id != "" {
		return sw
	}
	if sw, ok := s.special[string(ep)]; ok {
		return sw
	}
	return s.switches
}

func (s *Server) strike(ep Endpoint, id string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.faults {
		if a.strikes(ep, id) {
			f := a.Fault
			if f.Kind == "" {
				f.Kind = FaultStatus
			}
			return &f
		}
	}
	return nil
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, "the simulator is closed", http.StatusServiceUnavailable)
		return
	}
	defer s.handlers.Done()
	if strings.HasPrefix(r.URL.Path, controlPrefix) && s.controlled {
		s.control(w, r)
		return
	}

	rt, args, allow := findRoute(r.Method, r.URL.Path)
	entry := Request{Method: r.Method, Path: s.blot(r.URL.Path), Query: s.blotQuery(r.URL.RawQuery)}
	var id string
	if rt != nil {
		entry.Endpoint, entry.Write = rt.endpoint, rt.write
		if len(args) > 0 {
			id = args[0]
		}
		entry.ID = s.blot(id)
	}
	entry = s.log.begin(entry)
	if entry.Write {
		s.logger.Error("a client writes at the distributor", "method", r.Method, "path", entry.Path)
	}
	rec := &recorder{ResponseWriter: w}
	c := &call{s: s, w: rec, r: r, args: args, id: id}
	defer func() {
		// Also on an abort, which goes on as a panic: the step of a script has
		// been taken before the client can see the end of its answer.
		entry.Status, entry.Bytes = rec.status, rec.bytes
		if c.fault != nil {
			entry.Fault = c.fault.Kind
		}
		s.log.end(entry)
		s.logger.Debug("answered", "method", r.Method, "path", entry.Path, "status", rec.status, "bytes", rec.bytes, "fault", entry.Fault)
		s.answered(entry)
	}()
	c.serve(rt, allow)
}

// enter counts a call that Close is to wait for; there is none after Close.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.handlers.Add(1)
	return true
}

// recorder counts what is written.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController flush.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Close stops the server: answers that hang end, and the listener, if any, is
// closed. It returns when every answer has ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	var err error
	if l := s.takeListener(); l != nil {
		err = l.server.Close()
		if serveErr := <-l.done; !errors.Is(serveErr, http.ErrServerClosed) && !errors.Is(serveErr, net.ErrClosed) {
			err = errors.Join(err, serveErr)
		}
	}
	s.handlers.Wait()
	return err
}

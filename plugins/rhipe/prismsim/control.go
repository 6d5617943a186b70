// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// controlPrefix is the path of the control endpoint; WithControl describes it.
const controlPrefix = "/_control/"

// problem is an error of the control endpoint with its status.
type problem struct {
	status int
	err    error
}

func (p *problem) Error() string { return p.err.Error() }

func wrong(err error) error { return &problem{http.StatusBadRequest, err} }

func wrongf(status int, format string, args ...any) error {
	return &problem{status, fmt.Errorf(format, args...)}
}

// controls maps method and path, with a star for one more segment, to what
// answers; its result is sent as JSON.
var controls = map[string]func(s *Server, r *http.Request, arg string) (any, error){
	"GET ":           (*Server).controlState,
	"GET requests":   (*Server).controlRequests,
	"GET switches":   func(s *Server, _ *http.Request, _ string) (any, error) { return s.Switches(), nil },
	"PUT switches":   (*Server).controlSwitches,
	"PATCH switches": (*Server).controlSwitches,
	"PATCH switches/*": func(s *Server, r *http.Request, name string) (any, error) {
		return s.controlSwitchesFor(r, name)
	},
	"GET faults":      (*Server).controlFaults,
	"POST faults":     (*Server).controlFail,
	"DELETE faults/*": (*Server).controlMend,
	"GET day":         func(s *Server, _ *http.Request, _ string) (any, error) { return dayBody{s.Day()}, nil },
	"PUT day":         (*Server).controlDay,
	"POST world":      (*Server).controlWorld,
	"POST reset":      (*Server).controlReset,

	"DELETE requests": done((*Server).ForgetRequests),
	"DELETE switches": done((*Server).ResetSwitches),
	"DELETE faults":   done((*Server).ClearFaults),
	"DELETE tokens":   done((*Server).ExpireTokens),
}

type dayBody struct {
	Day int `json:"day"`
}

func done(do func(*Server)) func(*Server, *http.Request, string) (any, error) {
	return func(s *Server, _ *http.Request, _ string) (any, error) {
		do(s)
		return struct{}{}, nil
	}
}

func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	v, err := s.controlAnswer(r)
	status := http.StatusOK
	if err != nil {
		status = http.StatusInternalServerError
		if p := (*problem)(nil); errors.As(err, &p) {
			status = p.status
		}
		v = map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, s.blotJSON(marshal(v))+"\n") //nolint:gosec // it is JSON, and says so
}

func (s *Server) controlAnswer(r *http.Request) (any, error) {
	if !fromHere(r) {
		return nil, wrongf(http.StatusForbidden, "the control endpoint is for callers on this machine, and for no web page")
	}
	segs := segments(strings.TrimPrefix(r.URL.Path, controlPrefix))
	key, arg := strings.Join(segs, "/"), ""
	if len(segs) == 2 {
		key, arg = segs[0]+"/*", segs[1]
	}
	if do, ok := controls[r.Method+" "+key]; ok {
		return do(s, r, arg)
	}
	for other := range controls {
		if _, path, _ := strings.Cut(other, " "); path == key {
			return nil, wrongf(http.StatusMethodNotAllowed, "%s is not possible here", r.Method)
		}
	}
	return nil, wrongf(http.StatusNotFound, "the control endpoint has no %q", key)
}

// fromHere reports whether a call comes from this machine and, as its Host and
// the missing Origin show, not from a web page in a browser on it.
func fromHere(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && loopback(peer) && (loopback(strings.Trim(host, "[]")) || strings.EqualFold(host, "localhost")) &&
		r.Header.Get("Origin") == ""
}

func loopback(address string) bool {
	ip := net.ParseIP(address)
	return ip != nil && ip.IsLoopback()
}

// controlBody decodes a call's body.
func controlBody(r *http.Request, into any) error {
	b, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err == nil {
		err = strict(b, into)
	}
	if err != nil {
		return wrong(err)
	}
	return nil
}

func (s *Server) controlState(*http.Request, string) (any, error) {
	_, world := s.source.(*World)
	names := make([]Endpoint, 0, len(routes))
	for i := range routes {
		names = append(names, routes[i].endpoint)
	}
	kinds := make([]string, 0, len(faultKinds))
	for k := range faultKinds {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	s.log.mu.Lock()
	calls, writes := s.log.seq, len(s.log.writes)
	s.log.mu.Unlock()
	state := map[string]any{
		"day": s.Day(), "calls": calls, "writes": writes, "endpoints": names, "fault_kinds": kinds, "edits": []string{},
	}
	if world {
		state["edits"] = EditOperations()
	}
	return state, nil
}

func (s *Server) controlRequests(r *http.Request, _ string) (any, error) {
	list := s.Requests()
	if only, _ := strconv.ParseBool(r.URL.Query().Get("writes")); only {
		list = s.Writes()
	}
	if list == nil {
		list = []Request{}
	}
	return map[string]any{"requests": list}, nil
}

// clone copies the lists too, so that decoding into them changes no switches
// that a call is being answered with.
func (sw *Switches) clone() Switches {
	c := *sw
	c.Statuses, c.OmitFields, c.HideCustomers = slices.Clone(c.Statuses), slices.Clone(c.OmitFields), slices.Clone(c.HideCustomers)
	return c
}

// readSwitches decodes a call's body over the switches of before.
func readSwitches(r *http.Request, before Switches) (Switches, error) {
	sw := before.clone()
	if err := controlBody(r, &sw); err != nil {
		return sw, err
	}
	if err := sw.check(); err != nil {
		return sw, wrong(err)
	}
	return sw, nil
}

func (s *Server) controlSwitches(r *http.Request, _ string) (any, error) {
	var before Switches
	if r.Method == http.MethodPatch {
		before = s.Switches()
	}
	sw, err := readSwitches(r, before)
	if err != nil {
		return nil, err
	}
	s.Set(func(to *Switches) { *to = sw })
	return sw, nil
}

func (s *Server) controlSwitchesFor(r *http.Request, name string) (any, error) {
	sw, err := readSwitches(r, s.Switches())
	if err != nil {
		return nil, err
	}
	s.SetFor(name, func(to *Switches) { *to = sw })
	return sw, nil
}

// faultState is a fault as the control endpoint shows it.
type faultState struct {
	Number int   `json:"number"`
	Fault  Fault `json:"fault"`
	// Seen counts the calls that matched, Struck the answers that were spoilt.
	Seen   int `json:"seen"`
	Struck int `json:"struck"`
}

func (s *Server) controlFaults(*http.Request, string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]faultState, 0, len(s.faults))
	for _, a := range s.faults {
		list = append(list, faultState{a.number, a.Fault, a.seen, a.hit})
	}
	return map[string]any{"faults": list}, nil
}

func (s *Server) controlFail(r *http.Request, _ string) (any, error) {
	var f Fault
	if err := controlBody(r, &f); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, wrong(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]int{"number": s.arm(f).number}, nil
}

func (s *Server) controlMend(_ *http.Request, number string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.faults, func(a *armed) bool { return strconv.Itoa(a.number) == number })
	if i < 0 {
		return nil, wrongf(http.StatusNotFound, "there is no fault %s", number)
	}
	s.faults = slices.Delete(s.faults, i, i+1)
	return struct{}{}, nil
}

func (s *Server) controlDay(r *http.Request, _ string) (any, error) {
	var in dayBody
	if err := controlBody(r, &in); err != nil {
		return nil, err
	}
	if err := s.SetDay(in.Day); err != nil {
		return nil, wrong(err)
	}
	return dayBody{s.Day()}, nil
}

func (s *Server) controlWorld(r *http.Request, _ string) (any, error) {
	w, ok := s.source.(*World)
	if !ok {
		return nil, wrongf(http.StatusConflict, "generated data cannot be edited")
	}
	var raw json.RawMessage
	if err := controlBody(r, &raw); err != nil {
		return nil, err
	}
	edits := make([]Edit, 1)
	var err error
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") {
		err = strict(raw, &edits)
	} else {
		err = strict(raw, &edits[0])
	}
	var ids []string
	if err == nil {
		ids, err = w.Apply(edits...)
	}
	if err != nil {
		return nil, wrong(err)
	}
	return map[string]any{"ids": ids}, nil
}

func (s *Server) controlReset(*http.Request, string) (any, error) {
	if err := s.SetDay(1); err != nil {
		return nil, err
	}
	s.ResetSwitches()
	s.ClearFaults()
	s.Script()
	s.ExpireTokens()
	s.ForgetRequests()
	return struct{}{}, nil
}

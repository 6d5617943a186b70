// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// server serves one plugin. It knows nothing of go-plugin or the process.
type server struct {
	distributorv1.UnimplementedDistributorServiceServer

	plugin  description
	log     hclog.Logger
	secrets *redactor
	onCall  func() // Called when a call begins; may be nil.

	mu          sync.Mutex
	configuring bool
	distributor Distributor
	draining    bool
	calls       map[*call]struct{}
	idle        chan struct{} // Closed when the last call ended while draining.
	closed      bool
}

var _ distributorv1.DistributorServiceServer = (*server)(nil)

// call is a running call.
type call struct{ cancel context.CancelCauseFunc }

var errDraining = errors.New("the plugin is being stopped")

// recovered makes the error of a panic and logs its stack as one entry.
func (s *server) recovered(what string, value any) *Error {
	s.log.Error("panic", "call", what, "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
	return &Error{
		Class:   ClassInternal,
		Origin:  OriginPlugin,
		Message: fmt.Sprintf("the plugin panicked while %s: %.300s", what, fmt.Sprint(value)),
		Hint:    "The stack is in the log. Please report it to whoever makes the plugin.",
	}
}

// guard runs one call: refuses it while draining, lets drain cancel it, recovers from panics and makes its error fit to
// leave the process.
func (s *server) guard(ctx context.Context, what string, run func(ctx context.Context) error) (err error) {
	if s.onCall != nil {
		s.onCall()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	this := &call{cancel: cancel}

	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		return errorToStatus(&Error{Class: ClassTransient, Origin: OriginPlugin, Message: errDraining.Error()})
	}
	s.calls[this] = struct{}{}
	s.mu.Unlock()

	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.calls, this)
		if s.draining && len(s.calls) == 0 {
			close(s.idle)
		}
	}()
	defer func() {
		if value := recover(); value != nil {
			err = errorToStatus(s.secrets.error(s.recovered(what, value)))
		}
	}()
	if err := run(ctx); err != nil {
		return errorToStatus(keepContext(err, s.secrets.error(err)))
	}
	return nil
}

// keepContext lets errorToStatus see that a call was given up.
func keepContext(err error, clean *Error) error {
	if clean.Err == nil {
		clean.Err = err
	}
	return clean
}

// connection gives what Configure made.
func (s *server) connection() (Distributor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.distributor == nil {
		return nil, &Error{
			Class: ClassSettings, Origin: OriginPlugin, Message: "the plugin has not been configured",
			Hint: "The host must call Configure first, and its answer must hold no error.",
		}
	}
	return s.distributor, nil
}

// Describe says what the plugin is. After Configure it also tells what only the connection knows.
func (s *server) Describe(ctx context.Context, _ *distributorv1.DescribeRequest) (*distributorv1.DescribeResponse, error) {
	var response *distributorv1.DescribeResponse
	err := s.guard(ctx, "describing itself", func(context.Context) error {
		response = proto.CloneOf(s.plugin.describe())
		if distributor, err := s.connection(); err == nil {
			_, filters := distributor.(CustomerFilter)
			response.Capabilities.CustomerFilter = &filters
			if _, tests := distributor.(ConnectionTester); tests {
				response.Capabilities.Extra = append(response.Capabilities.Extra, "connection_test")
			}
		}
		return nil
	})
	return response, err
}

// Configure makes the connection.
func (s *server) Configure(ctx context.Context, request *distributorv1.ConfigureRequest) (*distributorv1.ConfigureResponse, error) {
	response := &distributorv1.ConfigureResponse{}
	err := s.guard(ctx, "being configured", func(ctx context.Context) error {
		s.mu.Lock()
		taken := s.configuring || s.distributor != nil
		s.configuring = true
		s.mu.Unlock()
		if taken {
			return &Error{Class: ClassInvalid, Origin: OriginPlugin, Message: "the plugin has been configured already; it takes settings once"}
		}
		var distributor Distributor
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.configuring = false
			s.distributor = distributor
		}()
		// Before anything can fail, so that no message holds a secret.
		s.secrets.set(s.plugin.secretValues(request.GetSettings()))
		env := Env{
			Log: s.log, Tenant: request.GetTenant(), Module: request.GetModule(), UserAgent: s.plugin.userAgent(),
		}
		made, found, err := s.plugin.connect(ctx, request.GetSettings(), env)
		if err != nil {
			e := AsError(err)
			if e.Class != ClassSettings {
				return err
			}
			found = append(found, Diagnostic{Field: e.Field, Message: e.Message, Hint: e.Hint})
		}
		response.Diagnostics = diagnosticsToProto(found, s.secrets)
		if err == nil {
			distributor = made
		}
		return nil
	})
	return response, err
}

// TestConnection tries the connection's steps.
func (s *server) TestConnection(ctx context.Context, _ *distributorv1.TestConnectionRequest) (*distributorv1.TestConnectionResponse, error) {
	var response *distributorv1.TestConnectionResponse
	err := s.guard(ctx, "testing the connection", func(ctx context.Context) error {
		distributor, err := s.connection()
		if err != nil {
			return err
		}
		test := &ConnectionTest{ctx: ctx, secrets: s.secrets, recovered: s.recovered}
		try := func() (err error) {
			defer func() {
				if value := recover(); value != nil {
					err = s.recovered("testing the connection", value)
				}
			}()
			if tester, ok := distributor.(ConnectionTester); ok {
				return tester.TestConnection(ctx, test)
			}
			return s.testByListing(distributor, test)
		}
		response = test.response(try())
		return nil
	})
	return response, err
}

// Drain refuses new calls, lets the running ones end, cancels them when three quarters of the time are over, and closes
// the connection.
func (s *server) Drain(ctx context.Context, request *distributorv1.DrainRequest) (*distributorv1.DrainResponse, error) {
	if s.onCall != nil {
		s.onCall()
	}
	wait := time.Duration(max(request.GetDeadlineMilliseconds(), 0)) * time.Millisecond
	if err := s.drain(ctx, wait); err != nil {
		return nil, errorToStatus(s.secrets.error(err))
	}
	return &distributorv1.DrainResponse{}, nil
}

func (s *server) drain(ctx context.Context, wait time.Duration) error {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		if len(s.calls) == 0 {
			close(s.idle)
		}
	}
	s.mu.Unlock()

	patience := time.NewTimer(wait / 4 * 3)
	defer patience.Stop()
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	select {
	case <-s.idle:
		return s.close()
	case <-patience.C:
	case <-ctx.Done():
	}
	s.cancelCalls()
	select {
	case <-s.idle:
		return s.close()
	case <-deadline.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Error{
		Class: ClassInternal, Origin: OriginPlugin,
		Message: fmt.Sprintf("%d calls did not end when their context did", len(s.calls)),
	}
}

func (s *server) cancelCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for running := range s.calls {
		running.cancel(errDraining)
	}
}

// close releases the connection, once.
func (s *server) close() (err error) {
	s.mu.Lock()
	closer, ok := s.distributor.(Closer)
	ok = ok && !s.closed
	s.closed = true
	s.mu.Unlock()
	if !ok {
		return nil
	}
	defer func() {
		if value := recover(); value != nil {
			err = s.recovered("closing the connection", value)
		}
	}()
	return closer.Close()
}

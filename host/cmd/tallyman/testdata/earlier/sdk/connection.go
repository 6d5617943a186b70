// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"errors"
	"fmt"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// ConnectionTest takes the steps of one connection test, in order, and stops at the first that fails.
//
//	if err := t.Step("authenticate", func(ctx context.Context) (string, error) {
//		account, err := client.WhoAmI(ctx)
//		…
//		t.Account(account.Name)
//		return "token for " + account.Name, nil
//	}); err != nil {
//		return err
//	}
//
// Call it from one goroutine.
type ConnectionTest struct {
	ctx       context.Context
	secrets   *redactor
	recovered func(call string, value any) *Error
	steps     []*distributorv1.TestStep
	failed    error
	account   string
	visible   string
}

// Step tries one step. The usual names are resolve, connect, authenticate, authorise and read; others are welcome. detail
// is what was tried or found, for people. After a step that failed the next ones are not tried and return its error.
func (t *ConnectionTest) Step(name string, try func(ctx context.Context) (detail string, err error)) error {
	if t.failed != nil {
		return t.failed
	}
	detail, err := t.protect(name, try)
	t.add(name, detail, err)
	return err
}

func (t *ConnectionTest) add(name, detail string, err error) {
	t.failed = err
	t.steps = append(t.steps, &distributorv1.TestStep{
		Name: shortRef(name), Ok: err == nil, Detail: errorText(t.secrets.text(detail)), Error: errorToProto(wrapNil(t.secrets.error(err))),
	})
}

// wrapNil keeps a nil *Error from becoming an error that is not nil.
func wrapNil(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

func (t *ConnectionTest) protect(name string, try func(ctx context.Context) (string, error)) (detail string, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = t.recovered(fmt.Sprintf("step %q of the connection test", name), value)
		}
	}()
	return try(t.ctx)
}

// Account tells the name of the account the credentials belong to.
func (t *ConnectionTest) Account(name string) { t.account = name }

// Visible tells what the credentials can see: "2 agreements, 41 customers".
func (t *ConnectionTest) Visible(format string, args ...any) {
	t.visible = fmt.Sprintf(format, args...)
}

// response ends the test after TestConnection returned err.
func (t *ConnectionTest) response(err error) *distributorv1.TestConnectionResponse {
	if err != nil && t.failed == nil {
		t.add("test", "", err)
	}
	if len(t.steps) == 0 {
		t.add("test", "", errors.New("the plugin tried no step"))
	}
	return &distributorv1.TestConnectionResponse{
		Steps: t.steps, Ok: t.failed == nil,
		Account: errorText(t.secrets.text(t.account)), Visible: errorText(t.secrets.text(t.visible)),
	}
}

// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Class says what kind of failure an error is, and so what the host does about it.
type Class int

// The classes of failure. Their meaning is part of the contract and never changes.
const (
	// ClassInternal is a fault of the plugin itself. It is the class of any error that names none.
	ClassInternal Class = iota
	// ClassAuth means the credentials were refused. The host does not retry, so that no account is locked.
	ClassAuth
	// ClassPermission means the credentials were accepted, but a right or role is missing.
	ClassPermission
	// ClassThrottled means the distributor asked to slow down. Set RetryAfter where it said for how long.
	ClassThrottled
	// ClassTransient means it may work later: network, time-out, a server error.
	ClassTransient
	// ClassNotFound means the thing asked for does not exist at the distributor.
	ClassNotFound
	// ClassInvalid means the distributor refused the request as wrong.
	ClassInvalid
	// ClassSettings means a setting is wrong or missing. Set Field.
	ClassSettings
	// ClassSchema means the answer is not what the plugin understands.
	ClassSchema
	// ClassUnsupported means the plugin or the distributor cannot do this.
	ClassUnsupported
)

var classNames = [...]string{
	"internal", "auth", "permission", "throttled", "transient", "not_found", "invalid", "settings", "schema", "unsupported",
}

// String gives the class's name as it is shown and stored: "auth", "not_found".
func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		return classNames[ClassInternal]
	}
	return classNames[c]
}

// Origin says whose fault a failure is.
type Origin int

// The origins of a failure.
const (
	// OriginUnknown is the zero value: nobody said.
	OriginUnknown Origin = iota
	// OriginPlugin means the plugin could not do its work.
	OriginPlugin
	// OriginDistributor means the distributor's service answered wrongly or not at all.
	OriginDistributor
)

// String gives "plugin", "distributor" or "".
func (o Origin) String() string {
	switch o {
	case OriginPlugin:
		return "plugin"
	case OriginDistributor:
		return "distributor"
	default:
		return ""
	}
}

// Error is a failure with what a person and the host need to act on it. It crosses the process boundary whole, except Err.
//
// Message and Hint must never hold a secret or a whole response body.
type Error struct {
	// Class defaults to ClassInternal.
	Class Class
	// Origin defaults to OriginUnknown.
	Origin Origin
	// Message says what happened: "the token endpoint answered 401 (invalid_client)".
	Message string
	// Hint says what to do: "Check client_id and client_secret in the PRISM portal." Optional.
	Hint string
	// CorrelationID is the distributor's id of the failed request. Optional.
	CorrelationID string
	// RetryAfter is how long the distributor asked to wait. Zero: it did not say.
	RetryAfter time.Duration
	// Field is the setting at fault, with ClassSettings.
	Field string
	// Err is the cause, for errors.Is and errors.As inside the plugin. It is not sent to the host.
	Err error
}

// Error gives the message, prefixed by the class.
func (e *Error) Error() string {
	if e.Message == "" && e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Class, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Class, e.Message)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of a class. A %w verb sets Err.
func Errorf(class Class, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Class: class, Message: err.Error(), Err: errors.Unwrap(err)}
}

// WithHint sets what a person can do and returns e.
func (e *Error) WithHint(hint string) *Error {
	e.Hint = hint
	return e
}

// AsError finds the *Error in err's chain. Any other error becomes one of the class ClassOf gives; nil stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: ClassOf(err), Message: err.Error(), Err: err}
}

// ClassOf gives the class of err: that of the *Error in its chain, otherwise ClassTransient for a context that ended and
// ClassInternal for all else.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ClassTransient
	}
	return ClassInternal
}

// ClassOfHTTP gives the class that an HTTP status usually means. Distributors whose statuses mean something else need a
// choice of their own.
func ClassOfHTTP(status int) Class {
	switch {
	case status == 401:
		return ClassAuth
	case status == 403:
		return ClassPermission
	case status == 404, status == 410:
		return ClassNotFound
	case status == 429:
		return ClassThrottled
	case status == 408, status >= 500 && status != 501:
		return ClassTransient
	case status == 405, status == 501:
		return ClassUnsupported
	case status >= 400:
		return ClassInvalid
	default:
		return ClassSchema
	}
}

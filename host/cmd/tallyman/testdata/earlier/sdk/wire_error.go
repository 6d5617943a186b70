// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

func init() {
	wire.Bridge.ErrorToProto = errorToProto
	wire.Bridge.ErrorFromProto = errorFromProto
	wire.Bridge.ErrorToStatus = errorToStatus
	wire.Bridge.ErrorFromStatus = errorFromStatus
}

// maxErrorText bounds each text of an error, so that a body that slipped into one does not cross the boundary whole.
const maxErrorText = 4 << 10

// classes pairs each Class with the contract's enum and the gRPC code a call that failed with it ends with.
var classes = [...]struct {
	proto distributorv1.ErrorClass
	code  codes.Code
}{
	ClassInternal:    {distributorv1.ErrorClass_ERROR_CLASS_INTERNAL, codes.Internal},
	ClassAuth:        {distributorv1.ErrorClass_ERROR_CLASS_AUTH, codes.Unauthenticated},
	ClassPermission:  {distributorv1.ErrorClass_ERROR_CLASS_PERMISSION, codes.PermissionDenied},
	ClassThrottled:   {distributorv1.ErrorClass_ERROR_CLASS_THROTTLED, codes.ResourceExhausted},
	ClassTransient:   {distributorv1.ErrorClass_ERROR_CLASS_TRANSIENT, codes.Unavailable},
	ClassNotFound:    {distributorv1.ErrorClass_ERROR_CLASS_NOT_FOUND, codes.NotFound},
	ClassInvalid:     {distributorv1.ErrorClass_ERROR_CLASS_INVALID, codes.InvalidArgument},
	ClassSettings:    {distributorv1.ErrorClass_ERROR_CLASS_SETTINGS, codes.FailedPrecondition},
	ClassSchema:      {distributorv1.ErrorClass_ERROR_CLASS_SCHEMA, codes.DataLoss},
	ClassUnsupported: {distributorv1.ErrorClass_ERROR_CLASS_UNSUPPORTED, codes.Unimplemented},
}

// classFromProto gives the class; one that a newer plugin made up is ClassInternal, which promises nothing.
func classFromProto(p distributorv1.ErrorClass) Class {
	for class, pair := range classes {
		if pair.proto == p {
			return Class(class)
		}
	}
	return ClassInternal
}

func errorToProto(err error) *distributorv1.ErrorDetail {
	e := AsError(err)
	if e == nil {
		return nil
	}
	detail := &distributorv1.ErrorDetail{
		Class:         distributorv1.ErrorClass_ERROR_CLASS_INTERNAL,
		Message:       errorText(e.Message),
		Hint:          errorText(e.Hint),
		CorrelationId: errorText(e.CorrelationID),
		Field:         errorText(e.Field),
	}
	if e.Class >= 0 && int(e.Class) < len(classes) {
		detail.Class = classes[e.Class].proto
	}
	switch e.Origin {
	case OriginPlugin:
		detail.Origin = distributorv1.ErrorOrigin_ERROR_ORIGIN_PLUGIN
	case OriginDistributor:
		detail.Origin = distributorv1.ErrorOrigin_ERROR_ORIGIN_DISTRIBUTOR
	}
	if detail.Message == "" && e.Err != nil {
		detail.Message = errorText(e.Err.Error())
	}
	// The contract counts milliseconds; a wait shorter than one still is a wait.
	if e.RetryAfter > 0 {
		milliseconds := max(e.RetryAfter.Milliseconds(), 1)
		detail.RetryAfterMilliseconds = &milliseconds
	}
	return detail
}

func errorText(text string) string { return wire.Cut(wire.Clean(text), maxErrorText) }

func errorFromProto(p *distributorv1.ErrorDetail) *Error {
	if p == nil {
		return nil
	}
	e := &Error{
		Class:         classFromProto(p.GetClass()),
		Message:       errorText(p.GetMessage()),
		Hint:          errorText(p.GetHint()),
		CorrelationID: errorText(p.GetCorrelationId()),
		Field:         errorText(p.GetField()),
	}
	switch p.GetOrigin() {
	case distributorv1.ErrorOrigin_ERROR_ORIGIN_PLUGIN:
		e.Origin = OriginPlugin
	case distributorv1.ErrorOrigin_ERROR_ORIGIN_DISTRIBUTOR:
		e.Origin = OriginDistributor
	}
	const longest = int64(1<<63-1) / int64(time.Millisecond)
	e.RetryAfter = time.Duration(min(max(p.GetRetryAfterMilliseconds(), 0), longest)) * time.Millisecond
	return e
}

func errorToStatus(err error) error {
	if err == nil {
		return nil
	}
	e := AsError(err)
	code := codes.Internal
	if e.Class >= 0 && int(e.Class) < len(classes) {
		code = classes[e.Class].code
	}
	// A call that was given up is not a fault; only the code tells, since an Error has no class for it.
	switch {
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	}
	detail := errorToProto(e)
	st, attachErr := status.New(code, detail.GetMessage()).WithDetails(detail)
	if attachErr != nil {
		return status.Error(code, detail.GetMessage())
	}
	return st.Err()
}

func errorFromStatus(err error) error {
	var known *Error
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &known) {
		return err
	}
	st, ok := status.FromError(err)
	if !ok {
		return &Error{Class: ClassInternal, Message: errorText(err.Error()), Err: err}
	}
	e := &Error{Message: errorText(st.Message())}
	found := false
	for _, detail := range st.Details() {
		if p, ok := detail.(*distributorv1.ErrorDetail); ok {
			e, found = errorFromProto(p), true
			break
		}
	}
	if !found {
		explainCode(e, st.Code())
	}
	e.Err = err
	switch st.Code() {
	case codes.Canceled:
		e.Err = errors.Join(context.Canceled, err)
	case codes.DeadlineExceeded:
		e.Err = errors.Join(context.DeadlineExceeded, err)
	}
	return e
}

// explainCode fills an error that gRPC itself made, or a plugin that is not made with this SDK.
func explainCode(e *Error, code codes.Code) {
	e.Origin = OriginPlugin
	switch code {
	case codes.Canceled:
		e.Class, e.Origin, e.Message = ClassTransient, OriginUnknown, "the call was cancelled"
	case codes.DeadlineExceeded:
		e.Class, e.Message = ClassTransient, "the plugin did not answer in time"
	case codes.Unavailable:
		e.Class, e.Message = ClassTransient, "the connection to the plugin broke: "+e.Message
	case codes.ResourceExhausted:
		e.Class = ClassInternal
		if strings.Contains(e.Message, "message") {
			e.Message = "the plugin sent or was sent a message that is too large: " + e.Message
			e.Hint = "A message may have at most 4 MiB; the plugin must send smaller batches."
		}
	case codes.Unimplemented:
		e.Class, e.Message = ClassUnsupported, "the plugin does not know this call: "+e.Message
	default:
		e.Class = ClassInternal
	}
}

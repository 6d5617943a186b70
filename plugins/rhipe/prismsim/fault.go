// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"fmt"
	"strings"
)

// Fault spoils answers. Its zero value is an HTTP 500 to every API call for as
// long as it stands. A fault on the token endpoint must name it.
type Fault struct {
	// Endpoint limits the fault to one endpoint; empty means every endpoint of
	// the API but the token.
	Endpoint Endpoint `json:"endpoint,omitempty"`
	// ID limits the fault to calls about one contract agreement, tenant,
	// subscription or invoice, in any letter case.
	ID string `json:"id,omitempty"`
	// Kind is what happens; empty means FaultStatus.
	Kind FaultKind `json:"kind,omitempty"`

	// Skip lets that many matching calls pass first.
	Skip int `json:"skip,omitempty"`
	// Every spoils only each n-th of the calls that follow; zero means all.
	Every int `json:"every,omitempty"`
	// Times is how many answers are spoilt; zero means until cleared.
	Times int `json:"times,omitempty"`

	// Status is the status of FaultStatus (500 when zero), FaultHTML,
	// FaultBody (200) and FaultRedirect (302).
	Status int `json:"status,omitempty"`
	// ErrorBody overrides the switch of that name.
	ErrorBody ErrorBody `json:"error_body,omitempty"`
	// RetryAfter is sent as the header of that name when not empty: seconds or
	// an HTTP date.
	RetryAfter string `json:"retry_after,omitempty"`
	// Location is where FaultRedirect points to.
	Location string `json:"location,omitempty"`
	// Body and ContentType are the answer of FaultBody.
	Body        string `json:"body,omitempty"`
	ContentType string `json:"content_type,omitempty"`

	// Bytes is where a cut answer ends, or how large a FaultHuge or
	// FaultPadding is; zero means half of the answer, or 50 MiB.
	Bytes int64 `json:"bytes,omitempty"`
	// Interval is the pause before a FaultDelay and between the pieces of a
	// FaultDrip; zero means 100 ms.
	Interval Duration `json:"interval,omitempty"`
	// Chunk is the size of a piece of a FaultDrip in bytes; zero means 64.
	Chunk int `json:"chunk,omitempty"`
}

// FaultKind is what a Fault does to an answer.
type FaultKind string

// The kinds of faults.
const (
	// FaultStatus answers with a status and an error body.
	FaultStatus FaultKind = "status"
	// FaultHTML answers with an HTML page, with status 200 unless set.
	FaultHTML FaultKind = "html"
	// FaultBody answers with a given body, which may be empty.
	FaultBody FaultKind = "body"
	// FaultRedirect answers with a redirect to Location.
	FaultRedirect FaultKind = "redirect"
	// FaultEmpty answers a list without its records.
	FaultEmpty FaultKind = "empty"
	// FaultCut ends the body early in an otherwise clean HTTP answer.
	FaultCut FaultKind = "cut"
	// FaultAbort drops the connection in the middle of a chunked body.
	FaultAbort FaultKind = "abort"
	// FaultShortBody declares the right Content-Length and drops the
	// connection before it is reached.
	FaultShortBody FaultKind = "short_body"
	// FaultLongBody declares a Content-Length smaller than the answer, so that
	// the body a client sees ends early and cleanly.
	FaultLongBody FaultKind = "long_body"
	// FaultHuge adds a text of many bytes to the first record.
	FaultHuge FaultKind = "huge"
	// FaultPadding puts white space of many bytes before the first record.
	FaultPadding FaultKind = "padding"
	// FaultHang sends nothing until the client leaves or the server closes.
	FaultHang FaultKind = "hang"
	// FaultHangMidway sends half of the answer, then nothing more.
	FaultHangMidway FaultKind = "hang_midway"
	// FaultDrip sends the right answer in small pieces with pauses.
	FaultDrip FaultKind = "drip"
	// FaultDelay sends the right answer after a pause.
	FaultDelay FaultKind = "delay"
	// FaultNoConnection closes the connection without an answer.
	FaultNoConnection FaultKind = "no_connection"
)

var faultKinds = set("status", "html", "body", "redirect", "empty", "cut", "abort", "short_body", "long_body", "huge", "padding",
	"hang", "hang_midway", "drip", "delay", "no_connection")

func (f *Fault) check() error {
	if f.Kind != "" && !faultKinds[string(f.Kind)] {
		return fmt.Errorf("fault: unknown kind %q", f.Kind)
	}
	if f.Endpoint != "" && !endpointKnown(f.Endpoint) {
		return fmt.Errorf("fault: unknown endpoint %q", f.Endpoint)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("fault: status %d is outside 200 to 599", f.Status)
	}
	sw := Switches{ErrorBody: f.ErrorBody}
	return sw.check()
}

// Throttle is a 429 for n calls (zero: until cleared) of an endpoint.
func Throttle(endpoint Endpoint, n int, retryAfter string) Fault {
	return Fault{Endpoint: endpoint, Status: 429, Times: n, RetryAfter: retryAfter}
}

// AgreementFails answers one contract agreement's tenants with a status.
func AgreementFails(agreementID string, status int) Fault {
	return Fault{Endpoint: Tenants, ID: agreementID, Status: status}
}

// armed is a fault with what it has seen.
type armed struct {
	Fault
	number    int
	seen, hit int
}

// strikes counts a call and reports whether the fault spoils it.
func (a *armed) strikes(ep Endpoint, id string) bool {
	if a.Endpoint == "" && ep == Token || a.Endpoint != "" && a.Endpoint != ep {
		return false
	}
	if a.ID != "" && !strings.EqualFold(a.ID, id) {
		return false
	}
	if a.Times > 0 && a.hit >= a.Times {
		return false
	}
	a.seen++
	n := a.seen - a.Skip
	if n <= 0 || a.Every > 1 && n%a.Every != 0 {
		return false
	}
	a.hit++
	return true
}

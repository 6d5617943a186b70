// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

// Sender is a channel.
type Sender interface {
	// Send sends a message. The key is the same whenever the same message is sent. Its error holds no secret.
	Send(ctx context.Context, key string, m *Message) error
	// Timeout is how long one message may take.
	Timeout() time.Duration
}

// SendError is why a message could not be sent.
type SendError struct {
	// To is where it was to go, without what is secret about that.
	To, Message string
	// Next says what to do.
	Next string
}

func (e *SendError) Error() string { return e.To + ": " + e.Message }

// Code is that of the problem.
func (e *SendError) Code() string { return "notification.not_sent" }

// Hint says what to do.
func (e *SendError) Hint() string { return e.Next }

// notSent makes a SendError of any error, without the secrets.
func notSent(to string, err error, next string, secrets ...sdk.Secret) error {
	// What HTTP says names the whole address, and that is all the secret a chat has.
	if told := (*url.Error)(nil); errors.As(err, &told) {
		err = told.Err
	}
	message := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		message = "there was no answer in time"
	}
	for _, secret := range secrets {
		for _, text := range partsOf(secret.Reveal()) {
			message = strings.ReplaceAll(message, text, "***")
		}
	}
	return &SendError{To: to, Message: line(message, longestLine), Next: next}
}

// partsOf gives a secret, and of an address whatever in it may be secret by itself: servers like to say what they were asked for.
func partsOf(secret string) []string {
	if secret == "" {
		return nil
	}
	parts := []string{secret}
	u, err := url.Parse(secret)
	if err != nil || u.Host == "" {
		return parts
	}
	for _, text := range []string{u.RequestURI(), u.EscapedPath(), u.Path} {
		if len(text) > 1 {
			parts = append(parts, text)
		}
	}
	for _, text := range append(strings.Split(u.EscapedPath(), "/"), strings.FieldsFunc(u.RawQuery, func(r rune) bool { return r == '&' || r == '=' })...) {
		if len(text) >= 8 {
			parts = append(parts, text)
		}
	}
	return parts
}

// longestAnswer bounds what is read of an answer, in bytes.
const longestAnswer = 16 << 10

// bounded cuts answers off, so that none fills the memory.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, longestAnswer), answer.Body}
	}
	return answer, err
}

// newHTTP makes a client that goes to the address it is given and nowhere else: whoever it is sent on to does not get what is
// meant for the first.
func newHTTP() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // messages are rare
	return &http.Client{
		Transport:     bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// host gives the part of an address that may be shown.
func host(secret sdk.Secret) string {
	u, err := url.Parse(secret.Reveal())
	if err != nil || u.Host == "" {
		return "the channel's url"
	}
	return u.Scheme + "://" + u.Host
}

// wrongStatus says what an answer with an unexpected status means.
func wrongStatus(status int) string {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusGone:
		return "Is the channel's url still the one that the other side gave out? Make a new one there if not."
	case status >= 300 && status < 400:
		return "It answers from another address; write that one into the channel's url."
	default:
		return "It is sent again by itself. If it stays, ask who runs the other side, with this text."
	}
}

func statusText(answer *http.Response) string {
	// All of it: a secret that is cut off would not be recognised any more.
	body, _ := io.ReadAll(answer.Body)
	if len(body) == longestAnswer { // nor would one that is cut off here
		body = []byte("with a page of more than 16 KiB")
	}
	return fmt.Sprintf("it answered %s: %s", answer.Status, body)
}

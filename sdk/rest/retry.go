// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

// checkRetry says whether an attempt is repeated: reads only, and only after failures that may pass.
func (c *Client) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	call := callOf(ctx)
	if call == nil || !call.read {
		return false, nil
	}
	if err != nil {
		return passing(err), nil
	}
	if wait, told := retryAfter(resp); told && wait > c.options.MaxRetryWait {
		return false, nil
	}
	switch resp.StatusCode {
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false, nil
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
		return true, nil
	default:
		return resp.StatusCode >= 500, nil
	}
}

// passing reports whether a failure without an answer may be gone at the next attempt.
func passing(err error) bool {
	var (
		known   *sdk.Error
		large   *tooLargeError
		dns     *net.DNSError
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &known), errors.As(err, &large), errors.As(err, &verify), errors.As(err, &unknown),
		errors.As(err, &name), errors.As(err, &record):
		return false
	case errors.As(err, &dns):
		return !dns.IsNotFound
	default:
		return !strings.Contains(err.Error(), plainHTTPAnswer)
	}
}

// plainHTTPAnswer is how net/http says that a TLS server answered plain HTTP. It has no type of its own.
const plainHTTPAnswer = "server gave HTTP response to HTTPS client"

// backoff gives the wait before the next attempt: what the distributor asked for, else doubling with jitter.
func backoff(first, longest time.Duration, attempt int, resp *http.Response) time.Duration {
	if wait, told := retryAfter(resp); told {
		// A little later than asked, and not all at the same instant.
		return wait + jitter(first/4)
	}
	if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
		first *= 8
	}
	wait := first << min(attempt, 16)
	if wait <= 0 || wait > longest {
		wait = longest
	}
	return wait/2 + jitter(wait/2)
}

func jitter(upTo time.Duration) time.Duration {
	if upTo <= 0 {
		return 0
	}
	return rand.N(upTo) //nolint:gosec // nobody gains by guessing it
}

// retryAfter reads the header of a refusal: seconds, or a date. A wait in the past is zero. One that was told in the text
// is in the header, too; see tellWait.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	if resp == nil || resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode < 500 {
		return 0, false
	}
	text := strings.TrimSpace(resp.Header.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds >= 0 && seconds < 1e8) {
			return 0, false
		}
		return time.Duration(seconds * float64(time.Second)), true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at)), true
	}
	return 0, false
}

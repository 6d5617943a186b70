// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// A wait beyond MaxRetryWait is not slept but reported, so that it can be seen how a text is understood.
func TestAWaitIsReadFromTheTextOfARefusal(t *testing.T) {
	t.Parallel()
	const gateway = `{"statusCode":429,"message":"Rate limit is exceeded. Try again in 26 seconds."}`
	for name, test := range map[string]struct {
		status int
		header string
		body   string
		want   time.Duration
	}{
		"an API gateway":                    {429, "", gateway, 26 * time.Second},
		"a problem with a detail":           {429, "", `{"title":"Too Many Requests","detail":"Try again in 90 seconds."}`, 90 * time.Second},
		"plain text":                        {429, "", "Slow down! Please RETRY AFTER 2 minutes", 2 * time.Minute},
		"one second":                        {429, "", "Try again in 1 second.", time.Second},
		"a fraction":                        {429, "", `{"detail":"Throttled. Expected available in 18.5 seconds."}`, 18500 * time.Millisecond},
		"short units":                       {429, "", "retry in 3s", 3 * time.Second},
		"milliseconds":                      {429, "", "wait 1500 ms", 1500 * time.Millisecond},
		"hours":                             {429, "", "Quota used up, try again in 1 hour", time.Hour},
		"a service that is not there":       {503, "", "Maintenance. Try again in 10 minutes.", 10 * time.Minute},
		"the header goes first":             {429, "50", gateway, 50 * time.Second},
		"no time":                           {429, "", `{"message":"Rate limit is exceeded. Try again later."}`, 0},
		"a number that is no wait":          {429, "", `{"message":"You made 1000 requests in 60 seconds"}`, 0},
		"a limit, and no time":              {429, "", "retry: at most 100 requests an hour", 0},
		"a unit that is none":               {429, "", "Try again in 26 moons", 0},
		"a failure that is no throttling":   {500, "", "Try again in 26 seconds.", 0},
		"a refusal that is no throttling":   {403, "", "Out of quota. Try again in 26 seconds.", 0},
		"a number that is far out of reach": {429, "", "Try again in 99999999999999999999 seconds.", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				status(test.status, "application/json", test.body)(w, r)
			})
			options := a.options()
			options.MaxRetryWait = 20 * time.Millisecond
			_, err := newClient(t, options).Get(t.Context(), customers)
			if got := sdk.AsError(err).RetryAfter; got != test.want {
				t.Errorf("a wait of %s, want %s", got, test.want)
			}
			if n := a.requests.Load(); test.want > 0 && n != 1 {
				t.Errorf("%d requests, want 1: the wait is longer than MaxRetryWait", n)
			}
		})
	}
}

func TestAWaitToldInTextIsKept(t *testing.T) {
	t.Parallel()
	var refused, answered atomic.Int64
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		if refused.CompareAndSwap(0, time.Now().UnixNano()) {
			status(429, "application/problem+json", `{"status":429,"detail":"Try again in 1 seconds."}`)(w, r)
			return
		}
		answered.Store(time.Now().UnixNano())
		answer(`[]`)(w, r)
	})
	if _, err := newClient(t, a.options()).Get(t.Context(), customers); err != nil {
		t.Fatal(err)
	}
	if waited := time.Duration(answered.Load() - refused.Load()); waited < time.Second {
		t.Errorf("asked again after %s, want 1s", waited)
	}
}

func TestAWaitToldInTextHoldsTheOtherRequestsToo(t *testing.T) {
	t.Parallel()
	var free atomic.Int64
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		switch now := time.Now().UnixNano(); {
		case free.CompareAndSwap(0, now+int64(time.Second)):
			status(429, "application/json", `{"message":"Try again in 1 seconds."}`)(w, r)
		case now < free.Load():
			t.Error("a request came while the distributor had asked for a pause")
			fallthrough
		default:
			answer(`[]`)(w, r)
		}
	})
	options := a.options()
	options.MaxAttempts = 1
	client := newClient(t, options)
	if _, err := client.Get(t.Context(), customers); sdk.ClassOf(err) != sdk.ClassThrottled {
		t.Fatalf("%v", err)
	}
	if _, err := client.Get(t.Context(), rest.Read("GET", "/v1/other", nil)); err != nil {
		t.Error(err)
	}
}

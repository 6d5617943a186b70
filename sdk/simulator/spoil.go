// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"time"
)

// Status answers with a status and a body. The header's names and values come in pairs.
func Status(code int, body string, header ...string) Spoil {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if w.Header().Get("Content-Type") == "" && body != "" {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// RetryAtDate answers 429 and names, as an HTTP date, an instant that is as good as now.
func RetryAtDate() Spoil {
	return func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		when := time.Now().Add(time.Second).UTC().Format(http.TimeFormat)
		Status(http.StatusTooManyRequests, `{"error":"too many requests"}`, "Retry-After", when)(w, r, api)
	}
}

// ThrottleInWords answers 429 for a second, and tells the wait in the body alone, which must ask for a second: "Try again
// in 1 seconds." It is for HTTPFault.Begin.
func ThrottleInWords(body string) func() Spoil {
	const pause = time.Second
	return func() Spoil {
		var until atomic.Int64
		refuse := Status(http.StatusTooManyRequests, body)
		return func(w http.ResponseWriter, r *http.Request, api http.Handler) {
			now := time.Now().UnixNano()
			if until.CompareAndSwap(0, now+int64(pause)) || now < until.Load() {
				refuse(w, r, api)
				return
			}
			api.ServeHTTP(w, r)
		}
	}
}

// HTML answers with a page for people, with status 200.
func HTML() Spoil {
	return Status(http.StatusOK, "<!DOCTYPE html><html><body><h1>We are improving our service</h1></body></html>",
		"Content-Type", "text/html; charset=utf-8")
}

// Cut answers rightly, and breaks the connection off half way through the body.
func Cut() Spoil {
	return func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		answer := record(r, api)
		copyHead(w, answer)
		w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		panic(http.ErrAbortHandler)
	}
}

// CutCleanly answers with half of the body, in an answer that is whole for HTTP.
func CutCleanly() Spoil {
	return Rewrite(func(body []byte) []byte { return body[:len(body)/2] })
}

// Rewrite answers rightly but for the body, which rewrite changes.
func Rewrite(rewrite func(body []byte) []byte) Spoil {
	return func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		answer := record(r, api)
		copyHead(w, answer)
		w.WriteHeader(answer.Code)
		_, _ = w.Write(rewrite(bytes.Clone(answer.Body.Bytes())))
	}
}

// Drop closes the connection without an answer.
func Drop() Spoil {
	return func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }
}

// Hang does not answer until the client gives up or another fault is played.
func Hang() Spoil {
	return func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
}

func record(r *http.Request, api http.Handler) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	api.ServeHTTP(answer, r)
	return answer
}

func copyHead(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
	w.Header().Del("Content-Length")
}

// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBody is the greatest request body that is read, in bytes.
const maxBody = 1 << 20

// call is one call being answered.
type call struct {
	s     *Server
	w     *recorder
	r     *http.Request
	args  []string // what stood for the stars of the route
	id    string   // the first of them
	sw    Switches
	v     view
	fault *Fault
}

func (c *call) serve(rt *route, allow string) {
	if rt == nil {
		c.sw = c.s.prepare("", "")
		if allow != "" {
			c.w.Header().Set("Allow", allow)
			c.fail(http.StatusMethodNotAllowed, "The requested resource does not support http method '"+c.r.Method+"'.")
			return
		}
		c.fail(http.StatusNotFound, "No HTTP resource was found that matches the request URI.")
		return
	}
	c.sw = c.s.prepare(rt.endpoint, c.id)
	if rt.endpoint != Token && !c.authorised() {
		return
	}
	c.fault = c.s.strike(rt.endpoint, c.id)
	if c.fault != nil && c.spoilt() {
		return
	}
	c.v = c.s.source.snapshot()
	rt.serve(c)
}

// spoilt answers the faults that need no right answer; it reports whether the
// call is over.
func (c *call) spoilt() bool {
	f := c.fault
	status := func(usual int) int {
		if f.Status != 0 {
			return f.Status
		}
		return usual
	}
	if f.RetryAfter != "" {
		c.w.Header().Set("Retry-After", f.RetryAfter)
	}
	switch f.Kind {
	case FaultStatus:
		code := status(http.StatusInternalServerError)
		c.fail(code, spoiltMessage(code))
	case FaultHTML:
		c.html(status(http.StatusOK), "Maintenance", "PRISM is down for maintenance. Please come back later.")
	case FaultBody:
		kind := f.ContentType
		if kind == "" {
			kind = "application/json; charset=utf-8"
		}
		c.w.Header().Set("Content-Type", kind)
		c.w.WriteHeader(status(http.StatusOK))
		_, _ = io.WriteString(c.w, f.Body)
	case FaultRedirect:
		c.w.Header().Set("Location", f.Location)
		c.w.WriteHeader(status(http.StatusFound))
	case FaultHang:
		c.drain()
		c.hang()
	case FaultNoConnection:
		panic(http.ErrAbortHandler)
	case FaultDelay:
		c.drain()
		return !c.pause()
	default:
		return false
	}
	return true
}

func spoiltMessage(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "Authorization has been denied for this request."
	case http.StatusForbidden:
		return "You are not allowed to see this resource."
	case http.StatusNotFound:
		return "The resource was not found."
	case http.StatusTooManyRequests:
		return "API calls quota exceeded."
	default:
		return "An error has occurred."
	}
}

// drain takes the request's body in, so that a client that leaves is noticed.
// The body stays readable.
func (c *call) drain() {
	body, _ := io.ReadAll(io.LimitReader(c.r.Body, maxBody))
	c.r.Body = io.NopCloser(strings.NewReader(string(body)))
}

// hang waits until the client leaves or the server closes, and drops the
// connection.
func (c *call) hang() {
	select {
	case <-c.r.Context().Done():
	case <-c.s.ctx.Done():
	}
	panic(http.ErrAbortHandler)
}

// pause waits for the fault's interval; it reports whether to go on.
func (c *call) pause() bool {
	d := time.Duration(c.fault.Interval)
	if d == 0 {
		d = 100 * time.Millisecond
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.r.Context().Done():
	case <-c.s.ctx.Done():
	}
	return false
}

// errCut ends the writing of an answer that is cut.
var errCut = errors.New("cut")

// sendJSON answers 200 with what write encodes. The answer is streamed; write
// may be called twice and must give the same each time.
func (c *call) sendJSON(write func(*encoder)) {
	c.send("application/json; charset=utf-8", func(w io.Writer) {
		e := newEncoder(w, &c.sw)
		if c.fault != nil {
			size := c.fault.Bytes
			if size == 0 {
				size = 50 << 20
			}
			switch c.fault.Kind {
			case FaultHuge:
				e.huge = size
			case FaultPadding:
				e.padding = size
			}
		}
		write(e)
		e.flush()
	})
}

func (c *call) send(contentType string, write func(io.Writer)) {
	c.w.Header().Set("Content-Type", contentType)
	if c.fault == nil {
		write(c.w)
		return
	}
	switch c.fault.Kind {
	case FaultCut, FaultAbort, FaultShortBody, FaultLongBody, FaultHangMidway:
	case FaultDrip:
		chunk := c.fault.Chunk
		if chunk <= 0 {
			chunk = 64
		}
		write(&drip{c: c, chunk: chunk})
		return
	default:
		write(c.w)
		return
	}
	var total counter
	write(&total)
	end := c.fault.Bytes
	if end <= 0 || end >= int64(total) {
		end = int64(total) / 2
	}
	switch c.fault.Kind {
	case FaultShortBody:
		c.w.Header().Set("Content-Length", strconv.FormatInt(int64(total), 10))
	case FaultLongBody:
		c.w.Header().Set("Content-Length", strconv.FormatInt(end, 10))
	}
	write(&limited{w: c.w, left: end})
	if c.fault.Kind == FaultCut || c.fault.Kind == FaultLongBody {
		return
	}
	_ = http.NewResponseController(c.w).Flush()
	if c.fault.Kind == FaultHangMidway {
		c.hang()
	}
	panic(http.ErrAbortHandler)
}

type counter int64

func (n *counter) Write(b []byte) (int, error) { *n += counter(len(b)); return len(b), nil }

// limited passes on what is left and then fails.
type limited struct {
	w    io.Writer
	left int64
}

func (l *limited) Write(b []byte) (int, error) {
	if int64(len(b)) <= l.left {
		l.left -= int64(len(b))
		return l.w.Write(b)
	}
	n, err := l.w.Write(b[:l.left])
	l.left = 0
	return n, errors.Join(err, errCut)
}

// drip passes on small pieces with pauses between.
type drip struct {
	c     *call
	chunk int
}

func (d *drip) Write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		n, err := d.c.w.Write(b[written:min(len(b), written+d.chunk)])
		written += n
		if err == nil {
			err = http.NewResponseController(d.c.w).Flush()
		}
		if err == nil && !d.c.pause() {
			err = errCut
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// fail answers with an error in the form the switches, or the fault, ask for.
func (c *call) fail(status int, message string) {
	form := c.sw.ErrorBody
	if c.fault != nil && c.fault.ErrorBody != "" {
		form = c.fault.ErrorBody
	}
	switch form {
	case ErrorWord:
		c.answerJSON(status, map[string]string{"error": message})
	case ErrorModelState:
		c.answerJSON(status, map[string]any{
			"Message": "The request is invalid.", "ModelState": map[string][]string{"request": {message}},
		})
	case ErrorException:
		c.answerJSON(status, map[string]string{
			"Message": "An error has occurred.", "ExceptionMessage": message, "ExceptionType": "System.InvalidOperationException",
			"StackTrace": "   at Prism.Api.Controllers.Base.Handle()",
		})
	case ErrorEmpty:
		c.w.WriteHeader(status)
	case ErrorHTML:
		c.html(status, http.StatusText(status), message)
	default:
		c.answerJSON(status, map[string]string{"Message": message})
	}
}

// invalid answers 400 for one parameter.
func (c *call) invalid(parameter, message string) {
	if c.sw.ErrorBody != ErrorMessage {
		c.fail(http.StatusBadRequest, message)
		return
	}
	c.answerJSON(http.StatusBadRequest, map[string]any{
		"Message": "The request is invalid.", "ModelState": map[string][]string{parameter: {message}},
	})
}

func (c *call) html(status int, title, text string) {
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = io.WriteString(c.w, "<!DOCTYPE html>\r\n<html><head><title>"+title+"</title></head>\r\n<body><h1>"+title+"</h1><p>"+text+"</p></body></html>\r\n")
}

// query is a query parameter, whose name is taken in any letter case.
func (c *call) query(name string) string {
	for k, v := range c.r.URL.Query() {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// boolean reads a boolean query parameter in any letter case; 1 and 0 are
// taken too. It answers 400 for anything else.
func (c *call) boolean(name string) (value, ok bool) {
	switch v := strings.TrimSpace(c.query(name)); strings.ToLower(v) {
	case "", "false", "0":
		return false, true
	case "true", "1":
		return true, true
	default:
		c.invalid(name, "The value '"+v+"' is not valid for "+name+".")
		return false, false
	}
}

// paging reads page and pageSize, from 1 on; most is the greatest page size
// and the default. Zero means no limit.
func (c *call) paging(page, size string, most int) (int, int, bool) {
	read := func(name, v string, usual int) (int, bool) {
		if v == "" {
			return usual, true
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			c.invalid(name, "The value '"+v+"' is not valid for "+name+".")
			return 0, false
		}
		return n, true
	}
	p, ok := read("page", page, 1)
	if !ok {
		return 0, 0, false
	}
	n, ok := read("pageSize", size, most)
	if !ok {
		return 0, 0, false
	}
	if most > 0 {
		n = min(n, most)
	}
	return p, n, true
}

// body decodes the request's JSON body; it answers 400 when it cannot.
func (c *call) body(into any) bool {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxBody)
	if err := json.NewDecoder(c.r.Body).Decode(into); err != nil {
		c.invalid("body", "The request body is not the expected JSON.")
		return false
	}
	return true
}

func (c *call) unknown(what string) {
	c.fail(http.StatusNotFound, what+" was not found.")
}

// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Exchange is one request and its answer on a Cassette.
type Exchange struct {
	// Method and URL are those of the request, the parameters of the query in the order of their names.
	Method, URL string
	// RequestBody is what was sent.
	RequestBody []byte
	// Status, Header and Body are the answer's. Of the headers there are those that a client looks at. All are empty
	// where there is no answer yet.
	Status int
	Header http.Header
	Body   []byte
	// Cut: the answer broke off there, or nobody read on.
	Cut bool

	// token: a token is asked for.
	token bool
}

// keptHeaders are the headers of an answer that a client looks at.
var keptHeaders = slices.Concat([]string{"Content-Type", "Location", "Link"}, correlationHeaders)

const (
	cutHeader   = "Tallyman-Cut"
	tokenHeader = "Tallyman-Token"
	// protocol begins the answer in a file.
	protocol = "HTTP/1.1 "
)

// fakeToken is the answer that takes the place of one with a token.
const fakeToken = `{"access_token":"***","expires_in":3600,"token_type":"Bearer"}`

func newExchange(req *http.Request, call *call) *Exchange {
	target := *req.URL
	target.RawQuery = target.Query().Encode()
	return &Exchange{Method: req.Method, URL: target.String(), RequestBody: bytes.Clone(call.body), token: call.token}
}

// head takes the head of an answer. A wait until a date becomes one of seconds, which is true in any year.
func (e *Exchange) head(resp *http.Response) {
	e.Status, e.Header = resp.StatusCode, http.Header{}
	for _, name := range keptHeaders {
		if values := resp.Header.Values(name); len(values) > 0 {
			e.Header[textproto.CanonicalMIMEHeaderKey(name)] = slices.Clone(values)
		}
	}
	if wait, told := retryAfter(resp); told {
		e.Header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
}

// forgetToken leaves nothing of the credentials and of the token, whatever shape the answer has.
func (e *Exchange) forgetToken() {
	e.RequestBody = nil
	if e.Status == 0 {
		return
	}
	v, _ := ParseValue(e.Body)
	o := v.Object()
	switch {
	case e.Cut:
		e.Body = nil
	case o.Get("access_token", "AccessToken").Text() != "":
		e.Body = []byte(fakeToken)
	default:
		kept := map[string]string{}
		for _, name := range []string{"error", "error_description"} {
			if text := o.Get(name).Text(); text != "" {
				kept[name] = text
			}
		}
		body, err := json.Marshal(kept)
		if err != nil {
			panic(err) // Texts can be marshalled.
		}
		e.Body = body
	}
}

// key is what a request is known by: everything but scheme and host, which may be others when it is played.
func (e *Exchange) key() string {
	_, rest, _ := strings.Cut(e.URL, "://")
	at := strings.IndexAny(rest, "/?")
	if at < 0 {
		at = len(rest)
	}
	key := e.Method + " /" + strings.TrimPrefix(rest[at:], "/")
	if len(e.RequestBody) > 0 {
		key += " " + string(e.RequestBody)
	}
	return key
}

// write writes an exchange as it would look on the wire: the request, an empty line, the answer.
func (e *Exchange) write(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", e.Method, e.URL)
	if e.token {
		fmt.Fprintf(&b, "%s: true\n", tokenHeader)
	}
	b.WriteString("\n")
	if len(e.RequestBody) > 0 {
		fmt.Fprintf(&b, "%s\n\n", e.RequestBody)
	}
	fmt.Fprintf(&b, "%s%d %s\n", protocol, e.Status, http.StatusText(e.Status))
	if e.Cut {
		fmt.Fprintf(&b, "%s: true\n", cutHeader)
	}
	for _, name := range slices.Concat(keptHeaders, []string{"Retry-After"}) {
		for _, value := range e.Header.Values(name) {
			fmt.Fprintf(&b, "%s: %s\n", name, clean(value))
		}
	}
	b.WriteString("\n")
	b.Write(e.Body)
	_, err := w.Write(b.Bytes())
	return err
}

// readExchange reads an exchange but for the answer's body, and says at which byte that begins.
func readExchange(from io.Reader) (e *Exchange, bodyAt int64, err error) {
	lines := &lineReader{from: bufio.NewReader(from)}
	e = &Exchange{Header: http.Header{}}
	var known bool
	if e.Method, e.URL, known = strings.Cut(lines.next(), " "); !known {
		return nil, 0, errors.New(`it does not begin with a method and a URL, as in "GET https://api.example.com/customers"`)
	}
	for line := lines.next(); line != ""; line = lines.next() {
		name, value, _ := strings.Cut(line, ":")
		e.token = e.token || strings.EqualFold(name, tokenHeader) && strings.TrimSpace(value) == "true"
	}
	var body []string
	status := lines.next()
	for ; lines.err == nil && !strings.HasPrefix(status, protocol); status = lines.next() {
		body = append(body, status)
	}
	code, _, _ := strings.Cut(strings.TrimPrefix(status, protocol), " ")
	if e.Status, err = strconv.Atoi(code); err != nil || !strings.HasPrefix(status, protocol) {
		return nil, 0, fmt.Errorf("it holds no answer, which begins with a line such as %q", protocol+"200 OK")
	}
	if text := strings.TrimRight(strings.Join(body, "\n"), "\n"); text != "" {
		e.RequestBody = []byte(text)
	}
	for line := lines.next(); line != ""; line = lines.next() {
		name, value, _ := strings.Cut(line, ":")
		e.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	e.Cut = e.Header.Get(cutHeader) == "true"
	if lines.err != nil && !errors.Is(lines.err, io.EOF) {
		return nil, 0, lines.err
	}
	return e, lines.bytes, nil
}

// lineReader reads lines, with either end, and counts bytes. Behind the end lines are empty.
type lineReader struct {
	from  *bufio.Reader
	bytes int64
	err   error
}

func (l *lineReader) next() string {
	if l.err != nil {
		return ""
	}
	var line string
	line, l.err = l.from.ReadString('\n')
	l.bytes += int64(len(line))
	return strings.TrimRight(line, "\r\n")
}

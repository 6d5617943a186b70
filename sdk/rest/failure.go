// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/tallymanhq/tallyman/sdk"
)

// maxErrorText is how much of a refusal's text is shown, in bytes.
const maxErrorText = 500

// shapeError is an answer that is not what it should be.
type shapeError struct {
	text string
	hint string
}

func (e *shapeError) Error() string { return e.text }

func shapef(format string, args ...any) *shapeError {
	return &shapeError{text: fmt.Sprintf(format, args...)}
}

const htmlHint = "Something other than the API answered: a proxy's or portal's sign-in page, or a wrong address. " +
	"Check the address in the settings and whether a proxy stands in between."

// checkJSON refuses an answer that says or shows that it is not JSON.
func checkJSON(_ *call, resp *http.Response, head []byte) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	head = bytes.TrimLeft(bytes.TrimPrefix(head, bom), " \t\r\n")
	switch {
	case kind == "text/html", kind == "application/xhtml+xml", looksLikeHTML(head):
		return &shapeError{text: "the answer is HTML, not JSON", hint: htmlHint}
	case len(head) > 0 && head[0] == '<':
		return &shapeError{text: "the answer is XML, not JSON"}
	case len(head) == 0:
		return shapef("the answer is empty")
	}
	return nil
}

func looksLikeHTML(head []byte) bool {
	lower := strings.ToLower(string(head[:min(len(head), 256)]))
	return strings.HasPrefix(lower, "<!doctype html") || strings.HasPrefix(lower, "<html") || strings.HasPrefix(lower, "<head") || strings.HasPrefix(lower, "<body")
}

// schemaError is about an answer with status 2xx that cannot be understood.
func (c *Client) schemaError(call *call, resp *http.Response, err error) *sdk.Error {
	e := &sdk.Error{
		Class: sdk.ClassSchema, Origin: sdk.OriginDistributor, CorrelationID: c.correlation(resp),
		Message: c.Redact(fmt.Sprintf("%s answered %d, but %v", call, resp.StatusCode, err)),
	}
	var shape *shapeError
	if errors.As(err, &shape) {
		e.Hint = shape.hint
	}
	return e
}

// statusError is about an answer that is a refusal.
func (c *Client) statusError(call *call, resp *http.Response, body []byte) *sdk.Error {
	e := &sdk.Error{Origin: sdk.OriginDistributor, CorrelationID: c.correlation(resp), Class: classOf(resp.StatusCode)}
	e.RetryAfter, _ = retryAfter(resp)
	code, text := c.errorText(resp, body)
	e.Message = fmt.Sprintf("%s answered %d %s%s", call, resp.StatusCode, http.StatusText(resp.StatusCode), call.tries())
	if text != "" {
		e.Message += ": " + text
	}
	e.Hint = genericHints[e.Class]
	if resp.StatusCode/100 == 3 {
		e.Message += redirectText(c, resp)
		e.Hint = "Check the address in the settings; the API may have moved, or a sign-in page stands in front of it."
	}
	if resp.StatusCode == http.StatusProxyAuthRequired {
		e.Hint = "The proxy wants credentials; put them into HTTPS_PROXY."
		return e
	}
	if call.token {
		c.tokenError(e, resp.StatusCode, code)
	}
	if hint, known := c.options.Hints[e.Class]; known && e.Class != sdk.ClassSettings {
		e.Hint = hint
	}
	return e
}

// tokenError tells the refusals of a token endpoint apart.
func (c *Client) tokenError(e *sdk.Error, status int, code string) {
	switch {
	case status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout:
		return
	case code == "invalid_scope":
		e.Class, e.Field = sdk.ClassSettings, "scope"
		e.Hint = "The client may not ask for this scope. Check the scope in the settings and what the client was registered for."
	case code == "unsupported_grant_type", code == "invalid_request":
		e.Class, e.Field = sdk.ClassSettings, c.options.TokenURLField
		e.Hint = "The token endpoint does not understand the request. Check that the address is that of the token endpoint."
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status/100 == 3:
		e.Class, e.Field = sdk.ClassSettings, c.options.TokenURLField
		e.Hint = "There is no token endpoint at this address. Check it in the settings."
	default:
		e.Class = sdk.ClassAuth
		e.Hint = genericHints[sdk.ClassAuth]
	}
}

var genericHints = map[sdk.Class]string{
	sdk.ClassAuth:       "The credentials were refused. Check client id and secret, and whether they have been revoked or have expired.",
	sdk.ClassPermission: "The credentials are accepted, but a right is missing. Ask the distributor's administrator for it.",
	sdk.ClassThrottled:  "Too many requests. Wait, lower the request rate, or look for other tools that use the same credentials.",
	sdk.ClassTransient:  "The distributor's service has a fault. Try again later.",
}

func classOf(status int) sdk.Class {
	switch status {
	case http.StatusUnauthorized:
		return sdk.ClassAuth
	case http.StatusForbidden, http.StatusPaymentRequired, http.StatusUnavailableForLegalReasons:
		return sdk.ClassPermission
	case http.StatusNotFound, http.StatusGone:
		return sdk.ClassNotFound
	case http.StatusTooManyRequests:
		return sdk.ClassThrottled
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusProxyAuthRequired:
		return sdk.ClassTransient
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return sdk.ClassUnsupported
	}
	switch {
	case status >= 500:
		return sdk.ClassTransient
	case status >= 400:
		return sdk.ClassInvalid
	default:
		return sdk.ClassSchema
	}
}

func redirectText(c *Client, resp *http.Response) string {
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || to.Path == "" && to.Host == "" {
		return ""
	}
	return c.Redact(fmt.Sprintf(" (it points to %s%s)", to.Host, clip(to.EscapedPath(), 200)))
}

var correlationHeaders = []string{
	"X-Correlation-Id", "Ms-Correlationid", "X-Request-Id", "Ms-Requestid", "Request-Id", "X-Ms-Request-Id", "X-Amzn-Requestid",
	"X-Azure-Ref", "Cf-Ray",
}

func (c *Client) correlation(resp *http.Response) string {
	for _, name := range correlationHeaders {
		if id := resp.Header.Get(name); id != "" {
			return clip(c.Redact(clean(id)), 128)
		}
	}
	return ""
}

// errorText reads a refusal in the styles services are known to use. Code is the OAuth error code, if there is one.
func (c *Client) errorText(resp *http.Response, body []byte) (code, text string) {
	if v, err := ParseValue(body); err == nil && v.IsObject() {
		o := v.Object()
		code = o.Get("error").Text()
		text = jsonErrorText(o)
	} else if err == nil && v.IsString() {
		text = v.Text()
	} else {
		text = string(body)
	}
	// Redaction comes before tags are stripped and before the cut, which could take a part of a secret and so hide the
	// rest from the redactor; and once more behind them, since they could also put one together.
	text = c.Redact(text)
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" || strings.HasPrefix(strings.TrimSpace(text), "<") {
		text = stripTags(text)
	}
	return clip(clean(code), 64), clip(c.Redact(clean(text)), maxErrorText)
}

func jsonErrorText(o Object) string {
	message := ""
	for _, name := range []string{"Message", "ExceptionMessage", "error_description", "detail", "title", "error", "errors"} {
		v := o.Get(name)
		if v.IsObject() {
			message = jsonErrorText(v.Object())
		} else {
			message = v.Text()
		}
		if message != "" {
			break
		}
	}
	if code := o.Get("error").Text(); code != "" && !strings.Contains(message, code) {
		message = code + ": " + message
	}
	var fields []string
	for _, field := range o.Get("ModelState", "errors").Object() {
		for v := range field.Value.Elements() {
			fields = append(fields, string(field.Name)+": "+v.Text())
		}
	}
	if len(fields) > 0 {
		message = strings.TrimSpace(message + " (" + strings.Join(fields, "; ") + ")")
	}
	return message
}

var (
	scripts = regexp.MustCompile(`(?is)<(script|style)\b.*?(</(script|style)\s*>|$)`)
	tags    = regexp.MustCompile(`(?s)<[^>]*(>|$)`)
)

func stripTags(text string) string {
	return tags.ReplaceAllString(scripts.ReplaceAllString(text, " "), " ")
}

// clean makes text fit for one line: no control characters, single spaces, valid UTF-8.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// clip cuts text to at most n bytes, at a rune's edge.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	cut := max(0, n-len("…"))
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// hidden keeps the cause for errors.Is and errors.As, and shows a redacted text.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.err }

// networkError is about a request without a usable answer. An *sdk.Error passes as it is.
func (c *Client) networkError(call *call, err error) *sdk.Error {
	var known *sdk.Error
	if errors.As(err, &known) {
		return known
	}
	field := c.options.BaseURLField
	if call.token {
		field = c.options.TokenURLField
	}
	e := &sdk.Error{Class: sdk.ClassTransient, Origin: sdk.OriginDistributor}
	text, hint, settings := explain(err, call.target.Hostname(), field)
	if settings {
		e.Class, e.Field = sdk.ClassSettings, field
	}
	if errors.As(err, new(*tooLargeError)) {
		e.Class = sdk.ClassSchema
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e.Origin = sdk.OriginPlugin
	}
	e.Message = c.Redact(fmt.Sprintf("%s: %s%s", call, text, call.tries()))
	e.Hint, e.Err = hint, &hidden{c.Redact(text), err}
	return e
}

// explain tells network failures apart. Settings is true where only a person can mend it.
func explain(err error, host, field string) (text, hint string, settings bool) {
	var (
		dns     *net.DNSError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		roots   x509.SystemRootsError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		op      *net.OpError
		wait    *waitError
		large   *tooLargeError
		request *url.Error
	)
	if errors.As(err, &request) {
		err = request.Err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "the run was cancelled", "", false
	case errors.Is(err, context.DeadlineExceeded):
		return "the time for the whole call ran out", "", false
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return fmt.Sprintf("the proxy did not connect: %v", op.Err), "Check HTTPS_PROXY and NO_PROXY, and whether the proxy allows this host.", false
	case strings.Contains(err.Error(), "Proxy Authentication Required"):
		return "the proxy wants credentials", "Put the proxy's user name and password into HTTPS_PROXY.", false
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("the name %s does not resolve", dns.Name), fmt.Sprintf("Check %s for a typing error, and this machine's DNS.", field), false
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s could not be looked up: %s", dns.Name, dns.Err), "Check this machine's DNS and network.", false
	case errors.As(err, &name):
		return fmt.Sprintf("the TLS certificate is not for %s", host), fmt.Sprintf("Check %s; or a proxy intercepts TLS.", field), true
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the TLS certificate has expired or is not valid yet", "Check this machine's clock; otherwise the distributor must renew its certificate.", false
	case errors.As(err, &unknown), errors.As(err, &roots), errors.As(err, &invalid):
		return "the TLS certificate is not from an authority this machine trusts",
			"If a company proxy intercepts TLS, add its root certificate to the system's trust store or name it in SSL_CERT_FILE.", true
	case errors.As(err, &record), strings.Contains(err.Error(), plainHTTPAnswer):
		return "the server does not speak TLS on this port", fmt.Sprintf("Check scheme and port of %s.", field), true
	case errors.As(err, &alert), strings.Contains(err.Error(), "remote error: tls:"):
		return fmt.Sprintf("the server refused the TLS connection: %v", rootText(err)), "Check for a proxy that intercepts TLS, and whether the server needs a newer TLS.", false
	case errors.As(err, &wait):
		return err.Error(), "The service hangs or the line is very slow. Try again later, or raise timeout in the settings.", false
	case errors.As(err, &large):
		return large.Error(), "Answers of this size are not expected. Check the address, or ask the plugin's author to raise the limit.", false
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused", fmt.Sprintf("Nothing listens there. Check host and port of %s, and the firewall.", field), false
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "the host cannot be reached", "Check this machine's network and firewall.", false
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Sprintf("the connection broke: %v", rootText(err)), "Try again; if it stays, look for a proxy or firewall that cuts long answers.", false
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "the connection timed out", "Check this machine's network and firewall.", false
	}
	return clip(clean(rootText(err)), maxErrorText), "", false
}

func rootText(err error) string {
	var read *readError
	if errors.As(err, &read) {
		return read.Error()
	}
	return err.Error()
}

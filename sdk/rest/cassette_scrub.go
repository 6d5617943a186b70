// SPDX-License-Identifier: Apache-2.0

package rest

import "regexp"

// secretNames are what members and parameters with secrets are called, in any case. Tokens that lead to the next page are
// called otherwise, or are taken out of the request that uses them too.
const secretNames = `(?:(?:access|refresh|id|auth|session|security|bearer|sas|csrf)?[_-]?token|` +
	`(?:client|shared|consumer|app)?[_-]?secret(?:[_-]?key)?|pass(?:word|wd|phrase|code)?|pwd|` +
	`(?:x-)?(?:api|access|private|subscription|account|function)[_-]?key|authorization|cookie|sig|signature|jwt|session[_-]?id)`

const number = `-?[0-9][0-9.eE+-]*`

var (
	// secretMember is a member of a JSON object, whole or not; secretInner is one of JSON that is a text in JSON.
	secretMember = regexp.MustCompile(`(?is)("` + secretNames + `"\s*:\s*)(?:"(?:[^"\\]|\\.)*(?:"|\\?$)|` + number + `)`)
	secretInner  = regexp.MustCompile(`(?is)(\\"` + secretNames + `\\"\s*:\s*)` +
		`(?:\\"(?:[^"\\]|\\\\(?:\\["\\]|[^"\\]))*(?:\\"|\\*$)|` + number + `)`)
	// secretParameter is a parameter of a query or a form, or of a URL within a body.
	secretParameter = regexp.MustCompile(`(?i)((?:^|[?&;]|\\u0026)` + secretNames + `=)[^&#;"'\\<>\s]+`)
	// secretUser is a name and a password before a host.
	secretUser = regexp.MustCompile(`(://)[^/?#@\s"<>]+(@)`)
)

// redact takes secrets out of everything that is kept: those that are called so, and those that are known.
func (e *Exchange) redact(known *redactor) {
	text := func(text string) string { return known.redact(redactNamed(text)) }
	e.URL = text(e.URL)
	e.RequestBody = []byte(text(string(e.RequestBody)))
	if e.Cut {
		e.Body = []byte(known.redactCut(redactNamed(string(e.Body))))
	} else {
		e.Body = []byte(text(string(e.Body)))
	}
	for _, values := range e.Header {
		for i := range values {
			values[i] = text(values[i])
		}
	}
}

func redactNamed(text string) string {
	text = secretMember.ReplaceAllString(text, `${1}"***"`)
	text = secretInner.ReplaceAllString(text, `${1}\"***\"`)
	text = secretParameter.ReplaceAllString(text, "${1}***")
	return secretUser.ReplaceAllString(text, "${1}***${2}")
}

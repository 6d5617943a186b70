// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"strings"
	"testing"
)

func TestWhatIsCalledASecretIsTakenOut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"password":"a b"}`:                          `{"password":"***"}`,
		`{"Password" : "a\"b\\", "x":"y"}`:            `{"Password" : "***", "x":"y"}`,
		`{"pwd":"cut off`:                             `{"pwd":"***"`,
		`{"pwd":"cut in an escape\`:                   `{"pwd":"***"`,
		`{"api_key":1234,"n":5}`:                      `{"api_key":"***","n":5}`,
		`{"apiKey":null,"secret":""}`:                 `{"apiKey":null,"secret":"***"}`,
		`{"nextToken":"p2","tokenType":"t"}`:          `{"nextToken":"p2","tokenType":"t"}`,
		`"{\"secret\":\"a\\\"b\\\\\",\"n\":\"a b\"}"`: `"{\"secret\":\"***\",\"n\":\"a b\"}"`,
		`https://h/?page=2&sig=a%2Bb&z=1#f`:           `https://h/?page=2&sig=***&z=1#f`,
		`"https:\/\/h\/?token=abc\u0026pwd=d"`:        `"https:\/\/h\/?token=***\u0026pwd=***"`,
		`client_secret=a&grant_type=b`:                `client_secret=***&grant_type=b`,
		`https://sam:pw@h/a`:                          `https://***@h/a`,
		`https://h?mail=sam@h`:                        `https://h?mail=sam@h`,
		`the password is: "x"`:                        `the password is: "x"`,
	} {
		if got := redactNamed(text); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}

// FuzzExchange reads whatever a file may hold; what it makes of it can be written and is read again as the same.
func FuzzExchange(f *testing.F) {
	f.Add("GET https://h/a?b=1\n\nHTTP/1.1 200 OK\nContent-Type: application/json\n\n[]")
	f.Add("POST https://h/token\r\nTallyman-Token: true\r\n\r\n{\"a\":1}\r\n\r\nHTTP/1.1 429\r\nRetry-After: 3\r\n\r\n")
	f.Add("GET \n\nHTTP/1.1 -1 \nTallyman-Cut: true")
	f.Fuzz(func(t *testing.T, text string) {
		e, at, err := readExchange(strings.NewReader(text))
		if err != nil {
			return
		}
		if at < 0 || at > int64(len(text)) {
			t.Fatalf("the body begins at %d of %d", at, len(text))
		}
		e.Body = []byte(text[at:])
		var first, second bytes.Buffer
		if err := e.write(&first); err != nil {
			t.Fatal(err)
		}
		again, at, err := readExchange(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("%v\n%q", err, first.String())
		}
		again.Body = first.Bytes()[at:]
		if err := again.write(&second); err != nil {
			t.Fatal(err)
		}
		if first.String() != second.String() {
			t.Errorf("%q was read as\n%q", first.String(), second.String())
		}
	})
}

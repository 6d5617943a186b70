// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

// parts gives all parts of a text of so many characters.
func parts(text string, length int) []string {
	var list []string
	for i := 0; i+length <= len(text); i++ {
		list = append(list, text[i:i+length])
	}
	return list
}

// wantHidden fails if an error shows a part of a secret.
func wantHidden(t *testing.T, err error, secret string) {
	t.Helper()
	if err == nil {
		t.Fatal("the message was sent")
	}
	for _, part := range parts(secret, 12) {
		if strings.Contains(err.Error(), part) {
			t.Fatalf("the error shows %q of the secret: %v", part, err)
		}
	}
}

func TestAnAnswerThatRepeatsTheAddressShowsNoneOfIt(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("s3cr3tT0k3n-", 25) + "end"
	for _, before := range []int{0, 10, 150, 280, 299, longestAnswer - 100, longestAnswer} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprint(w, strings.Repeat("x", before), r.URL.Path)
		}))
		hook := &Webhook{sdk.NewSecret(server.URL + "/hooks/" + token), sdk.NewSecret(signingKey), time.Minute}
		wantHidden(t, hook.Send(t.Context(), "msg_1", &Message{Kind: Test}), token)
		server.Close()
	}
}

// mailServer talks to whoever connects; it gets each line and gives what to answer.
func mailServer(t *testing.T, talk func(conn net.Conn)) *Email {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at the end
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			talk(conn)
			_ = conn.Close()
		}
	}()
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	n, _ := strconv.Atoi(port)
	return &Email{
		Host: host, Port: n, Encryption: NoTLS, Username: "tally", Password: sdk.NewSecret("a-password-of-some-length"),
		From: "tallyman@example.com", To: []string{"ops@example.com"}, Limit: 20 * time.Second,
	}
}

func TestAMailServerThatRepeatsTheLoginShowsNoneOfIt(t *testing.T) {
	t.Parallel()
	channel := mailServer(t, func(conn net.Conn) {
		_, _ = fmt.Fprint(conn, "220 here\r\n")
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "EHLO"):
				_, _ = fmt.Fprint(conn, "250-here\r\n250 AUTH PLAIN\r\n")
			case strings.HasPrefix(line, "AUTH"):
				_, _ = fmt.Fprintf(conn, "535 5.7.8 bad command %s\r\n", line)
			default:
				_, _ = fmt.Fprint(conn, "221 bye\r\n")
				return
			}
		}
	})
	err := channel.Send(t.Context(), "msg_1", &Message{Kind: Test, Subject: "x", What: "y"})
	wantHidden(t, err, base64.StdEncoding.EncodeToString([]byte("\x00tally\x00a-password-of-some-length")))
	if !strings.Contains(err.Error(), "bad command AUTH PLAIN ***") {
		t.Errorf("the error is %v", err)
	}
}

func TestAMailServerThatSaysTooMuchIsLeft(t *testing.T) {
	t.Parallel()
	var said atomic.Int64
	channel := mailServer(t, func(conn net.Conn) {
		flood := []byte(strings.Repeat("x", 64<<10))
		for {
			n, err := conn.Write(flood)
			said.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	err := channel.Send(t.Context(), "msg_1", &Message{Kind: Test, Subject: "x", What: "y"})
	if err == nil || !strings.Contains(err.Error(), "says too much") {
		t.Errorf("the error is %v", err)
	}
	// What the system takes for a connection comes on top.
	if n := said.Load(); n > 64<<20 {
		t.Errorf("%d MiB were taken", n>>20)
	}
}

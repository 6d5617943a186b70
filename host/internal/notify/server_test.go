// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/notify/mailtest"
)

// email gives a channel to a mail server.
func email(m *mailtest.Server, encryption string) *Email {
	return &Email{
		Host: m.Host, Port: m.Port, Encryption: encryption, From: "Tallyman <tallyman@example.com>", To: []string{"ops@example.com", "B <b@example.com>"},
		Limit: 20 * time.Second, roots: m.Roots,
	}
}

// post is a request that a hook got.
type post struct {
	header http.Header
	body   string
}

// hook is a server that keeps what is posted to it.
type hook struct {
	url string

	mu    sync.Mutex
	posts []post
	// status and answer are what it answers.
	status int
	answer string
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{status: http.StatusOK, answer: "ok"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if r.URL.Path != "/services/topsecret" || r.Method != http.MethodPost {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if h.status/100 == 3 {
			w.Header().Set("Location", "/services/elsewhere")
		}
		w.WriteHeader(h.status)
		_, _ = io.WriteString(w, h.answer)
		if h.status/100 == 2 {
			h.posts = append(h.posts, post{r.Header, string(body)})
		}
	}))
	t.Cleanup(server.Close)
	h.url = server.URL + "/services/topsecret"
	return h
}

// answers lets it answer so from now on.
func (h *hook) answers(status int, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status, h.answer = status, text
}

// got gives what was posted so far.
func (h *hook) got() []post {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]post{}, h.posts...)
}

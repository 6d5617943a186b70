// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tallymanhq/tallyman/sdk"
)

// Webhook posts messages as JSON, signed as Standard Webhooks has it.
type Webhook struct {
	// URL is where to post to, Secret the signing key: base64, whsec_ before it or not.
	URL, Secret sdk.Secret
	// Limit is how long one message may take.
	Limit time.Duration
}

// webhookBody is what is posted.
type webhookBody struct {
	Type      Kind      `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      *Message  `json:"data"`
}

// Timeout is how long one message may take.
func (w *Webhook) Timeout() time.Duration { return w.Limit }

// Send posts a message.
func (w *Webhook) Send(ctx context.Context, key string, m *Message) error {
	to := host(w.URL)
	body, err := json.Marshal(webhookBody{m.Kind, m.At.UTC(), m})
	if err != nil {
		return err
	}
	signer, err := standardwebhooks.NewWebhook(w.Secret.Reveal())
	if err != nil {
		return notSent(to, err, "The secret has to be base64.", w.Secret)
	}
	now := time.Now()
	signature, err := signer.Sign(key, now, body)
	if err != nil {
		return notSent(to, err, "", w.Secret)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return notSent(to, err, "", w.URL)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "tallyman")
	request.Header.Set(standardwebhooks.HeaderWebhookID, key)
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	answer, err := newHTTP().Do(request)
	if err != nil {
		return notSent(to, err, "Is the channel's url right, and can it be reached from this machine?", w.URL, w.Secret)
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return notSent(to, fmt.Errorf("%s", statusText(answer)), wrongStatus(answer.StatusCode), w.URL, w.Secret)
	}
	return nil
}

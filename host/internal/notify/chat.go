// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"strings"
	"time"

	teams "github.com/atc0005/go-teams-notify/v2"
	"github.com/atc0005/go-teams-notify/v2/adaptivecard"
	"github.com/slack-go/slack"

	"github.com/tallymanhq/tallyman/sdk"
)

const chatHint = "Is the channel's url that of an incoming webhook of this chat, and is app the right one?"

// Teams posts messages to a channel of Microsoft Teams, through its workflow "Send webhook alerts to a channel".
type Teams struct {
	URL sdk.Secret
	// Limit is how long one message may take.
	Limit time.Duration
}

// Timeout is how long one message may take.
func (t *Teams) Timeout() time.Duration { return t.Limit }

// plainly keeps a card from making links and emphasis of what stands in a message.
var plainly = strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "*", `\*`)

// Send posts a message as an adaptive card.
func (t *Teams) Send(ctx context.Context, _ string, m *Message) error {
	card := adaptivecard.NewCard()
	title := adaptivecard.NewTextBlock(plainly.Replace(m.Subject), true)
	title.Weight, title.Size = adaptivecard.WeightBolder, adaptivecard.SizeMedium
	elements := []adaptivecard.Element{title, adaptivecard.NewTextBlock(plainly.Replace(m.What), true)}
	for _, text := range m.Details {
		elements = append(elements, adaptivecard.NewTextBlock("- "+plainly.Replace(text), true))
	}
	if len(m.Next) > 0 {
		elements = append(elements, adaptivecard.NewTextBlock("What to do:", true))
	}
	for _, text := range m.Next {
		elements = append(elements, adaptivecard.NewTextBlock(plainly.Replace(text), true))
	}
	err := card.AddElement(false, elements...)
	if err == nil {
		var message *adaptivecard.Message
		if message, err = adaptivecard.NewMessageFromCard(card); err == nil {
			// Which addresses are Teams' changes; config has looked at what it can.
			client := teams.NewTeamsClient().SetHTTPClient(newHTTP()).SkipWebhookURLValidationOnSend(true)
			err = client.SendWithContext(ctx, t.URL.Reveal(), message)
		}
	}
	if err != nil {
		return notSent(host(t.URL), err, chatHint, t.URL)
	}
	return nil
}

// Slack posts messages to a channel of Slack, or of a chat that takes what Slack takes.
type Slack struct {
	URL sdk.Secret
	// Limit is how long one message may take.
	Limit time.Duration
}

// Timeout is how long one message may take.
func (s *Slack) Timeout() time.Duration { return s.Limit }

// escaped keeps Slack from making links and mentions of what stands in a message.
var escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// Send posts a message.
func (s *Slack) Send(ctx context.Context, _ string, m *Message) error {
	text := "*" + escaped.Replace(strings.ReplaceAll(m.Subject, "*", "")) + "*\n" + escaped.Replace(m.Text())
	no := false
	err := slack.PostWebhookCustomHTTPContext(ctx, s.URL.Reveal(), newHTTP(), &slack.WebhookMessage{Text: text, UnfurlLinks: &no})
	if err != nil {
		return notSent(host(s.URL), err, chatHint, s.URL)
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Notifications says who is told of what, and how.
type Notifications struct {
	// StaleAfter is after how long without a trustworthy run a module is stale; 0s: never. Default 36 hours.
	StaleAfter time.Duration `koanf:"stale_after" least:"0s"`
	// RemindAfter is after how long it is said again that something is not as it should be. Default a day, at least an hour.
	RemindAfter time.Duration `koanf:"remind_after" least:"1h"`
	// DigestAt is when a summary of all modules is sent each day. Nil, the default: never.
	DigestAt *TimeOfDay `koanf:"digest_at"`
	// TimeZone is an IANA name, in which DigestAt is read and messages tell times. Default UTC.
	TimeZone string `koanf:"time_zone" check:"time_zone"`

	// The channels and routes stand in the order of the files.
	Emails   []*Email   `block:"email"`
	Webhooks []*Webhook `block:"webhook"`
	Chats    []*Chat    `block:"chat"`
	Routes   []*Route   `block:"route"`

	// Location is TimeZone.
	Location *time.Location
}

// Channel is what all ways to tell somebody have.
type Channel struct {
	// Name is the label of its block; no two channels have the same.
	Name string
	// Origin is where its block begins.
	Origin Origin

	// deferred are problems that matter only where the channel is used.
	deferred []Problem
}

// Usable gives why the channel cannot be used by this process, such as a variable that is not set: an *Error, or nil.
func (c *Channel) Usable() error { return problemsError(c.deferred) }

// Email is a channel that sends mail.
type Email struct {
	Channel
	// Host is the mail server's name.
	Host string `koanf:"host"`
	// Port is the server's; 0, the default, is 587 with starttls, 465 with tls, 25 with none.
	Port int `koanf:"port" least:"0" most:"65535"`
	// TLS is starttls, tls or none; none only for a server on this machine. Default starttls.
	TLS string `koanf:"tls" choices:"starttls|tls|none"`
	// Username and Password log in; without a username nobody logs in. Default none.
	Username string `koanf:"username"`
	Password Secret `koanf:"password"`
	// From and To are addresses, names allowed: "Tallyman <tallyman@example.com>".
	From string   `koanf:"from"`
	To   []string `koanf:"to"`
	// Timeout bounds the sending of one message. Default 30 seconds.
	Timeout time.Duration `koanf:"timeout" least:"1s" most:"5m"`
}

// Webhook is a channel that posts JSON, signed as Standard Webhooks has it.
type Webhook struct {
	Channel
	// URL begins with https://, or http:// to this machine.
	URL Secret `koanf:"url"`
	// Secret is the signing key: base64 of at least 24 bytes, whsec_ before it if you like.
	Secret Secret `koanf:"secret"`
	// Timeout bounds the sending of one message. Default 15 seconds.
	Timeout time.Duration `koanf:"timeout" least:"1s" most:"5m"`
}

// Chat is a channel that posts to a chat.
type Chat struct {
	Channel
	// App is teams or slack; Mattermost, Rocket.Chat and Google Chat take what Slack takes. Default teams.
	App string `koanf:"app" choices:"teams|slack"`
	// URL is that of the chat's incoming webhook, which is all the secret there is.
	URL Secret `koanf:"url"`
	// Timeout bounds the sending of one message. Default 15 seconds.
	Timeout time.Duration `koanf:"timeout" least:"1s" most:"5m"`
}

// Route says what goes to which channels. Without a route everything from severity warning goes to all channels.
type Route struct {
	Name   string `koanf:"-"`
	Origin Origin
	// Channels are names of channels.
	Channels []string `koanf:"channels"`
	// Tenants are names of tenants. Empty, the default: all.
	Tenants []string `koanf:"tenants"`
	// Kinds are kinds of messages. Empty, the default: all.
	Kinds []string `koanf:"kinds" choices:"failed|held|warning|stale|stopped|expiring|recovered|digest"`
	// Severity is the least that counts: info, warning or error. A digest has none and always goes. Default warning.
	Severity string `koanf:"severity" choices:"info|warning|error"`
}

// ModuleNotifications is what is said of one module.
type ModuleNotifications struct {
	// StaleAfter is as in Notifications, for this module; 0s, the default: as there.
	StaleAfter time.Duration `koanf:"stale_after" least:"0s"`
	// CredentialsExpire is the day on which the distributor's credentials stop working: "2027-03-01". Default not known.
	CredentialsExpire string `koanf:"credentials_expire" check:"date"`
}

// notificationsName is the block of this file.
const notificationsName = "notifications"

func defaultNotifications() Notifications {
	return Notifications{StaleAfter: 36 * time.Hour, RemindAfter: day, TimeZone: "UTC", Location: time.UTC}
}

// part is a labelled block of the notifications.
type part struct {
	block    string
	name     string
	to       any
	defaults any
}

// key is where the part's values stand.
func (p part) key() string { return notificationsName + "." + p.block + "." + p.name }

// schema is what the part may hold.
func (p part) schema() *block { return schema.block(notificationsName).block(p.block) }

// parts gives the labelled blocks.
func (n *Notifications) parts() []part {
	var parts []part
	for _, e := range n.Emails {
		parts = append(parts, part{"email", e.Name, e, Email{TLS: "starttls", To: []string{}, Timeout: 30 * time.Second}})
	}
	for _, w := range n.Webhooks {
		parts = append(parts, part{"webhook", w.Name, w, Webhook{Timeout: 15 * time.Second}})
	}
	for _, c := range n.Chats {
		parts = append(parts, part{"chat", c.Name, c, Chat{App: "teams", Timeout: 15 * time.Second}})
	}
	for _, r := range n.Routes {
		parts = append(parts, part{"route", r.Name, r, Route{Channels: []string{}, Tenants: []string{}, Kinds: []string{}, Severity: "warning"}})
	}
	return parts
}

// add takes up a labelled block and gives its channel, which is nil for a route.
func (n *Notifications) add(block, name string, origin Origin) *Channel {
	channel := Channel{Name: name, Origin: origin}
	switch block {
	case "email":
		n.Emails = append(n.Emails, &Email{Channel: channel})
		return &n.Emails[len(n.Emails)-1].Channel
	case "webhook":
		n.Webhooks = append(n.Webhooks, &Webhook{Channel: channel})
		return &n.Webhooks[len(n.Webhooks)-1].Channel
	case "chat":
		n.Chats = append(n.Chats, &Chat{Channel: channel})
		return &n.Chats[len(n.Chats)-1].Channel
	default:
		n.Routes = append(n.Routes, &Route{Name: name, Origin: origin})
		return nil
	}
}

// Channels gives what all channels have, in the order: mail, webhooks, chats.
func (n *Notifications) Channels() []*Channel {
	var channels []*Channel
	for _, e := range n.Emails {
		channels = append(channels, &e.Channel)
	}
	for _, w := range n.Webhooks {
		channels = append(channels, &w.Channel)
	}
	for _, c := range n.Chats {
		channels = append(channels, &c.Channel)
	}
	return channels
}

// ChannelWarnings gives what keeps channels from being used by this process.
func (n *Notifications) ChannelWarnings() []Problem {
	var warnings []Problem
	for _, c := range n.Channels() {
		for _, p := range c.deferred {
			p.Warning = true
			warnings = append(warnings, p)
		}
	}
	return warnings
}

// layer gives the defaults of the labelled blocks.
func (n *Notifications) layer() layer {
	values := layer{}
	for _, p := range n.parts() {
		add(values, p.schema().layerOf(p.key()+".", reflect.ValueOf(p.defaults)))
	}
	return values
}

// NotificationEntries gives the settings of the channels and routes.
func (c *Config) NotificationEntries() []Entry {
	var entries []Entry
	for _, p := range c.Notifications.parts() {
		entries = append(entries, c.entriesOf(p.schema(), p.key()+".")...)
	}
	return entries
}

// StaleAfter is after how long without a trustworthy run a module is stale; zero: never.
func (c *Config) StaleAfter(m *Module) time.Duration {
	if m.Notifications.StaleAfter > 0 {
		return m.Notifications.StaleAfter
	}
	return c.Notifications.StaleAfter
}

// CredentialsExpire is when a module's credentials stop working: the beginning of the day in the tenant's time zone. Zero: not
// known.
func (t *Tenant) CredentialsExpire(m *Module) time.Time {
	at, err := time.ParseInLocation(time.DateOnly, m.Notifications.CredentialsExpire, t.Location)
	if err != nil {
		return time.Time{}
	}
	return at
}

// notificationProblems finds what each layer has right and all of them together do not.
func (c *Config) notificationProblems() []Problem {
	var problems []Problem
	for _, p := range c.Notifications.parts() {
		wrong := func(setting, message, hint string) {
			at, set := c.origins[p.key()+"."+setting]
			if !set {
				at = p.origin()
			}
			problems = append(problems, c.at(at, fmt.Sprintf("%s %q %s", p.block, p.name, message), hint))
		}
		if channel := p.channel(); channel != nil {
			for _, other := range c.Notifications.Channels() {
				if other != channel && other.Name == channel.Name && after(channel.Origin, other.Origin) {
					problems = append(problems, c.at(channel.Origin, fmt.Sprintf("there is another channel %q", channel.Name), "Give them different names."))
				}
			}
			if len(channel.deferred) > 0 {
				continue
			}
		}
		switch to := p.to.(type) {
		case *Email:
			to.check(wrong)
		case *Webhook:
			checkURL(to.URL, wrong)
			if key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(to.Secret.Reveal(), "whsec_")); err != nil || len(key) < 24 {
				wrong("secret", "needs a secret, which is base64 of at least 24 bytes", `Make one with "openssl rand -base64 32".`)
			}
		case *Chat:
			checkURL(to.URL, wrong)
		case *Route:
			c.checkRoute(to, wrong)
		}
	}
	return problems
}

func (p part) channel() *Channel {
	switch to := p.to.(type) {
	case *Email:
		return &to.Channel
	case *Webhook:
		return &to.Channel
	case *Chat:
		return &to.Channel
	}
	return nil
}

func (p part) origin() Origin {
	if route, ok := p.to.(*Route); ok {
		return route.Origin
	}
	return p.channel().Origin
}

// after reports whether a place comes after another, by file and line.
func after(a, b Origin) bool {
	if a.Range.Filename != b.Range.Filename {
		return a.Range.Filename > b.Range.Filename
	}
	return a.Range.Start.Byte > b.Range.Start.Byte
}

func (e *Email) check(wrong func(setting, message, hint string)) {
	if strings.TrimSpace(e.Host) == "" {
		wrong("host", "needs a host", `Write host = "smtp.example.com".`)
	}
	if e.TLS == "none" && !Loopback(e.Host) {
		wrong("tls", "may be sent unencrypted to a server on this machine only", `Write tls = "starttls" or tls = "tls".`)
	}
	if _, err := mail.ParseAddress(e.From); err != nil {
		wrong("from", "needs an address in from", `Write from = "tallyman@example.com".`)
	}
	if len(e.To) == 0 {
		wrong("to", "needs an address in to", `Write to = ["ops@example.com"].`)
	}
	for i, to := range e.To {
		if _, err := mail.ParseAddress(to); err != nil {
			wrong("to", fmt.Sprintf("has something in to, entry %d, that is no address", i+1), `Write to = ["ops@example.com"].`)
		}
	}
	if (e.Username == "") != (e.Password.Reveal() == "") {
		wrong("username", "needs a username and a password, or neither", "")
	}
}

func checkURL(secret Secret, wrong func(setting, message, hint string)) {
	u, err := url.Parse(secret.Reveal())
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		wrong("url", "needs a url that begins with https://", "")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		wrong("url", "may be posted unencrypted to this machine only", "Use https://.")
	}
}

func (c *Config) checkRoute(r *Route, wrong func(setting, message, hint string)) {
	var channels, tenants []string
	for _, channel := range c.Notifications.Channels() {
		channels = append(channels, channel.Name)
	}
	for _, t := range c.Tenants {
		tenants = append(tenants, t.Name)
	}
	if len(r.Channels) == 0 {
		wrong("channels", "needs the names of channels", `Write channels = ["name"].`)
	}
	known := func(setting, what string, given, known []string) {
		for _, name := range given {
			if !slices.Contains(known, name) {
				wrong(setting, fmt.Sprintf("names a %s %q, which is not there", what, name), suggest(name, known))
			}
		}
	}
	known("channels", "channel", r.Channels, channels)
	known("tenants", "tenant", r.Tenants, tenants)
}

// Loopback reports whether a host's name or address means this machine.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/tallymanhq/tallyman/sdk"
)

// Cassette keeps the answers of a distributor in a folder, one readable file for each, to be played to a plugin's tests in
// its stead. Record makes one, Replay plays it, and Options.Cassette puts it into a client.
//
// No secret reaches the disk. Of the headers only those are kept that a client looks at; of token requests and their
// answers, nothing but whether there was a token. Everything else loses what Client.Redact knows, in every form that it
// knows, and the values of members and query parameters that are called as secrets are: "password", "api_key",
// "refresh_token". Names and addresses of people are the author's to take out, by a Scrub.
//
// A test puts it into a plugin by a field of the settings that no operator sees, for it has no tag and is not exported:
//
//	type settings struct {
//		Key      sdk.Secret `setting:"key,required" help:"API key."`
//		cassette *rest.Cassette // given to rest.Options in connect
//	}
//
//	cassette, err := rest.Replay("testdata/cassette", nil) // or Record, with settings that lead to the distributor
//	recorded := plugin
//	recorded.Connect = func(ctx context.Context, s settings, env sdk.Env) (sdk.Distributor, error) {
//		s.cassette = cassette
//		return connect(ctx, s, env)
//	}
//	listing := sdktest.Subscriptions(t, recorded, map[string]any{"key": "any"})
//	err = cassette.Close() // names what was not asked for
//
// A cassette may serve several clients, one after the other or at once, and is safe for concurrent use.
type Cassette struct {
	folder   string
	scrub    Scrub
	recorder *recorder
	player   *player
}

// Scrub changes an exchange, to take out what the author may not keep, such as the names of customers, or what is different
// each time, such as today's date in a path. When recording it gets the request and the answer, after secrets were taken
// out and before anything is written. When replaying it gets each request, without an answer, before that is looked for.
type Scrub func(*Exchange)

// Record begins a cassette in a folder. Requests go to the distributor, and what it answers is kept. Close ends it; until
// then a cassette that was there before is left as it is. A folder that holds anything else is an error.
func Record(folder string, scrub Scrub) (*Cassette, error) {
	r, err := newRecorder(folder)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", folder, err)
	}
	return &Cassette{folder: folder, scrub: scrub, recorder: r}, nil
}

// Replay plays a cassette. Requests are answered from the folder, and none leaves the machine:
//
//   - A request gets the answer to one with the same method, path, query and body, whatever its host. What was asked for
//     several times is answered in the order it was recorded in.
//   - A request for a token gets a token that opens nothing, or the refusal that was recorded.
//   - Throttled answers are throttled again, but nobody waits.
//   - A request that is not on the cassette is an error, which names the recorded one that is most like it.
func Replay(folder string, scrub Scrub) (*Cassette, error) {
	p, err := newPlayer(folder)
	if err != nil {
		return nil, fmt.Errorf("replay %s: %w", folder, err)
	}
	return &Cassette{folder: folder, scrub: scrub, player: p}, nil
}

// Close ends a recording and puts it in its place; an error means that the folder is as it was before. After a replay the
// error names the requests that were not on the cassette and the recorded ones that nobody asked for.
func (c *Cassette) Close() error {
	if c.recorder != nil {
		if err := c.recorder.close(); err != nil {
			return fmt.Errorf("record %s: %w", c.folder, err)
		}
		return nil
	}
	if err := c.player.close(); err != nil {
		return fmt.Errorf("replay %s: %w", c.folder, err)
	}
	return nil
}

// replays reports whether answers come from the cassette. A nil one replays nothing.
func (c *Cassette) replays() bool { return c != nil && c.player != nil }

// wrap gives the way to the distributor with the cassette in it.
func (c *Cassette) wrap(client *Client, next http.RoundTripper) http.RoundTripper {
	if c == nil {
		return next
	}
	return &deck{cassette: c, client: client, next: next}
}

// deck is a cassette in a client.
type deck struct {
	cassette *Cassette
	client   *Client
	next     http.RoundTripper
}

// RoundTrip asks the distributor and keeps its answer, or plays one.
func (d *deck) RoundTrip(req *http.Request) (*http.Response, error) {
	call := callOf(req.Context())
	if call == nil {
		return nil, errors.New("a request was sent past the client")
	}
	exchange := newExchange(req, call)
	if d.cassette.player == nil {
		return d.record(req, exchange)
	}
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	d.clean(exchange)
	resp, err := d.cassette.player.play(exchange)
	if err != nil {
		return nil, &sdk.Error{
			Class: sdk.ClassInternal, Origin: sdk.OriginPlugin, Message: err.Error(),
			Hint: "Record the cassette again if the plugin is right to ask.",
		}
	}
	resp.Request = req
	return resp, nil
}

func (d *deck) record(req *http.Request, exchange *Exchange) (*http.Response, error) {
	r := d.cassette.recorder
	number := r.begin()
	resp, err := d.next.RoundTrip(req)
	if err != nil {
		r.end() // Where nothing was answered there is nothing to keep; the repeat is kept.
		return nil, err
	}
	for _, cookie := range resp.Cookies() {
		if len(cookie.Value) >= 2*minSecret {
			d.client.redactor.add(cookie.Value)
		}
	}
	exchange.head(resp)
	length := resp.ContentLength
	resp.Body = &tap{ReadCloser: resp.Body, ended: func(body []byte, whole bool) {
		exchange.Body, exchange.Cut = body, !whole && int64(len(body)) != length
		d.clean(exchange)
		r.keep(number, exchange)
	}, lost: func() {
		d.clean(exchange)
		r.fail(tooLong(exchange))
	}}
	return resp, nil
}

// clean takes out secrets, then what the author wants taken out, then what that may have brought back.
func (d *deck) clean(e *Exchange) {
	if e.token {
		e.forgetToken()
	}
	e.redact(d.client.redactor)
	if d.cassette.scrub != nil {
		d.cassette.scrub(e)
		e.redact(d.client.redactor)
	}
}

// problems collects what went wrong, for Close.
type problems struct {
	mu   sync.Mutex
	list []string
}

// maxProblems is how many are told in full.
const maxProblems = 10

func (p *problems) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, fmt.Sprintf(format, args...))
}

func (p *problems) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.list) == 0 {
		return nil
	}
	text := strings.Join(p.list[:min(len(p.list), maxProblems)], "; ")
	if more := len(p.list) - maxProblems; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return errors.New(text)
}

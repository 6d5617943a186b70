// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// player answers from the files of a cassette. Of an answer's body only what is being read is in memory.
type player struct {
	problems problems

	mu     sync.Mutex
	tracks []*track
	byKey  map[string][]*track
	tokens []*track
}

// track is one file of a cassette.
type track struct {
	file     string
	number   int
	exchange *Exchange
	bodyAt   int64
	played   bool
}

func newPlayer(folder string) (*player, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	p := &player{byKey: map[string][]*track{}}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), fileEnd) {
			continue
		}
		t, err := readTrack(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		p.tracks = append(p.tracks, t)
	}
	if len(p.tracks) == 0 {
		return nil, fmt.Errorf("the folder holds no recorded exchange, whose name ends in %s", fileEnd)
	}
	slices.SortStableFunc(p.tracks, func(a, b *track) int { return a.number - b.number })
	for _, t := range p.tracks {
		if t.exchange.token {
			p.tokens = append(p.tokens, t)
			continue
		}
		key := t.exchange.key()
		p.byKey[key] = append(p.byKey[key], t)
	}
	return p, nil
}

func readTrack(path string) (*track, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	t := &track{file: path}
	digits, _, _ := strings.Cut(filepath.Base(path), "-")
	if t.number, err = strconv.Atoi(digits); err != nil {
		return nil, errors.New(`its name does not begin with its place in the order, as in "0001-GET-customers.http"`)
	}
	t.exchange, t.bodyAt, err = readExchange(file)
	return t, err
}

// play gives the next answer to a request, without what it was sent in.
func (p *player) play(asked *Exchange) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	queue := p.byKey[asked.key()]
	if asked.token {
		queue = p.tokens
	}
	for _, t := range queue {
		if !t.played {
			t.played = true
			return t.answer()
		}
	}
	if asked.token {
		return respond(http.StatusOK, http.Header{"Content-Type": {"application/json"}}, io.NopCloser(strings.NewReader(fakeToken))), nil
	}
	err := fmt.Errorf("%s is not on the cassette; the recorded request most like it is %s", shown(asked), p.nearest(asked))
	if len(queue) > 0 {
		err = fmt.Errorf("%s is asked for once more than it was recorded; it is on the cassette %d times", shown(asked), len(queue))
	}
	p.problems.add("%v", err)
	return nil, err
}

// shown is a request in messages.
func shown(e *Exchange) string { return clip(clean(e.key()), maxErrorText) }

// nearest names the recorded request that begins and ends most like the one asked for.
func (p *player) nearest(asked *Exchange) string {
	best, most := "none: it holds only tokens", -1
	want := asked.key()
	for _, t := range p.tracks {
		if t.exchange.token {
			continue
		}
		if like := likeness(want, t.exchange.key()); like > most {
			best, most = fmt.Sprintf("%s (%s)", shown(t.exchange), filepath.Base(t.file)), like
		}
	}
	return best
}

// likeness counts the bytes that two texts begin and end with in common.
func likeness(a, b string) int {
	shorter := min(len(a), len(b))
	front := 0
	for front < shorter && a[front] == b[front] {
		front++
	}
	back := 0
	for back < shorter-front && a[len(a)-1-back] == b[len(b)-1-back] {
		back++
	}
	return front + back
}

func (p *player) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tracks {
		if !t.played && !t.exchange.token {
			p.problems.add("nobody asked for %s (%s)", shown(t.exchange), filepath.Base(t.file))
		}
	}
	return p.problems.err()
}

// answer opens the recorded answer.
func (t *track) answer() (*http.Response, error) {
	file, err := os.Open(t.file)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(t.bodyAt, io.SeekStart); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	var body io.ReadCloser = file
	if t.exchange.Cut {
		body = cutFile{file}
	}
	return respond(t.exchange.Status, t.exchange.Header.Clone(), body), nil
}

func respond(status int, header http.Header, body io.ReadCloser) *http.Response {
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: body, ContentLength: -1,
	}
}

// cutFile ends as a connection does that breaks.
type cutFile struct{ *os.File }

func (f cutFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// WriteTo hides the file's own, which knows nothing of the cut.
func (f cutFile) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{f})
}

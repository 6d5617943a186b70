// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
)

const (
	// lastLines is how many lines of the plugin's standard error are kept for a crash record.
	lastLines = 50
	// panicLines is how much of a panic is kept.
	panicLines = 30
	// maxLine is how much of one line is read; maxLogged is how much of it is logged or kept.
	maxLine   = 256 << 10
	maxLogged = 4 << 10
	// logRate and logBurst are how many lines of a plugin reach the log: so many a second, so many at once.
	logRate  = 200
	logBurst = 1000
)

// sink takes everything a plugin writes. It adds nothing to a line but what the logger it was given adds; it removes
// secrets, and the lines a plugin writes faster than anybody could read them, which it counts.
type sink struct {
	log     hclog.Logger
	redact  *redactor
	limiter *rate.Limiter

	mu      sync.Mutex
	ring    []string
	next    int
	panic   []string
	dropped int
	total   int
	stray   int
	closed  bool
}

func newSink(log hclog.Logger, r *redactor) *sink {
	return &sink{log: log, redact: r, limiter: rate.NewLimiter(logRate, logBurst)}
}

// readStderr takes a plugin's standard error until it ends.
func (s *sink) readStderr(r io.Reader) { eachLine(r, s.stderrLine) }

func (s *sink) stderrLine(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.keep(line)
	if s.allow() {
		s.write(line)
	}
}

// strayLine takes a line of the plugin's standard output, where nothing belongs.
func (s *sink) strayLine(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.stray++
	if s.allow() {
		s.log.Warn("the plugin wrote to its standard output", "text", cut(s.redact.clean(line), maxLogged))
	}
}

// keep puts a line into the ring, and into the panic if one has begun.
func (s *sink) keep(line string) {
	if len(line) > maxLogged {
		line = cut(s.redact.hide(line), maxLogged)
	}
	if len(s.ring) < lastLines {
		s.ring = append(s.ring, line)
	} else {
		s.ring[s.next] = line
		s.next = (s.next + 1) % lastLines
	}
	switch {
	case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
		s.panic = []string{line}
	case len(s.panic) > 0 && len(s.panic) < panicLines && !strings.HasPrefix(line, "{"):
		s.panic = append(s.panic, line)
	}
}

// allow reports whether one more line may be logged now.
func (s *sink) allow() bool {
	if !s.limiter.Allow() {
		s.dropped++
		s.total++
		return false
	}
	s.tellDropped()
	return true
}

func (s *sink) tellDropped() {
	if s.dropped > 0 {
		s.log.Warn("the plugin floods its log; lines were left out", "lines", s.dropped)
		s.dropped = 0
	}
}

// write logs one line, with level and fields where the line has them.
func (s *sink) write(line string) {
	entry, ok := parseEntry(line)
	if !ok {
		text := cut(s.redact.clean(line), maxLogged)
		if len(s.panic) > 0 && !strings.HasPrefix(line, "{") {
			s.log.Error(text)
			return
		}
		if text != "" {
			s.log.Debug(text)
		}
		return
	}
	if entry.level < s.log.GetLevel() {
		return
	}
	args := make([]any, 0, 2*len(entry.fields))
	for _, key := range slices.Sorted(maps.Keys(entry.fields)) {
		args = append(args, s.redact.clean(key), cut(s.redact.clean(fieldText(entry.fields[key])), maxLogged))
	}
	s.log.Log(entry.level, cut(s.redact.clean(entry.message), maxLogged), args...)
}

// close stops logging. What is written later is lost, so it comes after the streams have ended.
func (s *sink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tellDropped()
	s.closed = true
}

// last gives the last lines for people, oldest first.
func (s *sink) last() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for i := range s.ring {
		line := s.ring[(s.next+i)%len(s.ring)]
		if entry, ok := parseEntry(line); ok {
			line = entry.String()
		}
		lines = append(lines, cut(s.cleanLine(line), maxLogged))
	}
	return lines
}

// panicked gives the first lines of the panic the plugin ended with, if it did.
func (s *sink) panicked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, line := range s.panic {
		lines = append(lines, s.cleanLine(line))
	}
	return lines
}

func (s *sink) cleanLine(line string) string {
	if rest, ok := strings.CutPrefix(line, "\t"); ok {
		return "    " + s.redact.clean(rest)
	}
	return s.redact.clean(line)
}

// entry is a line as hclog writes it in JSON.
type entry struct {
	level   hclog.Level
	message string
	fields  map[string]any
}

func parseEntry(line string) (entry, bool) {
	if !strings.HasPrefix(line, "{") {
		return entry{}, false
	}
	var raw map[string]any
	if json.Unmarshal([]byte(line), &raw) != nil {
		return entry{}, false
	}
	message, ok := raw["@message"].(string)
	if !ok {
		return entry{}, false
	}
	level, _ := raw["@level"].(string)
	e := entry{level: hclog.LevelFromString(level), message: message, fields: raw}
	if e.level == hclog.NoLevel {
		e.level = hclog.Debug
	}
	delete(raw, "@message")
	delete(raw, "@level")
	delete(raw, "@timestamp")
	delete(raw, "@module")
	return e, true
}

// String gives the entry for people.
func (e entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.level, e.message)
	for _, key := range slices.Sorted(maps.Keys(e.fields)) {
		fmt.Fprintf(&b, " %s=%s", key, fieldText(e.fields[key]))
	}
	return b.String()
}

func fieldText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, _ := json.Marshal(value)
	return string(text)
}

// eachLine gives every line of r without its end. Of a line above maxLine only the beginning is given.
func eachLine(r io.Reader, do func(string)) {
	reader := bufio.NewReaderSize(r, 32<<10)
	var line []byte
	for {
		part, err := reader.ReadSlice('\n')
		if room := maxLine - len(line); room > 0 {
			line = append(line, part[:min(len(part), room)]...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil:
			do(strings.TrimRight(string(line), "\r\n"))
			line = line[:0]
		default:
			if len(line) > 0 {
				do(strings.TrimRight(string(line), "\r\n"))
			}
			return
		}
	}
}

// lineWriter gives what is written to it line by line. It is used by one goroutine.
type lineWriter struct {
	do   func(string)
	line []byte
}

// Write never fails.
func (w *lineWriter) Write(p []byte) (int, error) {
	for _, c := range p {
		if c != '\n' && len(w.line) < maxLogged {
			w.line = append(w.line, c)
			continue
		}
		if c == '\n' {
			w.do(string(w.line))
			w.line = w.line[:0]
		}
	}
	return len(p), nil
}

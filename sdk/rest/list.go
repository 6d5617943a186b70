// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// list reads one answer with s.
func (c *Client) list(ctx context.Context, r Request, s *listReader) error {
	resp, call, err := c.send(ctx, r, true)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	reader := bufio.NewReaderSize(resp.Body, 64<<10)
	head, err := reader.Peek(512)
	if len(head) == 0 && err != nil && err != io.EOF { //nolint:errorlint // bufio gives it bare
		return c.networkError(call, err)
	}
	if err := checkJSON(call, resp, head); err != nil {
		return c.schemaError(call, resp, err)
	}
	s.from, s.limit = reader, c.options.MaxElement
	err = s.read()
	var (
		failed *readError
		own    *ownError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.error
	case errors.As(err, &failed):
		return c.networkError(call, failed)
	default:
		return c.schemaError(call, resp, err)
	}
}

// ReadList reads a list from r as Client.List does, for one answer.
func ReadList(r io.Reader, each func(Value) error) error {
	s := &listReader{from: bufio.NewReaderSize(r, 64<<10), limit: 64 << 20, each: each, names: listNames}
	err := s.read()
	var own *ownError
	if errors.As(err, &own) {
		return own.error
	}
	return err
}

// ownError carries an error of the caller's function past the decoder.
type ownError struct{ error }

// listNames are what envelopes call their list.
var listNames = []string{"Records", "Items", "Data", "value"}

func isOneOf(names []string, name string) bool {
	return slices.ContainsFunc(names, func(one string) bool { return equalFold([]byte(name), one) })
}

// oneOf gives names as a person reads them: "Records, Items, Data or value".
func oneOf(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// listReader cuts a JSON list into its elements.
type listReader struct {
	from  *bufio.Reader
	limit int
	each  func(Value) error
	// names are what the list may be called in an envelope, tell is the name of what else is wanted of it, told what came.
	names     []string
	tell      string
	told      Value
	offset    int64
	count     int
	buf       []byte
	enveloped bool
	null      bool
	// alone: the value is the whole text, so that a literal may end with it. Within a list it could have gone on.
	alone bool
}

func (s *listReader) read() error {
	if start, _ := s.from.Peek(len(bom)); bytes.Equal(start, bom) {
		s.discard(len(bom))
	}
	c, err := s.next()
	if err != nil {
		return err
	}
	switch c {
	case '[':
		err = s.array()
	case '{':
		s.enveloped = true
		err = s.envelope()
	default:
		s.alone = true
		var v Value
		if v, err = s.value(); err == nil && !v.IsNull() {
			err = shapef("the answer is %s, not a list", v.kind())
		}
		s.null = true
	}
	if err != nil {
		return err
	}
	switch c, err := s.next(); {
	case err == io.EOF: //nolint:errorlint // next gives it bare
		return nil
	case err != nil:
		return err
	default:
		return shapef("something follows the end of the list at byte %d: %q", s.offset, c)
	}
}

func (s *listReader) array() error {
	s.discard(1)
	for first := true; ; first = false {
		c, err := s.must()
		if err != nil {
			return err
		}
		if c == ']' && first {
			s.discard(1)
			return nil
		}
		v, err := s.value()
		if err != nil {
			return err
		}
		s.count++
		if err := s.each(v); err != nil {
			return &ownError{err}
		}
		if c, err = s.must(); err != nil {
			return err
		}
		s.discard(1)
		if c == ']' {
			return nil
		}
		if c != ',' {
			return shapef("the list is malformed at byte %d, behind element %d", s.offset, s.count)
		}
	}
}

func (s *listReader) envelope() error {
	s.discard(1)
	found := false
	message := ""
	for first := true; ; first = false {
		c, err := s.must()
		if err != nil {
			return err
		}
		if c == '}' && first {
			s.discard(1)
			break
		}
		name, err := s.value()
		if err != nil {
			return err
		}
		if !name.IsString() {
			return shapef("the answer is malformed at byte %d", s.offset)
		}
		isList := isOneOf(s.names, name.Text()) && !found
		isTold := s.tell != "" && equalFold([]byte(name.Text()), s.tell)
		isMessage := equalFold([]byte(name.Text()), "message")
		if c, err = s.must(); err != nil {
			return err
		}
		if c != ':' {
			return shapef("the answer is malformed at byte %d", s.offset)
		}
		s.discard(1)
		if c, err = s.must(); err != nil {
			return err
		}
		if isList && c == '[' {
			found = true
			if err := s.array(); err != nil {
				return err
			}
		} else {
			v, err := s.value()
			if err != nil {
				return err
			}
			if isList && v.IsNull() {
				found, s.null = true, true
			}
			if isMessage {
				message = v.Text()
			}
			if isTold {
				s.told = v.Clone()
			}
		}
		if c, err = s.must(); err != nil {
			return err
		}
		s.discard(1)
		if c == '}' {
			break
		}
		if c != ',' {
			return shapef("the answer is malformed at byte %d", s.offset)
		}
	}
	if found {
		return nil
	}
	if message != "" {
		return shapef("it holds no list, only the message %q", clip(clean(message), maxErrorText))
	}
	return shapef("the answer is an object without a list under %s", oneOf(s.names))
}

// next gives the next character that is not white space, without taking it; io.EOF at the end.
func (s *listReader) next() (byte, error) {
	for {
		if s.from.Buffered() == 0 {
			if _, err := s.from.Peek(1); err != nil {
				return 0, err
			}
		}
		chunk, _ := s.from.Peek(s.from.Buffered())
		at := space(chunk, 0)
		s.discard(at)
		if at < len(chunk) {
			return chunk[at], nil
		}
	}
}

// must is next where the text may not end.
func (s *listReader) must() (byte, error) {
	c, err := s.next()
	if err == io.EOF { //nolint:errorlint // next gives it bare
		return 0, s.cut()
	}
	return c, err
}

func (s *listReader) cut() error {
	return &shapeError{
		text: "the answer ends in the middle, after " + byteSize(s.offset) + " (elements read: " + strconv.Itoa(s.count) + ")",
		hint: "The answer was cut short on its way, or the distributor's service broke while it wrote. Try again later.",
	}
}

func (s *listReader) discard(n int) {
	_, _ = s.from.Discard(n)
	s.offset += int64(n)
}

// value takes the next value whole. It stays good until the next call.
func (s *listReader) value() (Value, error) {
	s.buf = s.buf[:0]
	var (
		depth              int
		inString, escaped  bool
		started, isLiteral bool
	)
	for {
		if s.from.Buffered() == 0 {
			if _, err := s.from.Peek(1); err == io.EOF {
				if isLiteral && s.alone {
					return s.checked()
				}
				return Value{}, s.cut()
			} else if err != nil {
				return Value{}, err
			}
		}
		chunk, _ := s.from.Peek(s.from.Buffered())
		end, quote, done := 0, -1, false
	scan:
		for ; end < len(chunk); end++ {
			c := chunk[end]
			if inString {
				if !escaped {
					// Most text is plain: go in one step to its end or to the next escape. The place of the quote is kept,
					// so that a text full of escapes is not searched again for each.
					if quote < end {
						if quote = bytes.IndexByte(chunk[end:], '"'); quote < 0 {
							quote = len(chunk) - 1
						} else {
							quote += end
						}
					}
					if at := bytes.IndexByte(chunk[end:quote], '\\'); at >= 0 {
						end += at
					} else {
						end = quote
					}
					c = chunk[end]
				}
				switch {
				case escaped:
					escaped = false
				case c == '\\':
					escaped = true
				case c == '"':
					inString = false
					if depth == 0 {
						end, done = end+1, true
						break scan
					}
				}
				continue
			}
			if isLiteral {
				if isEnd(c) {
					done = true
					break scan
				}
				continue
			}
			switch c {
			case '"':
				inString, started = true, true
			case '{', '[':
				depth++
				started = true
			case '}', ']':
				depth--
				if depth <= 0 {
					end, done = end+1, true
					break scan
				}
			default:
				if !started {
					started, isLiteral = true, true
					if isEnd(c) {
						return Value{}, shapef("a value is missing at byte %d, behind element %d", s.offset, s.count)
					}
				}
			}
		}
		if len(s.buf)+end > s.limit {
			return Value{}, shapef("element %d is larger than the limit of %s", s.count+1, byteSize(int64(s.limit)))
		}
		s.buf = append(s.buf, chunk[:end]...)
		s.discard(end)
		if done {
			return s.checked()
		}
	}
}

func (s *listReader) checked() (Value, error) {
	if !json.Valid(s.buf) {
		return Value{}, shapef("element %d, which ends at byte %d, is not valid JSON", s.count+1, s.offset)
	}
	return Value{s.buf}, nil
}

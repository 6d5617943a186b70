// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"

	"google.golang.org/protobuf/proto"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// spool keeps the records of a listing that are new or differ, in the order they came, until the plan needs them. Up to
// spoolInMemory bytes stay in memory; more goes to a temporary file, which is removed at once where the system allows it,
// so that a killed host leaves nothing behind.
type spool struct {
	file   *os.File
	name   string
	writer *bufio.Writer
	memory []byte
	buf    []byte
	count  int
	// largest is the size of the largest record, maxEntry and maxScope the largest positions. What is read back beyond
	// them was not written.
	largest, maxEntry int
	maxScope          uint32
}

// spoolInMemory is how many bytes a spool holds before it uses a file.
const spoolInMemory = 1 << 20

// spooled is one record in a spool.
type spooled struct {
	// entry is the position in the index, or -1 for a record that is not known.
	entry int
	scope uint32
	key   uint64
	print uint64
	item  int
	sub   *distributorv1.Subscription
}

// append adds a record.
func (s *spool) append(r spooled) error {
	s.buf = append(s.buf[:0], make([]byte, 4)...)
	s.buf = binary.AppendVarint(s.buf, int64(r.entry))
	s.buf = binary.AppendUvarint(s.buf, uint64(r.scope))
	s.buf = binary.LittleEndian.AppendUint64(s.buf, r.key)
	s.buf = binary.LittleEndian.AppendUint64(s.buf, r.print)
	s.buf = binary.AppendUvarint(s.buf, uint64(r.item))
	var err error
	if s.buf, err = (proto.MarshalOptions{}).MarshalAppend(s.buf, r.sub); err != nil {
		return fmt.Errorf("spool subscription %q: %w", r.sub.GetRef(), err)
	}
	binary.LittleEndian.PutUint32(s.buf, uint32(len(s.buf)-4))
	s.count++
	s.largest, s.maxEntry, s.maxScope = max(s.largest, len(s.buf)-4), max(s.maxEntry, r.entry), max(s.maxScope, r.scope)
	if s.file == nil && len(s.memory)+len(s.buf) <= spoolInMemory {
		s.memory = append(s.memory, s.buf...)
		return nil
	}
	if s.file == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	if _, err := s.writer.Write(s.buf); err != nil {
		return fmt.Errorf("write temporary file %s: %w", s.name, err)
	}
	return nil
}

// open moves the spool into a file.
func (s *spool) open() error {
	file, err := os.CreateTemp("", "tallyman-listing-*")
	if err != nil {
		return fmt.Errorf("create a temporary file for the listing: %w", err)
	}
	s.file, s.name = file, file.Name()
	if runtime.GOOS != "windows" {
		// The open file stays usable; its name does not outlive a crash.
		if err := os.Remove(s.name); err != nil {
			return errors.Join(fmt.Errorf("remove temporary file %s: %w", s.name, err), file.Close())
		}
	}
	s.writer = bufio.NewWriterSize(file, 256<<10)
	if _, err := s.writer.Write(s.memory); err != nil {
		return fmt.Errorf("write temporary file %s: %w", s.name, err)
	}
	s.memory = nil
	return nil
}

// each calls fn with every record in order. It may be called several times. The record's sub is fn's to keep.
func (s *spool) each(fn func(spooled) error) error {
	var reader io.Reader
	if s.file == nil {
		reader = bytes.NewReader(s.memory)
	} else {
		if err := s.writer.Flush(); err != nil {
			return fmt.Errorf("write temporary file %s: %w", s.name, err)
		}
		reader = bufio.NewReaderSize(io.NewSectionReader(s.file, 0, 1<<62), 256<<10)
	}
	var head [4]byte
	var body []byte
	for range s.count {
		if _, err := io.ReadFull(reader, head[:]); err != nil {
			return fmt.Errorf("read temporary file %s: %w", s.name, err)
		}
		size := int(binary.LittleEndian.Uint32(head[:]))
		if size > s.largest {
			return fmt.Errorf("read temporary file %s: %w", s.name, errSpool)
		}
		if cap(body) < size {
			body = make([]byte, s.largest)
		}
		body = body[:size]
		if _, err := io.ReadFull(reader, body); err != nil {
			return fmt.Errorf("read temporary file %s: %w", s.name, err)
		}
		r, err := decodeSpooled(body)
		if err == nil && (r.entry > s.maxEntry || r.scope > s.maxScope) {
			err = errSpool
		}
		if err != nil {
			return fmt.Errorf("read temporary file %s: %w", s.name, err)
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

var errSpool = errors.New("a record in it is damaged")

// decodeSpooled reads back one record. Whatever the bytes are, it does not give a record that its users could trip over.
func decodeSpooled(b []byte) (spooled, error) {
	entry, n := binary.Varint(b)
	if n <= 0 || entry < -1 || entry > math.MaxInt32 {
		return spooled{}, errSpool
	}
	b = b[n:]
	scope, n := binary.Uvarint(b)
	if n <= 0 || len(b) < n+16 || scope > math.MaxUint32 {
		return spooled{}, errSpool
	}
	b = b[n:]
	key, print := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
	b = b[16:]
	item, n := binary.Uvarint(b)
	if n <= 0 {
		return spooled{}, errSpool
	}
	sub := new(distributorv1.Subscription)
	if err := proto.Unmarshal(b[n:], sub); err != nil {
		return spooled{}, errors.Join(errSpool, err)
	}
	if item >= uint64(max(len(sub.GetItems()), 1)) {
		return spooled{}, errSpool
	}
	return spooled{entry: int(entry), scope: uint32(scope), key: key, print: print, item: int(item), sub: sub}, nil
}

// close gives the space back.
func (s *spool) close() error {
	s.memory = nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if runtime.GOOS == "windows" {
		err = errors.Join(err, os.Remove(s.name))
	}
	s.file = nil
	return err
}

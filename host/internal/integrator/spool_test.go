// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

var compareSpooled = []cmp.Option{cmp.AllowUnexported(spooled{}), protocmp.Transform()}

// TestASpoolGivesBackWhatItGot, in order and any number of times, from memory and from a file.
func TestASpoolGivesBackWhatItGot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		records, size int
		inFile        bool
	}{
		"nothing":                      {0, 0, false},
		"what fits into memory":        {100, 10, false},
		"more than fits":               {300, spoolInMemory / 100, true},
		"one that is larger than that": {1, 2 * spoolInMemory, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s spool
			var want []spooled
			for i := range c.records {
				r := spooled{
					entry: i%7 - 1, scope: uint32(i % 3), key: uint64(i) << 50, print: ^uint64(i), item: i % 2,
					sub: sub(strings.Repeat("r", c.size), "c1", fmt.Sprint(i), func(s *distributorv1.Subscription) { s.Items = append(s.Items, noItem) }),
				}
				must(t, s.append(r))
				want = append(want, r)
			}
			if inFile := s.file != nil; inFile != c.inFile {
				t.Errorf("in a file: %v", inFile)
			}
			for range 2 {
				var got []spooled
				must(t, s.each(func(r spooled) error {
					got = append(got, r)
					return nil
				}))
				if diff := cmp.Diff(want, got, compareSpooled...); diff != "" {
					t.Fatalf("(-appended +read):\n%s", diff)
				}
			}
			must(t, s.close())
			must(t, s.close())
		})
	}
}

func TestASpoolSaysWhereItCannotWrite(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "not-there")
	t.Setenv("TMPDIR", missing)
	t.Setenv("TMP", missing)
	var s spool
	err := s.append(spooled{entry: -1, sub: sub(strings.Repeat("r", 2*spoolInMemory), "c1", "1")})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("error %v", err)
	}
	must(t, s.close())
}

// FuzzSpool damages what a spool reads back. It must give the records it got, or say that something is wrong; a record it
// gives must be one that its users can follow up.
func FuzzSpool(f *testing.F) {
	record := func(r spooled) []byte {
		var s spool
		if err := s.append(r); err != nil {
			f.Fatal(err)
		}
		return s.memory
	}
	f.Add(record(spooled{entry: -1, key: 1, print: 2, sub: sub("u1", "c1", "5")}), uint16(0))
	f.Add(record(spooled{entry: 41, scope: 3, key: 1, print: 2, item: 1, sub: sub("u1", "c1", "5", func(s *distributorv1.Subscription) {
		s.Items = append(s.Items, &distributorv1.Item{Ref: "i"})
		s.Extra = map[string]string{"a": "b"}
	})}), uint16(7))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, uint16(0))
	f.Add([]byte{}, uint16(3))
	f.Fuzz(func(t *testing.T, raw []byte, flip uint16) {
		if rec, err := decodeSpooled(raw); err == nil {
			// It can be followed up, and written again as it was.
			_ = rec.name(foldedKey)
			hash := fingerprinter{key: exactKey}
			item := noItem
			if items := rec.sub.GetItems(); len(items) > 0 {
				item = items[rec.item]
			}
			_, _ = hash.subscription(rec.sub, item)
			_ = jsonText(observed(rec.sub, item))
			var s spool
			must(t, s.append(rec))
			must(t, s.each(func(again spooled) error {
				if diff := cmp.Diff(rec, again, compareSpooled...); diff != "" {
					t.Errorf("written and read again (-before +after):\n%s", diff)
				}
				return nil
			}))
		}
		// A spool of two good records, of which one byte changes.
		subscription := new(distributorv1.Subscription)
		if proto.Unmarshal(raw, subscription) != nil {
			return
		}
		var s spool
		good := spooled{entry: 1, scope: 2, key: 3, print: 4, sub: subscription}
		must(t, s.append(good))
		must(t, s.append(good))
		s.memory[int(flip)%len(s.memory)] ^= byte(1 << (flip % 8))
		seen := 0
		err := s.each(func(rec spooled) error {
			seen++
			if rec.entry > 1 || rec.entry < -1 || rec.scope > 2 || rec.item >= max(len(rec.sub.GetItems()), 1) {
				t.Errorf("it gave %+v", rec)
			}
			return nil
		})
		if err == nil && seen != 2 {
			t.Errorf("%d of two records, and no error", seen)
		}
	})
}

// FuzzIndex looks up keys among others that may share a hash, a prefix, or everything but the fingerprint.
func FuzzIndex(f *testing.F) {
	f.Add([]byte{}, uint64(0))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}, uint64(0x0807060504030201))
	f.Fuzz(func(t *testing.T, raw []byte, key uint64) {
		raw = raw[:min(len(raw), 1024)]
		x := newIndex(len(raw) / 8)
		byKey := map[uint64]map[uint64]bool{}
		for n := int64(0); len(raw) >= 8; raw = raw[8:] {
			k := binary.LittleEndian.Uint64(raw)
			if byKey[k] == nil {
				byKey[k] = map[uint64]bool{}
			}
			byKey[k][uint64(n)] = true
			x.add(entry{key: k, print: uint64(n), id: n})
			n++
		}
		x.build()
		if byKey[key] == nil {
			byKey[key] = map[uint64]bool{}
		}
		for k, prints := range byKey {
			for print := range prints {
				if at := x.find(k, print); at < 0 || x.entries[at].key != k || x.entries[at].print != print {
					t.Errorf("key %x with fingerprint %x was not found", k, print)
				}
			}
			if at := x.find(k, 1<<60); (at >= 0) != (len(prints) > 0) || at >= 0 && x.entries[at].key != k {
				t.Errorf("key %x with another fingerprint: %d", k, at)
			}
		}
	})
}

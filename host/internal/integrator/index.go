// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"cmp"
	"math/bits"
	"slices"
)

// index holds, for every subscription that the last reading left in the database, just enough to know whether a listed
// record is unchanged: 32 bytes a record, whatever the record's size. It is the only thing in a run that grows with the
// number of subscriptions.
type index struct {
	entries []entry
	// starts[p] is where the entries begin whose key hash has the prefix p.
	starts []uint32
	shift  int
}

// entry is one known subscription.
type entry struct {
	key, print uint64
	id         int64
	// scope is the position of the scope in scopeTable.
	scope uint32
	flags uint8
	// linked: there is a subscription of ours for it.
	linked bool
	// seen: the listing had it. spooled: and it needs a closer look.
	seen, spooled bool
}

// newIndex makes an index with room for n entries.
func newIndex(n int) *index { return &index{entries: make([]entry, 0, n)} }

func (x *index) add(e entry) { x.entries = append(x.entries, e) }

// build makes the index ready for find, once every entry is added.
func (x *index) build() {
	slices.SortFunc(x.entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	// About eight entries share a prefix.
	prefixBits := max(bits.Len(uint(len(x.entries)))-3, 1)
	x.shift = 64 - prefixBits
	x.starts = make([]uint32, 1<<prefixBits+1)
	next := 0
	for i, e := range x.entries {
		for prefix := int(e.key >> x.shift); next <= prefix; next++ {
			x.starts[next] = uint32(i)
		}
	}
	for ; next < len(x.starts); next++ {
		x.starts[next] = uint32(len(x.entries))
	}
}

// find gives the position of the entry for a key, or -1. Where several entries share the hash of the key, the one with
// the same fingerprint is preferred: fingerprints hold the whole key.
func (x *index) find(key, print uint64) int {
	if len(x.entries) == 0 {
		return -1
	}
	prefix := key >> x.shift
	found := -1
	for i := int(x.starts[prefix]); i < int(x.starts[prefix+1]); i++ {
		e := &x.entries[i]
		if e.key != key {
			continue
		}
		if e.print == print {
			return i
		}
		found = i
	}
	return found
}

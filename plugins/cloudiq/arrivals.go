// SPDX-License-Identifier: Apache-2.0

package main

import "strconv"

// arrivals remembers which subscriptions came in a listing, and which of them as add-ons. Ids are numbers that stand close
// together, so a million of them take a few megabytes; what is no number is kept as text.
type arrivals struct {
	any, addons numbers
	texts       map[string]bool
}

// before reports whether a ref came before, and if so whether as an add-on. It has come from now on.
func (a *arrivals) before(ref string, addon bool) (came, asAddon bool) {
	n, err := strconv.ParseUint(ref, 10, 64)
	if err != nil {
		if asAddon, came = a.texts[ref]; !came {
			if a.texts == nil {
				a.texts = map[string]bool{}
			}
			a.texts[ref] = addon
		}
		return came, asAddon
	}
	if a.any.has(n) {
		return true, a.addons.has(n)
	}
	a.any.add(n)
	if addon {
		a.addons.add(n)
	}
	return false, false
}

// numbers is a set of numbers, kept as bits in blocks.
type numbers map[uint64]*[blockWords]uint64

const (
	wordBits   = 64
	blockWords = 8
	blockBits  = wordBits * blockWords
)

func (s numbers) has(n uint64) bool {
	block := s[n/blockBits]
	return block != nil && block[n%blockBits/wordBits]&(1<<(n%wordBits)) != 0
}

func (s *numbers) add(n uint64) {
	if *s == nil {
		*s = numbers{}
	}
	block := (*s)[n/blockBits]
	if block == nil {
		block = new([blockWords]uint64)
		(*s)[n/blockBits] = block
	}
	block[n%blockBits/wordBits] |= 1 << (n % wordBits)
}

// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"encoding/hex"
	"math/bits"
	"strconv"
	"strings"
)

// mix is the finaliser of splitmix64: a bijection that scatters its input.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

// hashText is FNV-1a over the lower-cased text, scattered.
func hashText(parts ...string) uint64 {
	h := uint64(14695981039346656037)
	for _, p := range parts {
		for i := range len(p) {
			c := p[i]
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			h = (h ^ uint64(c)) * 1099511628211
		}
		h = (h ^ '/') * 1099511628211
	}
	return mix(h)
}

// guidKind scatters an index over the first eight digits of a GUID and keeps
// the rest the same for all ids of a kind, as sequential GUIDs look. It can be
// turned back into the index.
type guidKind struct {
	mask uint32
	tail string
}

const guidFactor = 2654435761 // odd, hence invertible modulo 2^32

// guidInverse undoes guidFactor (Newton's iteration for an odd number).
var guidInverse = func() uint32 {
	x := uint32(guidFactor)
	for range 5 {
		x *= 2 - guidFactor*x
	}
	return x
}()

func newGUIDKind(seed uint64, kind string) guidKind {
	h := hashText(kind, strconv.FormatUint(seed, 16))
	var b [8]byte
	for i := range b {
		b[i] = byte(h >> (8 * i))
	}
	t := hex.EncodeToString(b[:])
	return guidKind{
		mask: uint32(mix(h)),
		tail: "-" + t[0:4] + "-e911-a" + t[4:7] + "-000d3a" + t[7:13],
	}
}

// id is the GUID of index i.
func (k guidKind) id(i int) string {
	n := bits.RotateLeft32(uint32(i)*guidFactor, 16) ^ k.mask
	var b [36]byte
	const digits = "0123456789abcdef"
	for j := range 8 {
		b[j] = digits[n>>(28-4*j)&15]
	}
	copy(b[8:], k.tail)
	return string(b[:])
}

// index is the inverse of id, in any letter case.
func (k guidKind) index(id string) (int, bool) {
	if len(id) != 36 || !strings.EqualFold(id[8:], k.tail) {
		return 0, false
	}
	n, err := strconv.ParseUint(id[:8], 16, 32)
	if err != nil {
		return 0, false
	}
	return int(bits.RotateLeft32(uint32(n)^k.mask, -16) * guidInverse), true
}

// textGUID is a GUID that follows from texts.
func textGUID(parts ...string) string {
	return newGUIDKind(0, strings.Join(parts, "/")).id(1)
}

// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import "syscall"

// eatMemory asks for more than it is allowed to have.
func eatMemory() {
	limit := syscall.Rlimit{Cur: 2 << 30, Max: 2 << 30}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		panic(err)
	}
	var hold [][]byte
	for {
		block := make([]byte, 64<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		hold = append(hold, block)
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

// eatMemory ends as Go ends when memory has run out.
func eatMemory() { panic("runtime: out of memory") }

// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import "syscall"

// processorTime gives the seconds of processor time of this process, and of those it started that have ended.
func processorTime() (own, children float64) {
	return used(syscall.RUSAGE_SELF), used(syscall.RUSAGE_CHILDREN)
}

func used(who int) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}

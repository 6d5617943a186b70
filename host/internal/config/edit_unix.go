// SPDX-License-Identifier: Apache-2.0

//go:build unix

package config

import (
	"os"
	"syscall"
)

// keepOwner gives a new file the old one's owner, where the user may do so: root edits a file that a service reads.
func keepOwner(next *os.File, like os.FileInfo) {
	if owner, ok := like.Sys().(*syscall.Stat_t); ok {
		_ = next.Chown(int(owner.Uid), int(owner.Gid))
	}
}

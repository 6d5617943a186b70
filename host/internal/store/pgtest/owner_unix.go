// SPDX-License-Identifier: Apache-2.0

//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// owner gives the folder to whom the server may run as, and says how to become that: Postgres refuses to run as root. The
// server does not hear what a terminal tells the tests.
func owner(folder string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{Setpgid: true}, nil
	}
	someone, err := user.Lookup("postgres")
	if err != nil {
		if someone, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("these tests run as root, which Postgres refuses, and there is neither a user postgres nor a user nobody: %w", err)
		}
	}
	uid, err := strconv.ParseUint(someone.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(someone.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(folder, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

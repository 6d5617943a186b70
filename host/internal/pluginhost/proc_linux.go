// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttributes puts a plugin into a group of its own, so that it can be ended with all it started and an interrupt
// at the terminal reaches the host alone, and has the kernel end it when the host is gone, however the host ended.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// waitExit waits for the end of a child and leaves it to be reaped, so that its id is not given to another meanwhile.
func waitExit(pid int) {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			return
		}
	}
}

// ranTheHashed reports whether the file that runs is the one that was hashed. The kernel knows which file it executes,
// whatever has happened to the path since.
func (c *child) ranTheHashed() bool {
	if !c.bin.script {
		if info, err := os.Stat(fmt.Sprintf("/proc/%d/exe", c.pid)); err == nil {
			return c.bin.same(info)
		}
	}
	info, err := os.Stat(c.bin.path)
	return err == nil && c.bin.same(info)
}

// changeTime gives when the file or its place was last changed, in nanoseconds. Nobody can set it back.
func changeTime(info os.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ctim.Nano()
	}
	return 0
}

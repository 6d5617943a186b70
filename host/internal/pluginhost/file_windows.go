// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"errors"
	"os"
	"syscall"
)

// writableByAll is not told by the mode of a file here; the directory's access list decides.
func writableByAll(os.FileInfo) bool { return false }

// executable is not told by the mode of a file here.
func executable(os.FileInfo) bool { return true }

// platformEnv are the variables without which nothing works here.
var platformEnv = []string{"SystemRoot", "SystemDrive", "TEMP", "TMP", "windir"}

// childAttributes are none.
func childAttributes() *syscall.SysProcAttr { return nil }

// killGroup does nothing: the process itself is ended by its handle.
func killGroup(int) {}

// signalOf gives nothing: there are no signals here.
func signalOf(*os.ProcessState) (string, bool) { return "", false }

// isBadFormat reports whether the file is no program for this system.
func isBadFormat(err error) bool {
	const badExeFormat, machineMismatch = syscall.Errno(193), syscall.Errno(216)
	return errors.Is(err, badExeFormat) || errors.Is(err, machineMismatch)
}

// ours is true: the directory for temporary files is the user's own here.
func ours(os.FileInfo) bool { return true }

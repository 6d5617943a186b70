// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package pluginhost

import "syscall"

// childAttributes puts a plugin into a group of its own, so that it can be ended with all it started and an interrupt
// at the terminal reaches the host alone. That it ends with the host is the plugin's own watch.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

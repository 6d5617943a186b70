// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// memory gives what a process holds in memory now and what it held at most, in bytes.
func memory(pid int) (now, peak int64, err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		name, rest, _ := strings.Cut(scanner.Text(), ":")
		fields := strings.Fields(rest)
		if len(fields) == 0 || name != "VmRSS" && name != "VmHWM" {
			continue
		}
		kib, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		if name == "VmRSS" {
			now = kib << 10
		} else {
			peak = kib << 10
		}
	}
	return now, peak, scanner.Err()
}

// SPDX-License-Identifier: Apache-2.0

package pgtest

import (
	"errors"
	"syscall"
)

// owner refuses: the server is kept by a shell.
func owner(string) (*syscall.SysProcAttr, error) {
	return nil, errors.New("the tests on Postgres need a Unix system")
}

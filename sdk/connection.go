// SPDX-License-Identifier: Apache-2.0

package sdk

// ConnectionTest takes the steps of one connection test.
type ConnectionTest struct{}

// SPDX-License-Identifier: Apache-2.0

// Package pluginhost finds, verifies, launches and supervises plugins. It is the only importer of go-plugin's client
// side; to everything above it a plugin is a Process that gives listings whose completeness can be believed.
//
// A process serves one module for one run. It inherits nothing of the host's environment but an allow-list, has no
// standard input, speaks over a socket only this host can use, and ends with the host, however the host ends. What it
// writes to its log reaches the host's log without secrets and not faster than a person could read; how it died is
// kept in a CrashRecord.
package pluginhost

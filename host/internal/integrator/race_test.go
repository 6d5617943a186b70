// SPDX-License-Identifier: Apache-2.0

//go:build race

package integrator

// raceDetector makes everything here about ten times slower.
const raceDetector = true

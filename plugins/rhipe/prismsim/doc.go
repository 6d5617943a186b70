// SPDX-License-Identifier: Apache-2.0

// Package prismsim is a simulator of PRISM, the partner API behind the Rhipe
// plugin. It answers over HTTP like the real service as far as that is
// publicly known, and for everything that is not known it has a switch, so
// that a client can be tried against each possibility.
//
// A [Server] serves a [Source]: either a [World], small and edited while it is
// served, or a [Generated] one of any size, computed while it is streamed.
// [Switches] change the shape of good answers, a [Fault] spoils an answer, and
// a script ([Server.Script]) does either at a given call. [Server.Requests]
// tells what a client has asked for, and [Server.Writes] what it should not.
//
// The command in cmd/prismsim serves it as a program, which is steered over
// HTTP by the control endpoint; see [WithControl].
package prismsim

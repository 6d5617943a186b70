// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// Kind says which layer a value comes from. Later ones win.
type Kind string

// The layers, in their order.
const (
	FromDefault Kind = "default"
	FromFile    Kind = "file"
	FromEnv     Kind = "env"
	FromFlag    Kind = "flag"
)

// Origin is where a value comes from. The zero value is a default.
type Origin struct {
	// Kind is empty for a default.
	Kind Kind
	// Name is the variable's or the flag's. For a file it is the variable or the file that env or file read there.
	Name string
	// Range is the place in a file. Its columns count characters, from 1.
	Range hcl.Range
}

func fileOrigin(r hcl.Range) Origin { return Origin{Kind: FromFile, Range: r} }

// String gives the origin as people read it: "default", "tallyman.hcl:3:15", "env TALLYMAN_LOG_LEVEL", "flag --log-level".
func (o Origin) String() string {
	switch o.Kind {
	case FromFile:
		at := fmt.Sprintf("%s:%d:%d", o.Range.Filename, o.Range.Start.Line, o.Range.Start.Column)
		if o.Name != "" {
			at += ", " + o.Name
		}
		return at
	case FromEnv:
		return "env " + o.Name
	case FromFlag:
		return "flag " + o.Name
	default:
		return string(FromDefault)
	}
}

// MarshalJSON gives the parts: kind, name, file, line and column.
func (o Origin) MarshalJSON() ([]byte, error) {
	parts := struct {
		Kind   Kind   `json:"kind"`
		Name   string `json:"name,omitempty"`
		File   string `json:"file,omitempty"`
		Line   int    `json:"line,omitempty"`
		Column int    `json:"column,omitempty"`
	}{Kind: o.Kind, Name: o.Name}
	if o.Kind == "" {
		parts.Kind = FromDefault
	}
	if o.Kind == FromFile {
		parts.File, parts.Line, parts.Column = o.Range.Filename, o.Range.Start.Line, o.Range.Start.Column
	}
	return json.Marshal(parts)
}

// compare sorts origins: files by place in the order in which they were read, then the environment, then flags.
func (o Origin) rank() int {
	switch o.Kind {
	case FromFile:
		return 0
	case FromEnv:
		return 1
	case FromFlag:
		return 2
	default:
		return 3
	}
}

// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

// maxLogLine is the longest log line. The host's reader loses the level of lines above 64 KiB.
const maxLogLine = 16 << 10

// newLogger gives the logger of a plugin: one JSON object a line.
func newLogger(name string, to io.Writer, secrets *redactor) hclog.Logger {
	level := hclog.LevelFromString(os.Getenv(wire.EnvLogLevel))
	if level == hclog.NoLevel {
		level = hclog.Info
	}
	return hclog.New(&hclog.LoggerOptions{
		Name:       name,
		Level:      level,
		Output:     &logWriter{to: to, secrets: secrets},
		JSONFormat: true,
	})
}

// logWriter removes secrets from log lines and shortens the longest. hclog writes each line with one call.
type logWriter struct {
	mu      sync.Mutex
	to      io.Writer
	secrets *redactor
}

func (w *logWriter) Write(line []byte) (int, error) {
	text := w.secrets.text(string(line))
	if len(text) > maxLogLine {
		text = cutLine(text)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := io.WriteString(w.to, text); err != nil {
		return 0, err
	}
	return len(line), nil
}

// cutLine shortens the values of a JSON log line until it is short enough.
func cutLine(line string) string {
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		return wire.Cut(line, maxLogLine-1) + "\n"
	}
	fields["cut"] = fmt.Sprintf("this line had %d bytes", len(line))
	for limit := maxLogLine / 2; limit >= 64; limit /= 2 {
		for key, value := range fields {
			switch value := value.(type) {
			case string:
				fields[key] = wire.Cut(value, limit)
			case map[string]any, []any:
				if nested, err := json.Marshal(value); err == nil && len(nested) > limit {
					fields[key] = wire.Cut(string(nested), limit)
				}
			}
		}
		if short, err := json.Marshal(fields); err == nil && len(short) < maxLogLine {
			return string(short) + "\n"
		}
	}
	// So many fields that none of them matters.
	for key := range fields {
		switch key {
		case "@level", "@message", "@module", "@timestamp", "cut":
		default:
			delete(fields, key)
		}
	}
	short, err := json.Marshal(fields)
	if err != nil {
		return wire.Cut(line, maxLogLine-1) + "\n"
	}
	return string(short) + "\n"
}

// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"bufio"
	"errors"
	"io"
	"log"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

// The host reads the start of the protocol from the plugin's standard output, so nothing else may be printed there. This
// package is initialised before any package that imports it, hence before most of the vendor's code can print.
var stdio = guardStdio()

// handshakeLine is what go-plugin prints to tell the host where to connect. It may follow text without a line end.
var handshakeLine = regexp.MustCompile(`1\|\d+\|(unix|tcp)\|([^|]*)\|grpc\|[A-Za-z0-9+/]*(\|(true|false))?$`)

// stdioGuard stands between os.Stdout and the process's output.
type stdioGuard struct {
	secrets *redactor
	log     hclog.Logger
	stdout  *os.File // What vendors print to.
	stderr  *os.File
	real    *os.File // The process's standard error.
	once    sync.Once
	socket  chan string // The socket's path, once it is known.
	running sync.WaitGroup
}

// guardStdio takes os.Stdout over, if a host started this process. Otherwise it gives nil.
func guardStdio() *stdioGuard {
	if os.Getenv(wire.Handshake.MagicCookieKey) != wire.Handshake.MagicCookieValue {
		return nil
	}
	g := &stdioGuard{secrets: &redactor{}, real: os.Stderr, socket: make(chan string, 1)}
	realStdout := os.Stdout
	g.log = newLogger("", g.real, g.secrets)
	outReader, outWriter, err := os.Pipe()
	if err != nil {
		return g // As good as it gets: what is printed before the handshake breaks the start.
	}
	errReader, errWriter, err := os.Pipe()
	if err != nil {
		return g
	}
	g.stdout, g.stderr = outWriter, errWriter
	os.Stdout = outWriter
	g.running.Add(2)
	go func() {
		defer g.running.Done()
		g.copy(outReader, func(line string) {
			if match := handshakeLine.FindStringSubmatchIndex(line); match != nil {
				_, _ = io.WriteString(realStdout, line[match[0]:]+"\n")
				select {
				case g.socket <- line[match[4]:match[5]]:
				default:
				}
				line = line[:match[0]]
			}
			if line != "" {
				g.log.Warn("printed to stdout", "text", line)
			}
		})
	}()
	go func() {
		defer g.running.Done()
		g.copy(errReader, func(line string) {
			if line != "" {
				g.log.Info("printed to stderr", "text", line)
			}
		})
	}()
	return g
}

// copy gives the lines read to take. A line that is too long comes in several parts.
func (g *stdioGuard) copy(from io.Reader, take func(line string)) {
	reader := bufio.NewReaderSize(from, 4*maxLogLine)
	for {
		line, err := reader.ReadSlice('\n')
		if len(line) > 0 {
			take(strings.TrimRight(wire.Clean(string(line)), "\r\n"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// takeBack takes the standard streams again. go-plugin replaces them when it has printed the handshake, to send what is
// printed to the host unmarked; here it becomes log lines, without secrets. It is called when a call begins, which go-plugin
// lets happen only after that.
func (g *stdioGuard) takeBack() {
	g.once.Do(func() {
		if g.stdout == nil {
			return
		}
		os.Stdout, os.Stderr = g.stdout, g.stderr
		// The standard logger keeps the stream it found at its own start.
		if log.Writer() == g.real {
			log.SetOutput(g.stderr)
		}
	})
}

// flush writes what was printed and is not logged yet. Nothing may be printed afterwards.
func (g *stdioGuard) flush() {
	if g.stdout == nil {
		return
	}
	_ = g.stdout.Close()
	_ = g.stderr.Close()
	g.running.Wait()
}

// removeSocket removes the socket, which go-plugin leaves behind when the process ends without it.
func (g *stdioGuard) removeSocket() {
	select {
	case path := <-g.socket:
		if strings.HasPrefix(path, "/") {
			_ = os.Remove(path)
		}
	default:
	}
}

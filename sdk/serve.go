// SPDX-License-Identifier: Apache-2.0

package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

// The exit codes of a plugin.
const (
	exitOK       = 0
	exitUsage    = 2 // Started by hand, or the Plugin is wrong.
	exitOrphan   = 3 // The host is gone.
	exitDeadline = 4 // The host's deadline is over.
)

// closeTime is how long a connection may take to close when the process ends.
const closeTime = time.Second

// Serve serves the plugin to the host that started this process and returns when the host is done with it. It is all that
// main does:
//
//	func main() { sdk.Serve(plugin) }
//
// Started by a person instead, the process says what it is and exits with code 2; with --version or --describe it prints
// that as JSON, and with --help what there is to ask. A Plugin that is wrong (no name, a setting tag that cannot be read) is explained on standard error, also
// with code 2.
func Serve[S any](p Plugin[S]) {
	d, err := p.check()
	if err != nil {
		// The host shows the last lines of standard error of a plugin that does not start.
		fmt.Fprintf(os.Stderr, "the plugin is not usable; these are faults in its code:\n%v\n", err)
		os.Exit(exitUsage)
	}
	if stdio == nil {
		os.Exit(byHand(d, os.Args[1:], os.Stdout, os.Stderr))
	}
	serve(d)
}

func serve(d description) {
	// When the host is killed, the next log line would kill this process before it has closed its connection: that is what
	// a broken standard error does to a process that does not ask for this signal.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	server := newServer(d, stdio.log, stdio.secrets)
	server.onCall = stdio.takeBack

	end := func(code int, reason string) {
		stdio.log.Warn("ending", "reason", reason)
		server.cancelCalls()
		closeInTime(server)
		stdio.removeSocket()
		os.Exit(code)
	}
	if os.Getenv(wire.EnvDebug) == "1" {
		allowDebugger(stdio.log)
	} else {
		watchParent(end)
		go watchDeadline(end)
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: wire.ServerPlugins(server),
		Logger:           stdio.log.Named("go-plugin"),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, wire.ServerOptions()...)...)
		},
	})
	closeInTime(server)
	stdio.flush()
}

func closeInTime(s *server) {
	done := make(chan error, 1)
	go func() { done <- s.close() }()
	select {
	case err := <-done:
		if err != nil {
			s.log.Warn("closing the connection", "error", err)
		}
	case <-time.After(closeTime):
		s.log.Warn("closing the connection takes too long")
	}
}

// watchParent ends the process when the host is gone. Who the parent is, is seen before the host is told that the plugin is
// ready: a host that dies at once must not be missed.
func watchParent(end func(code int, reason string)) {
	pid, err := strconv.Atoi(os.Getenv(wire.EnvParentPID))
	if err != nil || pid <= 0 {
		pid = os.Getppid()
	}
	gone := parentGone(pid)
	go func() {
		gone()
		end(exitOrphan, "the host is gone")
	}()
}

// watchDeadline ends the process at the host's deadline, if it has one.
func watchDeadline(end func(code int, reason string)) {
	deadline, err := time.Parse(time.RFC3339, os.Getenv(wire.EnvDeadline))
	if err != nil {
		return
	}
	<-time.After(time.Until(deadline))
	end(exitDeadline, "the deadline is over")
}

// byHand answers a person and gives the exit code.
func byHand(d description, args []string, stdout, stderr io.Writer) int {
	describe := d.describe()
	greeting := fmt.Sprintf("%s %s is a Tallyman plugin for %s. It does nothing by itself: tallyman starts it.\n"+
		"Put it where tallyman looks for plugins, or run it with --version or --describe to learn more.\n",
		describe.GetName(), describe.GetVersion(), describe.GetDisplayName())
	if len(args) == 1 {
		switch args[0] {
		case "--help", "-help", "-h":
			fmt.Fprintf(stdout, "%s\n  --version   print name, version and protocol as JSON\n"+
				"  --describe  print settings and capabilities as JSON\n  --help      print this\n", greeting)
			return exitOK
		case "--version", "-version":
			printJSON(stdout, map[string]any{
				"name": describe.GetName(), "version": describe.GetVersion(), "vendor": describe.GetVendor(),
				"protocol": wire.ProtocolVersion,
			})
			return exitOK
		case "--describe", "-describe":
			text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(describe)
			if err != nil {
				fmt.Fprintf(stderr, "describe: %v\n", err)
				return exitUsage
			}
			printJSON(stdout, json.RawMessage(text))
			return exitOK
		}
	}
	if len(args) > 0 {
		fmt.Fprintf(stderr, "%s: %q is not known; there are --version, --describe and --help, one at a time.\n",
			describe.GetName(), strings.Join(args, " "))
		return exitUsage
	}
	fmt.Fprint(stderr, greeting)
	return exitUsage
}

func printJSON(to io.Writer, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		return
	}
	var indented bytes.Buffer
	if json.Indent(&indented, text, "", "  ") == nil {
		indented.WriteByte('\n')
		_, _ = indented.WriteTo(to)
	}
}

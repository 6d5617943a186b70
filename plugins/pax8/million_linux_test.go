// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"

	"github.com/tallymanhq/tallyman/plugins/pax8/pax8sim"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// peakLimit is what the plugin's process may take at its peak. The million is some 500 MiB on the wire.
const peakLimit = 96 << 20

// The plugin's program lists a million subscriptions over the wire, completely, in memory that does not grow with them.
func TestAMillionSubscriptions(t *testing.T) {
	t.Parallel()
	const million = 1_000_000
	sim := newSimulator(t, pax8sim.Options{})
	if err := sim.Resize(t.Context(), million); err != nil {
		t.Fatal(err)
	}
	process, plugin := start(t)
	settings := map[string]*distributorv1.SettingValue{}
	for name, value := range sim.Settings() {
		settings[name] = &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Text{Text: fmt.Sprint(value)}}
	}
	configured, err := plugin.Configure(t.Context(), &distributorv1.ConfigureRequest{Settings: settings})
	if err != nil || len(configured.GetDiagnostics()) > 0 {
		t.Fatal(err, configured)
	}
	stream, err := plugin.ListSubscriptions(t.Context(), &distributorv1.ListSubscriptionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var records, warnings int
	var end *distributorv1.ListingEnd
	last := ""
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range m.GetRecords().GetSubscriptions() {
			if s.GetRef() <= last { // The simulator's ids go up.
				t.Fatalf("%q comes after %q", s.GetRef(), last)
			}
			last = s.GetRef()
			records++
		}
		if m.GetWarning() != nil {
			warnings++
		}
		end = m.GetEnd()
	}
	if records != million || warnings != 0 || end.GetOutcome() != distributorv1.Outcome_OUTCOME_COMPLETE || end.GetCount() != million {
		t.Errorf("%d records, %d warnings, %v", records, warnings, end)
	}
	if peak := peakOf(t, process); peak > peakLimit {
		t.Errorf("it took %d MiB at its peak", peak>>20)
	}
}

// start starts the plugin as a host does.
func start(t *testing.T) (pid int, plugin distributorv1.DistributorServiceClient) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{servePlugin + "=1", "TMPDIR=" + os.Getenv("TMPDIR"), "GOCOVERDIR=" + t.TempDir()}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: transport.Handshake(), VersionedPlugins: transport.ClientPlugins(), GRPCDialOptions: transport.DialOptions(),
		Cmd: cmd, SkipHostEnv: true, AutoMTLS: true, AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(),
	})
	t.Cleanup(client.Kill)
	rpc, err := client.Client()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := rpc.Dispense(transport.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, raw.(distributorv1.DistributorServiceClient)
}

// peakOf gives what a process took in memory at its peak, in bytes.
func peakOf(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	text, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	kib, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("the peak of process %d: %v", pid, err)
	}
	return kib << 10
}

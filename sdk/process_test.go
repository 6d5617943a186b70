// SPDX-License-Identifier: Apache-2.0

package sdk_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// testPlugin is the path of the plugin built from internal/testplugin.
var testPlugin string

// actAsHost makes this test binary a host that starts the test plugin and waits to be killed.
const actAsHost = "SDK_TEST_ACT_AS_HOST"

func TestMain(m *testing.M) {
	if path := os.Getenv(actAsHost); path != "" {
		hostUntilKilled(path)
		return
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "sdk-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a leftover in the temporary folder harms nobody
		testPlugin = filepath.Join(dir, "tallyman-plugin-test")
		if runtime.GOOS == "windows" {
			testPlugin += ".exe"
		}
		if out, err := exec.Command("go", "build", "-o", testPlugin, "./internal/testplugin").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the test plugin: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// process is a plugin's process as a host holds it.
type process struct {
	*plugin.Client
	client distributorv1.DistributorServiceClient
	stderr *syncBuffer // What it wrote to standard error.
	log    *syncBuffer // What go-plugin's host side made of it.
	synced *syncBuffer // What go-plugin sent as the plugin's output.
}

func hostConfig(path string, env ...string) *plugin.ClientConfig {
	cmd := exec.Command(path)
	cmd.Env = append([]string{transport.EnvParentPID + "=" + strconv.Itoa(os.Getpid())}, env...)
	return &plugin.ClientConfig{
		HandshakeConfig:  transport.Handshake(),
		VersionedPlugins: transport.ClientPlugins(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Cmd:              cmd,
		AutoMTLS:         true,
		SkipHostEnv:      true,
		GRPCDialOptions:  transport.DialOptions(),
		StartTimeout:     time.Minute,
		Logger:           hclog.NewNullLogger(),
	}
}

// start starts the test plugin over the wire, as a host does.
func start(t *testing.T, env ...string) *process {
	t.Helper()
	p := &process{stderr: &syncBuffer{}, log: &syncBuffer{}, synced: &syncBuffer{}}
	config := hostConfig(testPlugin, env...)
	config.Stderr, config.SyncStdout, config.SyncStderr = p.stderr, p.synced, p.synced
	config.Logger = hclog.New(&hclog.LoggerOptions{Output: p.log, JSONFormat: true, Level: hclog.Trace})
	p.Client = plugin.NewClient(config)
	t.Cleanup(p.Kill)
	p.client = dispense(t, p.Client)
	return p
}

func dispense(t *testing.T, c *plugin.Client) distributorv1.DistributorServiceClient {
	t.Helper()
	protocol, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	client, err := protocol.Dispense(transport.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	return client.(distributorv1.DistributorServiceClient)
}

// entries gives the log entries on the plugin's standard error; every line must be one.
func (p *process) entries(t *testing.T) []map[string]any {
	t.Helper()
	var entries []map[string]any
	for line := range strings.Lines(p.stderr.String()) {
		if len(line) > 16<<10 {
			t.Errorf("a line of %d bytes", len(line))
		}
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("%.200q is no log entry: %v", line, err)
			continue
		}
		entries = append(entries, entry)
	}
	return entries
}

func find(entries []map[string]any, message string) map[string]any {
	for _, entry := range entries {
		if entry["@message"] == message {
			return entry
		}
	}
	return nil
}

func TestAProcessServesAListing(t *testing.T) {
	t.Parallel()
	p := start(t)
	if p.NegotiatedVersion() != transport.ProtocolVersion {
		t.Errorf("protocol %d, want %d", p.NegotiatedVersion(), transport.ProtocolVersion)
	}
	describe, err := p.client.Describe(t.Context(), &distributorv1.DescribeRequest{})
	if err != nil || describe.GetName() != "test" {
		t.Fatalf("describe: %v, %v", describe, err)
	}
	configure(t, p.client, map[string]*distributorv1.SettingValue{"records": text("2500")})
	if h := listSubscriptions(t, p.client); h.end.GetOutcome() != complete || len(h.records) != 2500 {
		t.Errorf("%d records, end %v", len(h.records), h.end)
	}
	if h := listCustomers(t, p.client); h.end.GetOutcome() != complete || len(h.customers) != 1 {
		t.Errorf("%d customers, end %v", len(h.customers), h.end)
	}
	p.Kill()
	if find(p.entries(t), "closed") == nil {
		t.Errorf("the connection was not closed:\n%s", p.stderr)
	}
}

func TestWhatIsPrintedBecomesLogEntries(t *testing.T) {
	t.Parallel()
	const key = "s3cr3t-key/with+signs"
	p := start(t)
	configure(t, p.client, map[string]*distributorv1.SettingValue{"do": text("print"), "key": text(key)})
	if h := listSubscriptions(t, p.client); h.end.GetOutcome() != complete {
		t.Fatalf("end %v", h.end)
	}
	p.Kill() // Only an ended process has written everything.

	entries := p.entries(t)
	printed := map[string]string{}
	for _, entry := range entries {
		if strings.HasPrefix(fmt.Sprint(entry["@message"]), "printed to ") {
			printed[fmt.Sprint(entry["text"])] = fmt.Sprint(entry["@level"], " ", entry["@message"])
		}
	}
	for text, want := range map[string]string{
		"greetings from init, without a line endgreetings from main": "warn printed to stdout",
		"to stdout: ***": "warn printed to stdout",
		"to stderr: ***": "info printed to stderr",
		"no line end":    "warn printed to stdout",
	} {
		if printed[text] != want {
			t.Errorf("%q was logged as %q, want %q", text, printed[text], want)
		}
	}
	standard := ""
	for text := range printed {
		if strings.HasSuffix(text, "to the standard logger: ***") {
			standard = text
		}
	}
	if standard == "" {
		t.Error("what the standard logger wrote is not in the log")
	}
	if entry := find(entries, "to the log: ***"); entry == nil || entry["key"] != "***" || entry["secret"] != "***" || entry["error"] != "***" {
		t.Errorf("the log entry is %v", entry)
	}
	if entry := find(entries, "many\nlines"); entry == nil || entry["text"] != "one\ntwo" {
		t.Errorf("the entry with many lines is %v", entry)
	}
	if entry := find(entries, "a long line"); entry == nil || entry["short"] != "kept" || entry["@level"] != "warn" || entry["cut"] == nil {
		t.Errorf("the long entry is %.300v", entry)
	}
	ys := 0
	for text := range printed {
		if strings.HasPrefix(text, "yyyy") {
			ys++
		}
	}
	if ys == 0 {
		t.Error("the long text that was printed is not in the log")
	}
	if find(entries, "closing the connection") == nil {
		t.Error("the error of Close is not in the log")
	}
	for name, text := range map[string]string{"standard error": p.stderr.String(), "go-plugin's log": p.log.String(), "go-plugin's output": p.synced.String()} {
		if strings.Contains(text, "s3cr3t") {
			t.Errorf("the secret shows in %s", name)
		}
	}
	if p.synced.String() != "" {
		t.Errorf("output went past the log: %.200q", p.synced)
	}
}

func TestChatterOnStdoutDoesNotBreakTheStart(t *testing.T) {
	t.Parallel()
	for range 3 {
		p := start(t, "TESTPLUGIN_CHATTY=1")
		configure(t, p.client, nil)
		if h := listSubscriptions(t, p.client); h.end.GetOutcome() != complete {
			t.Errorf("end %v", h.end)
		}
		p.Kill()
	}
}

func TestTheHostSetsTheLogLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]bool{"debug": true, "info": true, "error": false, "": true} {
		p := start(t, transport.EnvLogLevel+"="+level)
		configure(t, p.client, map[string]*distributorv1.SettingValue{"do": text("print")})
		listSubscriptions(t, p.client)
		p.Kill()
		if got := find(p.entries(t), "many\nlines") != nil; got != want {
			t.Errorf("at level %q an info is logged: %v, want %v", level, got, want)
		}
	}
}

func TestAProcessOutlivesAPanic(t *testing.T) {
	t.Parallel()
	p := start(t)
	configure(t, p.client, map[string]*distributorv1.SettingValue{"do": text("panic"), "key": text("p4ssw0rd")})
	for range 2 {
		h := listSubscriptions(t, p.client)
		if h.ends["account"].GetOutcome() != failed || !strings.Contains(h.ends["account"].GetError().GetMessage(), "on request with ***") {
			t.Errorf("scope %v", h.ends["account"])
		}
	}
	p.Kill()
	entry := find(p.entries(t), "panic")
	if entry == nil || !strings.Contains(fmt.Sprint(entry["stack"]), "testplugin/main.go") || strings.Contains(p.stderr.String(), "p4ssw0rd") {
		t.Errorf("the panic was logged as %v", entry)
	}
}

func TestACrashIsToldFromACleanEnd(t *testing.T) {
	t.Parallel()
	p := start(t)
	configure(t, p.client, map[string]*distributorv1.SettingValue{"do": text("crash")})
	stream, err := p.client.ListSubscriptions(t.Context(), &distributorv1.ListSubscriptionsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	var e *sdk.Error
	if errors.Is(err, io.EOF) || !errors.As(transport.ErrorFromStatus(err), &e) || e.Class != sdk.ClassTransient || e.Origin != sdk.OriginPlugin {
		t.Errorf("the stream ended with %v", err)
	}
	p.Kill()
	if !strings.Contains(p.stderr.String(), "crash on request") {
		t.Errorf("standard error does not tell the panic:\n%s", p.stderr)
	}
}

func TestAHangingProcessIsDrainedInTime(t *testing.T) {
	t.Parallel()
	p := start(t)
	configure(t, p.client, map[string]*distributorv1.SettingValue{"do": text("hang")})
	if _, err := p.client.ListSubscriptions(t.Context(), &distributorv1.ListSubscriptionsRequest{}); err != nil {
		t.Fatal(err)
	}
	for find(p.entries(t), "hanging") == nil { // It began.
		runtime.Gosched()
	}
	_, err := p.client.Drain(t.Context(), &distributorv1.DrainRequest{DeadlineMilliseconds: 100})
	if e := asError(t, err); !strings.Contains(e.Message, "1 calls did not end") {
		t.Errorf("drain gives %v", e)
	}
	p.Kill()
	if find(p.entries(t), "closed") == nil {
		t.Error("the connection was not closed")
	}
}

func TestAnOversizedMessageIsAClearError(t *testing.T) {
	t.Parallel()
	server := &oversized{}
	client := dialServer(t, server)
	_, err := client.Describe(t.Context(), &distributorv1.DescribeRequest{})
	e := asError(t, err)
	if e.Class != sdk.ClassInternal || e.Origin != sdk.OriginPlugin || !strings.Contains(e.Message, "too large") || e.Hint == "" {
		t.Errorf("an oversized message gives %v", e)
	}
}

// hostUntilKilled starts the plugin at path, says so on standard output, and waits.
func hostUntilKilled(path string) {
	config := hostConfig(path)
	// The plugin inherits the pipe, so its other end tells when the plugin has ended.
	config.Cmd.ExtraFiles = []*os.File{os.NewFile(3, "alive")}
	client := plugin.NewClient(config)
	if _, err := client.Client(); err != nil {
		fmt.Println("error:", err)
		return
	}
	fmt.Println("started", client.ReattachConfig().Addr)
	select {}
}

func TestAPluginEndsWhenItsHostIsKilled(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // Files cannot be inherited there; the host's job object ends its plugins.
	}
	alive, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	host := exec.Command(self)
	host.Env = append(os.Environ(), actAsHost+"="+testPlugin)
	host.ExtraFiles = []*os.File{held}
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	_ = held.Close()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	socket, started := strings.CutPrefix(strings.TrimSpace(line), "started ")
	if err != nil || !started {
		t.Fatalf("the host says %q, %v", line, err)
	}
	if _, err := os.Stat(socket); err != nil {
		t.Fatal(err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait()

	if err := alive.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := alive.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("the plugin lives on: %v", err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its socket was left behind: %v", err)
	}
}

// byItself runs the plugin without a host and gives its exit code and output.
func byItself(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testPlugin, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestAProcessStartedByHandExplainsItself(t *testing.T) {
	t.Parallel()
	const greetings = "greetings from init, without a line endgreetings from main\n"

	code, _, stderr := byItself(t, nil)
	if code != 2 || !strings.Contains(stderr, "test 0.1.0 is a Tallyman plugin for Test") || !strings.Contains(stderr, "tallyman starts it") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	code, _, stderr = byItself(t, nil, "--versions")
	if code != 2 || !strings.Contains(stderr, `"--versions" is not known`) || !strings.Contains(stderr, "--version, --describe and --help") {
		t.Errorf("a flag there is not gives %d, %q", code, stderr)
	}
	code, help, _ := byItself(t, nil, "--help")
	if code != 0 || !strings.Contains(help, "tallyman starts it") || !strings.Contains(help, "--describe  print settings") {
		t.Errorf("--help gives %d, %q", code, help)
	}
	code, stdout, _ := byItself(t, nil, "--version")
	var version map[string]any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(stdout, greetings)), &version); err != nil || code != 0 || version["version"] != "0.1.0" || version["name"] != "test" {
		t.Errorf("--version gives %d, %q, %v", code, stdout, err)
	}
	code, stdout, _ = byItself(t, nil, "--describe")
	var describe struct {
		Settings []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(stdout, greetings)), &describe); err != nil || code != 0 || len(describe.Settings) != 3 {
		t.Errorf("--describe gives %d, %q, %v", code, stdout, err)
	}
}

func TestAProcessEndsByItself(t *testing.T) {
	t.Parallel()
	gone := exec.Command(testPlugin, "--version")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	cookie := transport.Handshake().MagicCookieKey + "=" + transport.Handshake().MagicCookieValue
	self := transport.EnvParentPID + "=" + strconv.Itoa(os.Getpid())
	tests := []struct {
		name string
		env  []string
		code int
		says string
	}{
		{"at the host's deadline", []string{cookie, self, transport.EnvDeadline + "=" + time.Now().Format(time.RFC3339)}, 4, "the deadline is over"},
		{"when a host that is not its parent is gone", []string{cookie, transport.EnvParentPID + "=" + strconv.Itoa(gone.Process.Pid)}, 3, "the host is gone"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := byItself(t, test.env)
			if code != test.code || !strings.Contains(stderr, test.says) {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

const (
	servePlugin = "TALLYMAN_TEST_SERVE_PLUGIN"
	testSecret  = "5ecret5ecret5ecret5ecret5ecret00"
)

// TestMain makes the test binary the plugin, when a test starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv(servePlugin) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// heard is what a host hears of a listing.
type heard struct {
	customers []sdk.Customer
	records   []sdk.Subscription
	scopes    []string
	ends      map[string]*distributorv1.ScopeEnd
	end       *distributorv1.ListingEnd
	warnings  []string
}

func (h *heard) record(ref string) *sdk.Subscription {
	for i := range h.records {
		if strings.EqualFold(h.records[i].Ref, ref) {
			return &h.records[i]
		}
	}
	return nil
}

func (h *heard) customer(ref string) *sdk.Customer {
	for i := range h.customers {
		if strings.EqualFold(h.customers[i].Ref, ref) {
			return &h.customers[i]
		}
	}
	return nil
}

func (h *heard) refs() string {
	var list []string
	for _, r := range h.records {
		list = append(list, r.Ref)
	}
	return strings.Join(list, " ")
}

// outcome gives the outcome of a scope, or of the listing for "".
func (h *heard) outcome(scope string) string {
	outcome := h.end.GetOutcome()
	if scope != "" {
		outcome = h.ends[scope].GetOutcome()
	}
	return strings.ToLower(strings.TrimPrefix(outcome.String(), "OUTCOME_"))
}

func (h *heard) warned(part string) bool {
	for _, w := range h.warnings {
		if strings.Contains(w, part) {
			return true
		}
	}
	return false
}

// host talks to the plugin in a process of its own, as the real one does.
type host struct {
	t      *testing.T
	client distributorv1.DistributorServiceClient
	log    *logBuffer
}

type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func startPlugin(t *testing.T) *host {
	t.Helper()
	log := &logBuffer{}
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{servePlugin + "=1", transport.EnvLogLevel + "=debug", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.Getenv("TMPDIR"), "GOCOVERDIR=" + t.TempDir()}
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: transport.Handshake(), VersionedPlugins: transport.ClientPlugins(), GRPCDialOptions: transport.DialOptions(),
		Cmd: cmd, SkipHostEnv: true, AutoMTLS: true, AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Logger: hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Debug}),
	})
	t.Cleanup(client.Kill)
	rpc, err := client.Client()
	if err != nil {
		t.Fatalf("start the plugin: %v\n%s", err, log)
	}
	raw, err := rpc.Dispense(transport.PluginName)
	if err != nil {
		t.Fatal(err)
	}
	return &host{t, raw.(distributorv1.DistributorServiceClient), log}
}

// settingsFor gives settings that reach a service on this machine.
func settingsFor(baseURL string, more map[string]any) map[string]any {
	all := map[string]any{
		"client_id": "0a1b2c3d-1111-4222-8333-444455556666", "client_secret": testSecret,
		"api_base_url": baseURL, "token_url": baseURL + "/core/connect/token",
		"retry_wait": "1ms", "requests_per_minute": "0", "max_attempts": "3",
	}
	maps.Copy(all, more)
	return all
}

func (h *host) configure(settings map[string]any) []*distributorv1.Diagnostic {
	h.t.Helper()
	values := map[string]*distributorv1.SettingValue{}
	for name, value := range settings {
		switch value := value.(type) {
		case []string:
			values[name] = &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_List{List: &distributorv1.StringList{Values: value}}}
		default:
			values[name] = &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Text{Text: fmt.Sprint(value)}}
		}
	}
	response, err := h.client.Configure(h.t.Context(), &distributorv1.ConfigureRequest{Settings: values})
	if err != nil {
		h.t.Fatalf("configure: %v", err)
	}
	return response.GetDiagnostics()
}

// connected starts the plugin and configures it for a service.
func connected(t *testing.T, baseURL string, more map[string]any) *host {
	t.Helper()
	h := startPlugin(t)
	if d := h.configure(settingsFor(baseURL, more)); len(d) > 0 {
		t.Fatalf("configure: %v", d)
	}
	return h
}

// hear reads a listing to its end and checks that no secret is in it or in the log.
func hear[E any](h *host, stream interface{ Recv() (E, error) }, err error, take func(*heard, E)) *heard {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	got := &heard{ends: map[string]*distributorv1.ScopeEnd{}}
	for {
		event, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			h.t.Fatalf("the listing broke: %v\n%s", err, h.log)
		}
		if strings.Contains(fmt.Sprint(event), testSecret) {
			h.t.Errorf("a secret is in %v", event)
		}
		take(got, event)
	}
	if got.end == nil {
		h.t.Fatal("the listing has no end")
	}
	if strings.Contains(h.log.String(), testSecret) {
		h.t.Error("a secret is in the log")
	}
	return got
}

func (h *heard) warning(w *distributorv1.Warning) {
	if w != nil {
		h.warnings = append(h.warnings, w.GetCode()+": "+w.GetMessage())
	}
}

func (h *heard) scope(begin *distributorv1.ScopeBegin, end *distributorv1.ScopeEnd) {
	if begin != nil {
		h.scopes = append(h.scopes, begin.GetScopeRef())
	}
	if end != nil {
		h.ends[end.GetScopeRef()] = end
	}
}

func (h *host) listCustomers(refs ...string) *heard {
	h.t.Helper()
	stream, err := h.client.ListCustomers(h.t.Context(), &distributorv1.ListCustomersRequest{CustomerRefs: refs})
	return hear(h, stream, err, func(got *heard, e *distributorv1.ListCustomersResponse) {
		for _, p := range e.GetRecords().GetCustomers() {
			c, err := transport.CustomerFromProto(p)
			if err != nil {
				h.t.Fatal(err)
			}
			got.customers = append(got.customers, c)
		}
		got.warning(e.GetWarning())
		got.scope(e.GetScopeBegin(), e.GetScopeEnd())
		if e.GetEnd() != nil {
			got.end = e.GetEnd()
		}
	})
}

func (h *host) listSubscriptions(refs ...string) *heard {
	h.t.Helper()
	stream, err := h.client.ListSubscriptions(h.t.Context(), &distributorv1.ListSubscriptionsRequest{CustomerRefs: refs})
	return hear(h, stream, err, func(got *heard, e *distributorv1.ListSubscriptionsResponse) {
		for _, p := range e.GetRecords().GetSubscriptions() {
			s, err := transport.SubscriptionFromProto(p)
			if err != nil {
				h.t.Fatal(err)
			}
			got.records = append(got.records, s)
		}
		got.warning(e.GetWarning())
		got.scope(e.GetScopeBegin(), e.GetScopeEnd())
		if e.GetEnd() != nil {
			got.end = e.GetEnd()
		}
	})
}

func (h *host) test() *distributorv1.TestConnectionResponse {
	h.t.Helper()
	response, err := h.client.TestConnection(h.t.Context(), &distributorv1.TestConnectionRequest{})
	if err != nil {
		h.t.Fatal(err)
	}
	if strings.Contains(response.String(), testSecret) {
		h.t.Errorf("a secret is in %v", response)
	}
	return response
}

// prism answers fixed texts by path, and 404 for everything else. A handler goes before a text.
type prism struct {
	*httptest.Server
	mu       sync.Mutex
	texts    map[string]string
	handlers map[string]http.HandlerFunc
	requests []string
}

func newPrism(t *testing.T, texts map[string]string) *prism {
	t.Helper()
	p := &prism{texts: texts, handlers: map[string]http.HandlerFunc{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *prism) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests = append(p.requests, r.Method+" "+r.URL.RequestURI())
	handler, text := p.handlers[r.URL.Path], p.texts[r.URL.Path]
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch {
	case handler != nil:
		handler(w, r)
	case r.URL.Path == "/core/connect/token":
		_, _ = io.WriteString(w, `{"access_token":"the-token","expires_in":3600,"token_type":"Bearer"}`)
	case r.Header.Get("Authorization") != "Bearer the-token":
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"Message":"Authorization has been denied for this request."}`)
	case text == "":
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"Message":"No HTTP resource was found."}`)
	default:
		_, _ = io.WriteString(w, text)
	}
}

func (p *prism) handle(path string, handler http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handlers[path] = handler
}

func (p *prism) set(path, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts[path] = text
}

// asked gives how many requests held part.
func (p *prism) asked(part string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, r := range p.requests {
		if strings.Contains(r, part) {
			n++
		}
	}
	return n
}

func respond(status int, contentType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

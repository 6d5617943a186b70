// SPDX-License-Identifier: Apache-2.0

package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

// session is one started plugin.
type session struct {
	rpc   distributorv1.DistributorServiceClient
	texts *textLog
	// lastComplete is what listings of subscriptions are told; zero: nothing.
	lastComplete time.Time
	// process is nil in process.
	process *process
	close   func()
}

// opener starts a plugin.
type opener func(ctx context.Context, texts *textLog) (*session, error)

// textLog collects what a plugin says, to be searched for secrets. It forgets the middle of what is endless.
type textLog struct {
	mu   sync.Mutex
	text strings.Builder
}

const maxTexts = 64 << 20

func (l *textLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() < maxTexts {
		l.text.Write(p)
	}
	return len(p), nil
}

func (l *textLog) add(texts ...string) {
	for _, text := range texts {
		if text != "" {
			_, _ = l.Write([]byte(text + "\n"))
		}
	}
}

func (l *textLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// inProcess serves a plugin of the SDK within the test.
func inProcess(plugin any) (opener, error) {
	if _, err := wire.Bridge.NewServer(plugin, hclog.NewNullLogger()); err != nil {
		return nil, err
	}
	return func(_ context.Context, texts *textLog) (*session, error) {
		server, err := wire.Bridge.NewServer(plugin, hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: texts}))
		if err != nil {
			return nil, err
		}
		const window = 1 << 20
		listener := bufconn.Listen(window)
		grpcServer := grpc.NewServer(append(wire.ServerOptions(), grpc.WaitForHandlers(true))...)
		distributorv1.RegisterDistributorServiceServer(grpcServer, server)
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = grpcServer.Serve(listener)
		}()
		conn, err := grpc.NewClient("passthrough:///plugin", append(wire.DialOptions(),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))...)
		if err != nil {
			grpcServer.Stop()
			return nil, err
		}
		return &session{
			rpc: distributorv1.NewDistributorServiceClient(conn), texts: texts,
			close: func() {
				_ = conn.Close()
				grpcServer.Stop()
				<-served
			},
		}, nil
	}, nil
}

// configure sends settings as a host does: defaults filled in, groups as dotted names.
func (s *session) configure(ctx context.Context, b *bench, settings map[string]any) ([]*distributorv1.Diagnostic, error) {
	d, err := b.described(ctx)
	if err != nil {
		return nil, err
	}
	sent, err := wireSettings(d.GetSettings(), settings)
	if err != nil {
		return nil, err
	}
	return s.send(ctx, sent)
}

// send sends settings as they are.
func (s *session) send(ctx context.Context, settings map[string]*distributorv1.SettingValue) ([]*distributorv1.Diagnostic, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	response, err := s.rpc.Configure(ctx, &distributorv1.ConfigureRequest{
		Settings: settings, Tenant: "conformance", Module: "conformance/suite", Run: "1",
	})
	if err != nil {
		return nil, fmt.Errorf("configure: %w", err)
	}
	for _, d := range response.GetDiagnostics() {
		s.texts.add(d.GetMessage(), d.GetHint())
	}
	return response.GetDiagnostics(), nil
}

// wireSettings gives settings as they are sent, with the defaults of those that are absent.
func wireSettings(schema []*distributorv1.SettingField, settings map[string]any) (map[string]*distributorv1.SettingValue, error) {
	known := map[string]*distributorv1.SettingField{}
	sent := map[string]*distributorv1.SettingValue{}
	for _, field := range schema {
		known[field.GetName()] = field
		if field.DefaultValue != nil {
			sent[field.GetName()] = textValue(field.GetDefaultValue())
		}
	}
	var put func(prefix string, settings map[string]any) error
	put = func(prefix string, settings map[string]any) error {
		for name, value := range settings {
			full := prefix + name
			if group, ok := value.(map[string]any); ok && known[full] == nil {
				if err := put(full+".", group); err != nil {
					return err
				}
				continue
			}
			if known[full] == nil {
				return fmt.Errorf("the plugin has no setting %q; it has %s", full, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			}
			v, err := settingValue(value)
			if err != nil {
				return fmt.Errorf("setting %q: %w", full, err)
			}
			sent[full] = v
		}
		return nil
	}
	return sent, put("", settings)
}

func textValue(text string) *distributorv1.SettingValue {
	return &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Text{Text: text}}
}

func settingValue(value any) (*distributorv1.SettingValue, error) {
	switch v := value.(type) {
	case string:
		return textValue(v), nil
	case bool:
		return textValue(strconv.FormatBool(v)), nil
	case float64:
		return textValue(strconv.FormatFloat(v, 'f', -1, 64)), nil
	case int, int64, json.Number, time.Duration:
		return textValue(fmt.Sprint(v)), nil
	case []string:
		return &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_List{List: &distributorv1.StringList{Values: v}}}, nil
	case []any:
		texts := make([]string, len(v))
		for i := range v {
			texts[i] = fmt.Sprint(v[i])
		}
		return settingValue(texts)
	case map[string]string:
		return &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Map{Map: &distributorv1.StringMap{Values: v}}}, nil
	case map[string]any:
		texts := make(map[string]string, len(v))
		for name := range v {
			texts[name] = fmt.Sprint(v[name])
		}
		return settingValue(texts)
	}
	return nil, fmt.Errorf("a %T cannot be a setting", value)
}

// SPDX-License-Identifier: Apache-2.0

// Command testplugin is a plugin that misbehaves in one of many ways. How it starts is told by the name of its file,
// how it lists by the first customer asked for; it is written against the contract itself, not with the SDK, which
// would not let it.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// stdout and stderr are the descriptors themselves, whatever the SDK or go-plugin make of os.Stdout and os.Stderr.
var (
	stdout = os.NewFile(1, "stdout")
	stderr = os.NewFile(2, "stderr")
)

func main() {
	name := strings.TrimPrefix(strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"), "tallyman-plugin-")
	handshake := transport.Handshake()
	s := &server{name: name}
	plugins := transport.ServerPlugins(s)
	switch name {
	case "plain":
		fmt.Fprintln(stdout, "Hello, world!")
		return
	case "silent":
		fmt.Fprintln(stderr, "cannot find my files")
		os.Exit(3)
	case "other-product":
		handshake.MagicCookieValue = "of another program"
	case "protocol-nine":
		plugins = map[int]plugin.PluginSet{9: plugins[1]}
	case "core-seven":
		fmt.Fprintln(stdout, "7|1|unix|/nowhere|grpc|")
		select {}
	case "far-away":
		fmt.Fprintln(stdout, "1|1|tcp|192.0.2.1:443|grpc|")
		select {}
	case "stdout-early":
		fmt.Fprintln(stdout, "starting up, please wait")
	case "panic-start":
		panic("no bananas left")
	case "hang-start":
		fmt.Fprintln(stderr, "thinking")
		select {}
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  handshake,
		VersionedPlugins: plugins,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: os.Stderr, JSONFormat: true}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.MaxSendMsgSize(64<<20))...)
		},
	})
	if name == "hang-exit" {
		select {}
	}
}

type server struct {
	distributorv1.UnimplementedDistributorServiceServer
	name       string
	configured atomic.Bool
}

func (s *server) Describe(context.Context, *distributorv1.DescribeRequest) (*distributorv1.DescribeResponse, error) {
	d := &distributorv1.DescribeResponse{
		Name: s.name, DisplayName: "Test " + s.name, Version: "1.2.3", Vendor: "Testers",
		Settings: []*distributorv1.SettingField{
			{Name: "token", Type: distributorv1.SettingType_SETTING_TYPE_STRING, Required: true, Secret: true},
		},
		Capabilities: &distributorv1.Capabilities{
			RefComparison: distributorv1.RefComparison_REF_COMPARISON_IGNORE_CASE,
			Absence:       distributorv1.AbsenceMeaning_ABSENCE_MEANING_ENDED,
			Extra:         []string{"something.new"},
		},
	}
	if s.configured.Load() {
		d.DisplayName, d.Capabilities.Absence = "Test as configured", distributorv1.AbsenceMeaning_ABSENCE_MEANING_NOTHING
	}
	switch s.name {
	case "newer-host":
		d.HostVersions = ">= 99.1"
	case "odd-range":
		d.HostVersions = "the latest"
	case "wrong-name":
		d.Name = "someone-else"
	case "hang-describe":
		select {}
	case "panic-describe":
		panic("cannot describe myself")
	}
	return d, nil
}

func (s *server) Configure(_ context.Context, r *distributorv1.ConfigureRequest) (*distributorv1.ConfigureResponse, error) {
	token := r.GetSettings()["token"].GetText()
	if token == "" {
		return &distributorv1.ConfigureResponse{Diagnostics: []*distributorv1.Diagnostic{
			{Severity: distributorv1.Severity_SEVERITY_ERROR, Field: "token", Message: "is missing", Hint: "Set it."},
		}}, nil
	}
	s.configured.Store(true)
	return &distributorv1.ConfigureResponse{Diagnostics: []*distributorv1.Diagnostic{
		{Severity: distributorv1.Severity_SEVERITY_WARNING, Field: "token", Message: "odd token " + token},
	}}, nil
}

// TestConnection tells the trace it is part of in the detail of its first step, if it is part of one.
func (s *server) TestConnection(
	ctx context.Context, _ *distributorv1.TestConnectionRequest,
) (*distributorv1.TestConnectionResponse, error) {
	detail := strings.Join(append([]string{"api.example.com"}, metadata.ValueFromIncomingContext(ctx, "traceparent")...), " ")
	return &distributorv1.TestConnectionResponse{
		Steps: []*distributorv1.TestStep{
			{Name: "resolve", Ok: true, Detail: detail},
			{Name: "authenticate", Error: &distributorv1.ErrorDetail{
				Class: distributorv1.ErrorClass_ERROR_CLASS_AUTH, Origin: distributorv1.ErrorOrigin_ERROR_ORIGIN_DISTRIBUTOR,
				Message: "401", Hint: "Renew the token.", CorrelationId: "c-1",
			}},
		},
	}, nil
}

func (s *server) Drain(ctx context.Context, _ *distributorv1.DrainRequest) (*distributorv1.DrainResponse, error) {
	if s.name == "hang-drain" {
		<-ctx.Done()
		select {}
	}
	return &distributorv1.DrainResponse{}, nil
}

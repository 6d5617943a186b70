// SPDX-License-Identifier: Apache-2.0

// Package wire is what the two ends of a plugin's connection must agree on. Package sdk serves with it; the host reaches
// it through package transport, which adds the conversions between the vendor's types and the contract.
package wire

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// The sizes of messages.
const (
	// SoftMessageBytes is where the SDK closes a batch.
	SoftMessageBytes = 1 << 20
	// MaxSentBytes is the largest message either side sends.
	MaxSentBytes = 4 << 20
	// MaxReceivedBytes is the largest message either side accepts. It is above MaxSentBytes so that a plugin that is
	// somewhat too generous still works, and far below what could hurt the receiver.
	MaxReceivedBytes = 8 << 20
	// BatchRecords is how many records the SDK puts in a batch at most.
	BatchRecords = 500
)

// The environment variables that the host passes to a plugin.
const (
	// EnvLogLevel is the lowest level logged: "trace", "debug", "info", "warn", "error", "off".
	EnvLogLevel = "TALLYMAN_LOG_LEVEL"
	// EnvParentPID is the process id of the host. The plugin ends when that process is no longer its parent.
	EnvParentPID = "TALLYMAN_PARENT_PID"
	// EnvDeadline is an instant (RFC 3339) after which the plugin ends by itself, whatever it is doing.
	EnvDeadline = "TALLYMAN_DEADLINE"
	// EnvDebug is "1" when a person debugs the plugin: it then watches neither its parent nor the deadline.
	EnvDebug = "TALLYMAN_DEBUG"
)

// PluginName is the name a plugin is dispensed by.
const PluginName = "distributor"

// ProtocolVersion is the newest version of the contract that both ends speak.
const ProtocolVersion = 1

// Handshake tells a plugin that a Tallyman host started it. It protects nothing; it only keeps people from starting the
// binary by hand and wondering.
var Handshake = plugin.HandshakeConfig{
	MagicCookieKey:   "TALLYMAN_PLUGIN",
	MagicCookieValue: "4f1a6c2e-9d5b-4a3e-8a77-tally-the-cargo-on-the-quay",
}

// distributorPlugin carries version 1 of the contract over go-plugin.
type distributorPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server distributorv1.DistributorServiceServer
}

var _ plugin.GRPCPlugin = (*distributorPlugin)(nil)

// GRPCServer registers the server.
func (p *distributorPlugin) GRPCServer(_ *plugin.GRPCBroker, registrar *grpc.Server) error {
	distributorv1.RegisterDistributorServiceServer(registrar, p.server)
	return nil
}

// GRPCClient gives a distributorv1.DistributorServiceClient.
func (p *distributorPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return distributorv1.NewDistributorServiceClient(conn), nil
}

// ServerPlugins gives go-plugin the plugins to serve, by protocol version.
func ServerPlugins(server distributorv1.DistributorServiceServer) map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{1: {PluginName: &distributorPlugin{server: server}}}
}

// ClientPlugins gives go-plugin the plugins the host understands, by protocol version. A second version is a second
// entry, whose client adapts the older contract to distributorv1.DistributorServiceClient.
func ClientPlugins() map[int]plugin.PluginSet {
	return map[int]plugin.PluginSet{1: {PluginName: &distributorPlugin{}}}
}

// DialOptions gives the limits of the host's side.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(MaxReceivedBytes),
		grpc.MaxCallSendMsgSize(MaxSentBytes),
	)}
}

// ServerOptions gives the limits of the plugin's side.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.MaxRecvMsgSize(MaxReceivedBytes), grpc.MaxSendMsgSize(MaxSentBytes)}
}

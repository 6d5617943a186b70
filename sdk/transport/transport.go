// SPDX-License-Identifier: Apache-2.0

// Package transport is the glue between a plugin and its host: what go-plugin needs on the host's side, and the
// conversions between the vendor's types and the contract. It is shared by the SDK and the host and promises vendors
// nothing; they import package sdk.
package transport

import (
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

// The sizes of messages, in bytes.
const (
	// SoftMessageBytes is where the SDK closes a batch.
	SoftMessageBytes = wire.SoftMessageBytes
	// MaxSentBytes is the largest message either side sends.
	MaxSentBytes = wire.MaxSentBytes
	// MaxReceivedBytes is the largest message either side accepts. ErrorFromStatus explains one that is larger.
	MaxReceivedBytes = wire.MaxReceivedBytes
	// BatchRecords is how many records the SDK puts in a batch at most.
	BatchRecords = wire.BatchRecords
)

// The environment variables that the host passes to a plugin.
const (
	// EnvLogLevel is the lowest level logged: "trace", "debug", "info", "warn", "error", "off".
	EnvLogLevel = wire.EnvLogLevel
	// EnvParentPID is the process id of the host, in decimal. The plugin ends when that process is no longer its parent.
	EnvParentPID = wire.EnvParentPID
	// EnvDeadline is an instant (RFC 3339) after which the plugin ends by itself, whatever it is doing.
	EnvDeadline = wire.EnvDeadline
	// EnvDebug is "1" when a person debugs the plugin: it then watches neither its parent nor the deadline.
	EnvDebug = wire.EnvDebug
)

// PluginName is the name to dispense. The value dispensed is a distributorv1.DistributorServiceClient.
const PluginName = wire.PluginName

// ProtocolVersion is the newest version of the contract that both ends speak.
const ProtocolVersion = wire.ProtocolVersion

// Handshake gives the configuration that host and plugin must share.
func Handshake() plugin.HandshakeConfig { return wire.Handshake }

// ClientPlugins gives what goes into plugin.ClientConfig.VersionedPlugins.
func ClientPlugins() map[int]plugin.PluginSet { return wire.ClientPlugins() }

// ServerPlugins gives what goes into plugin.ServeConfig.VersionedPlugins, for a server not made with the SDK.
func ServerPlugins(server distributorv1.DistributorServiceServer) map[int]plugin.PluginSet {
	return wire.ServerPlugins(server)
}

// DialOptions gives what goes into plugin.ClientConfig.GRPCDialOptions: the limits of the host's side, which go-plugin
// would leave at 2 GiB.
func DialOptions() []grpc.DialOption { return wire.DialOptions() }

// ServerOptions gives the limits of the plugin's side.
func ServerOptions() []grpc.ServerOption { return wire.ServerOptions() }

// Clean gives text that the wire and every database take: valid UTF-8 without NUL. What is not becomes U+FFFD.
func Clean(text string) string { return wire.Clean(text) }

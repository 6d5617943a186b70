// SPDX-License-Identifier: Apache-2.0

// Command wrongplugin is a plugin that breaks one rule of the contract: the one its file is named after, such as
// "listing.counts". Under any other name it keeps them all. It is made without package sdk, which would not let it.
//
// Its distributor answers GET /customers with a stream of JSON such as {"id": "c1"}, and GET /subscriptions with one such as
// {"id": "s1", "customer": "c1"}, to who brings the key.
package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

func main() {
	rule := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")
	p := &right{}
	if spoil, ok := wrongs[rule]; ok {
		spoil(p)
	}
	if p.beforeServe != nil {
		p.beforeServe()
	}
	if !p.ignoreParent {
		go watchParent()
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: wire.Handshake, VersionedPlugins: wire.ServerPlugins(p),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxSendMsgSize(wire.MaxReceivedBytes))...)
		},
	})
	if p.afterServe != nil {
		p.afterServe()
	}
}

// watchParent ends the process when the host is gone.
func watchParent() {
	host, err := strconv.Atoi(os.Getenv(wire.EnvParentPID))
	for err == nil && os.Getppid() == host {
		time.Sleep(50 * time.Millisecond)
	}
	os.Exit(1)
}

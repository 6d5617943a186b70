// SPDX-License-Identifier: Apache-2.0

// Command testplugin is a plugin that misbehaves on request, for the tests of package sdk.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tallymanhq/tallyman/sdk"
)

type settings struct {
	Do      string     `setting:"do" default:"list" choices:"list|print|panic|crash|hang"`
	Key     sdk.Secret `setting:"key" help:"A key."`
	Records int        `setting:"records" default:"10"`
}

// init prints before Serve is called, as libraries do that greet the world.
func init() { fmt.Print("greetings from init, without a line end") }

func main() {
	if os.Getenv("TESTPLUGIN_CHATTY") == "1" {
		go func() {
			for i := 0; ; i++ {
				fmt.Println("chatter", i)
				time.Sleep(100 * time.Microsecond)
			}
		}()
	}
	fmt.Println("greetings from main")
	sdk.Serve(sdk.Plugin[settings]{
		Name: "test", DisplayName: "Test", Version: "0.1.0", Vendor: "Tallyman",
		Connect: func(_ context.Context, s settings, env sdk.Env) (sdk.Distributor, error) {
			return &distributor{settings: s, log: env.Log}, nil
		},
	})
}

type distributor struct {
	sdk.Unimplemented
	settings settings
	log      hclog.Logger
}

func (d *distributor) Close() error {
	d.log.Info("closed")
	return errors.New("closing " + d.settings.Key.Reveal())
}

func (d *distributor) ListCustomers(ctx context.Context, _ sdk.ListRequest, out *sdk.CustomerListing) error {
	return out.Scope(ctx, "account", "the account", func(s *sdk.CustomerScope) error {
		return s.Send(sdk.Customer{Ref: "c1", Name: "Acme"})
	})
}

func (d *distributor) ListSubscriptions(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
	return out.Scope(ctx, "account", "the account", func(s *sdk.SubscriptionScope) error {
		switch d.settings.Do {
		case "print":
			d.print()
		case "panic":
			panic("on request with " + d.settings.Key.Reveal())
		case "crash":
			done := make(chan struct{})
			go func() { panic("crash on request") }()
			<-done
		case "hang":
			d.log.Info("hanging")
			select {}
		}
		for i := range d.settings.Records {
			if err := s.Send(sdk.Subscription{Ref: fmt.Sprint(i), CustomerRef: "c1"}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *distributor) print() {
	key := d.settings.Key.Reveal()
	fmt.Println("to stdout:", key)
	fmt.Fprintln(os.Stderr, "to stderr:", key)
	log.Println("to the standard logger:", key)
	d.log.Info("to the log: "+key, "key", key, "secret", d.settings.Key, "error", errors.New(key))
	d.log.Info("many\nlines", "text", "one\ntwo")
	d.log.Warn("a long line", "text", strings.Repeat("x", 100_000), "short", "kept")
	fmt.Println(strings.Repeat("y", 200_000))
	fmt.Print("no line end")
}

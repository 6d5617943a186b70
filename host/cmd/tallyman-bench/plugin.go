// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
)

// pluginFile is the file name under which this program is a plugin.
const pluginFile = "tallyman-plugin-bench"

func pluginName(path string) string {
	name := strings.TrimPrefix(filepath.Base(path), "tallyman-plugin-")
	return strings.TrimSuffix(name, ".exe")
}

// settings size the distributor that the plugin makes up.
type settings struct {
	Subscriptions int `setting:"subscriptions,required" help:"How many subscriptions there are."`
	Day           int `setting:"day" default:"0" help:"Each day after the first changes 1 % of the quantities."`
}

// made is a distributor without a network: what is measured is the host, not somebody's API.
type made struct {
	sdk.Unimplemented
	settings
}

func (m *made) customers() int { return max(m.Subscriptions/20, 1) }

func (m *made) ListCustomers(ctx context.Context, _ sdk.ListRequest, out *sdk.CustomerListing) error {
	return out.Scope(ctx, "account", "the account", func(s *sdk.CustomerScope) error {
		for i := range m.customers() {
			c := sdk.Customer{
				Ref: customerRef(i), Name: "Customer " + strconv.Itoa(i) + " Pty Ltd", Lifecycle: sdk.LifecycleActive,
				Address: &sdk.Address{Lines: []string{strconv.Itoa(i%400) + " Example Street"}, City: "Melbourne", PostalCode: "3000", CountryCode: "AU"},
			}
			if err := s.Send(c); err != nil {
				return err
			}
		}
		return nil
	})
}

func customerRef(i int) string { return fmt.Sprintf("5a1e0001-2d3e-e811-8130-%012d", i) }

func (m *made) ListSubscriptions(ctx context.Context, _ sdk.ListRequest, out *sdk.SubscriptionListing) error {
	price, err := sdk.ParseDecimal("27.36")
	if err != nil {
		return err
	}
	return out.Scope(ctx, "account", "the account", func(s *sdk.SubscriptionScope) error {
		s.Expect(m.Subscriptions)
		for i := range m.Subscriptions {
			quantity := 1 + i%60
			if m.Day > 1 && i%100 == 0 {
				quantity += m.Day - 1
			}
			if err := s.Send(sdk.Subscription{
				Ref: fmt.Sprintf("e2f1d7aa-90c4-ec11-b656-%012d", i), CustomerRef: customerRef(i % m.customers()),
				TenantRef: fmt.Sprintf("7e4a0001-90c4-ec11-b656-%012d", i%m.customers()),
				Name:      "Microsoft 365 Business Premium", Vendor: "microsoft", State: sdk.StateActive, Status: "Active",
				BillingTerm: sdk.Months(1, "Monthly"), StartedOn: "2022-03-14T02:11:45Z",
				Items: []sdk.Item{{
					ProductRef: "3f0e8c52-1111-ec11-8c62-000d3ad20001", SKU: "CFQ7TTC0LCHC:0002", Quantity: sdk.Int(int64(quantity)), Unit: "Licenses",
					Charge: sdk.ChargeRecurring, PartnerCost: sdk.Money{Amount: price, Currency: "AUD"}, PricePer: sdk.PricePerUnit,
				}},
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

func servePlugin() {
	sdk.Serve(sdk.Plugin[settings]{
		Name: "bench", DisplayName: "Bench", Version: "1.0.0",
		Capabilities: sdk.Capabilities{SubscriptionScope: sdk.ScopeAccount, AbsenceMeansEnded: true},
		Connect: func(_ context.Context, s settings, _ sdk.Env) (sdk.Distributor, error) {
			return &made{settings: s}, nil
		},
	})
}

// changed is how many subscriptions differ from the first day.
func (s source) changed() int {
	if s.Rhipe {
		return prismsim.NewGenerated(prismsim.GeneratedOptions{Subscriptions: s.Subscriptions}).Changed(s.Day)
	}
	return (s.Subscriptions + 99) / 100
}

// serve gives the plugin's settings, and starts the simulator if it needs one.
func (s source) serve() (settings map[string]string, done func(), err error) {
	if !s.Rhipe {
		return map[string]string{"subscriptions": strconv.Itoa(s.Subscriptions), "day": strconv.Itoa(s.Day)}, func() {}, nil
	}
	sim := prismsim.New(prismsim.NewGenerated(prismsim.GeneratedOptions{Subscriptions: s.Subscriptions}))
	if err := sim.Start(); err != nil {
		return nil, nil, err
	}
	if err := sim.SetDay(max(s.Day, 1)); err != nil {
		return nil, nil, err
	}
	return map[string]string{
		"client_id": prismsim.DemoClientID, "client_secret": prismsim.DemoClientSecret,
		"api_base_url": sim.APIURL(), "token_url": sim.TokenURL(),
	}, func() { _ = sim.Close() }, nil
}

// launch starts and configures the plugin.
func (s source) launch(ctx context.Context, settings map[string]string) (*pluginhost.Process, error) {
	p, err := pluginhost.Launch(ctx, pluginhost.Spec{Name: pluginName(s.Plugin), Path: s.Plugin, Dev: true, HostVersion: "0.1.0"})
	if err != nil {
		return nil, err
	}
	wire := map[string]*distributorv1.SettingValue{}
	for name, text := range settings {
		wire[name] = &distributorv1.SettingValue{Kind: &distributorv1.SettingValue_Text{Text: text}}
	}
	if problems, err := p.Configure(ctx, wire); err != nil || len(problems) > 0 {
		_ = p.Close(ctx)
		return nil, fmt.Errorf("configure the plugin: %v %w", problems, err)
	}
	return p, nil
}

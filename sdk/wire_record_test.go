// SPDX-License-Identifier: Apache-2.0

package sdk_test

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

var sameDecimal = cmp.Comparer(func(a, b sdk.Decimal) bool { return a == b })

func drawText(t *rapid.T, label string) string {
	return rapid.StringN(0, 12, 40).Filter(clean).Draw(t, label)
}

func clean(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

func drawDecimal(t *rapid.T, label string) sdk.Decimal {
	text := rapid.StringMatching(`(-?[0-9]{1,20}(\.[0-9]{1,10})?)?`).Draw(t, label)
	d, err := sdk.ParseDecimal(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return d
}

func drawMoney(t *rapid.T, label string) sdk.Money {
	amount := drawDecimal(t, label)
	if amount.IsAbsent() {
		return sdk.Money{} // A currency alone is not sent.
	}
	return sdk.Money{Amount: amount, Currency: rapid.SampledFrom([]string{"", "AUD", "EUR"}).Draw(t, "currency")}
}

func drawFlag(t *rapid.T, label string) *bool {
	return rapid.SampledFrom([]*bool{nil, new(bool), ptr(true)}).Draw(t, label)
}

func ptr[T any](value T) *T { return &value }

func drawTerm(t *rapid.T, label string) sdk.Term {
	return sdk.Term{
		Kind:  sdk.TermKind(rapid.IntRange(0, int(sdk.TermNone)).Draw(t, label+" kind")),
		Unit:  sdk.TermUnit(rapid.IntRange(0, int(sdk.UnitYear)).Draw(t, label+" unit")),
		Count: rapid.IntRange(0, math.MaxInt32).Draw(t, label+" count"),
		Raw:   drawText(t, label+" raw"),
	}
}

func drawItem(t *rapid.T) sdk.Item {
	return sdk.Item{
		Ref: drawText(t, "item ref"), Name: drawText(t, "item name"), SKU: drawText(t, "sku"), VendorSKU: drawText(t, "vendor sku"),
		ProductRef: drawText(t, "product"), Quantity: drawDecimal(t, "quantity"), Unit: drawText(t, "unit"),
		Charge:        sdk.Charge(rapid.IntRange(0, int(sdk.ChargeUsage)).Draw(t, "charge")),
		CustomerPrice: drawMoney(t, "customer price"), PartnerCost: drawMoney(t, "cost"), ListPrice: drawMoney(t, "list price"),
		PricePer: sdk.PricePer(rapid.IntRange(0, int(sdk.PricePerTotal)).Draw(t, "per")),
	}
}

func drawSubscription(t *rapid.T) sdk.Subscription {
	r := sdk.Subscription{
		Ref: drawText(t, "ref"), CustomerRef: drawText(t, "customer"), TenantRef: drawText(t, "tenant"),
		VendorRef: drawText(t, "vendor ref"), VendorTenantRef: drawText(t, "vendor tenant"), ParentRef: drawText(t, "parent"),
		Name: drawText(t, "name"), Vendor: drawText(t, "vendor"),
		State: sdk.State(rapid.IntRange(0, int(sdk.StateDeleted)).Draw(t, "state")), Status: drawText(t, "status"),
		Trial: drawFlag(t, "trial"), BillingTerm: drawTerm(t, "billing"), CommitmentTerm: drawTerm(t, "commitment"),
		StartedOn: drawText(t, "started"), CommitmentEnd: drawText(t, "end"), CancellableUntil: drawText(t, "until"),
		AutoRenew: drawFlag(t, "renew"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "items") {
		r.Items = append(r.Items, drawItem(t))
	}
	for range rapid.IntRange(0, 3).Draw(t, "extras") {
		if r.Extra == nil {
			r.Extra = map[string]string{}
		}
		r.Extra[drawText(t, "key")] = drawText(t, "value")
	}
	return r
}

func drawTexts(t *rapid.T, label string) []string {
	var texts []string
	for range rapid.IntRange(0, 3).Draw(t, label) {
		texts = append(texts, drawText(t, label))
	}
	return texts
}

func drawCustomer(t *rapid.T) sdk.Customer {
	c := sdk.Customer{
		Ref: drawText(t, "ref"), Name: drawText(t, "name"),
		Lifecycle: sdk.Lifecycle(rapid.IntRange(0, int(sdk.LifecycleDeleted)).Draw(t, "lifecycle")), Status: drawText(t, "status"),
		Phone: drawText(t, "phone"), Email: drawText(t, "email"), Website: drawText(t, "website"),
		RegistrationNumber: drawText(t, "number"), Domains: drawTexts(t, "domains"), ParentRef: drawText(t, "parent"),
		ExternalRef: drawText(t, "external"), IsPartner: rapid.Bool().Draw(t, "partner"),
	}
	if rapid.Bool().Draw(t, "has address") {
		c.Address = &sdk.Address{
			Lines: drawTexts(t, "lines"), City: drawText(t, "city"), Region: drawText(t, "region"),
			PostalCode: drawText(t, "code"), CountryCode: drawText(t, "country code"), Country: drawText(t, "country"),
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "tenants") {
		c.VendorTenants = append(c.VendorTenants, sdk.VendorTenant{
			Vendor: drawText(t, "vendor"), Ref: drawText(t, "tenant"), Domain: drawText(t, "domain"),
		})
	}
	return c
}

// overWire sends a message through its bytes.
func overWire[M proto.Message](t interface{ Fatal(...any) }, message, into M) M {
	data, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func TestSubscriptionsCrossTheWireUnchanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawSubscription(t)
		p := overWire(t, transport.SubscriptionToProto(want), &distributorv1.Subscription{})
		got, err := transport.SubscriptionFromProto(p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameDecimal); diff != "" {
			t.Fatalf("(-sent +received):\n%s", diff)
		}
	})
}

func TestCustomersCrossTheWireUnchanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawCustomer(t)
		p := overWire(t, transport.CustomerToProto(want), &distributorv1.Customer{})
		got, err := transport.CustomerFromProto(p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-sent +received):\n%s", diff)
		}
	})
}

func TestTextThatDatabasesRefuseIsCleaned(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":               "",
		"Müller & Söhne": "Müller & Söhne",
		"a\x00b":         "a\uFFFDb",
		"a\xffb":         "a\uFFFDb",
		"\xf0\x28\x8c":   "\uFFFD(\uFFFD",
		"line\nline":     "line\nline",
	}
	for dirty, want := range tests {
		s := transport.SubscriptionToProto(sdk.Subscription{
			Ref: dirty, Extra: map[string]string{dirty: dirty}, Items: []sdk.Item{{Name: dirty}}, BillingTerm: sdk.Months(1, dirty),
		})
		c := transport.CustomerToProto(sdk.Customer{Name: dirty, Domains: []string{dirty}, Address: &sdk.Address{Lines: []string{dirty}}})
		for i, got := range []string{
			s.GetRef(), s.GetExtra()[want], s.GetItems()[0].GetName(), s.GetBillingTerm().GetRaw(),
			c.GetName(), c.GetDomains()[0], c.GetAddress().GetLines()[0],
		} {
			if got != want {
				t.Errorf("%q became %q (text %d), want %q", dirty, got, i, want)
			}
		}
		if _, err := proto.Marshal(s); err != nil {
			t.Errorf("%q: %v", dirty, err)
		}
		received, err := transport.CustomerFromProto(&distributorv1.Customer{Name: dirty, Phone: dirty})
		if err != nil || received.Name != want || received.Phone != want {
			t.Errorf("%q was received as %q (%v)", dirty, received.Name, err)
		}
	}
}

// The conversions keep enum numbers, so both sides must name the same number alike.
func TestEnumsHaveTheContractsNumbers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		enum protoreflect.Enum
		want []string
	}{
		{distributorv1.Lifecycle(0), at(map[int]string{
			int(sdk.LifecycleUnknown): "UNSPECIFIED", int(sdk.LifecycleActive): "ACTIVE", int(sdk.LifecycleSuspended): "SUSPENDED",
			int(sdk.LifecycleIncomplete): "INCOMPLETE", int(sdk.LifecycleEnded): "ENDED", int(sdk.LifecycleDeleted): "DELETED",
		})},
		{distributorv1.SubscriptionState(0), at(map[int]string{
			int(sdk.StateUnknown): "UNSPECIFIED", int(sdk.StatePending): "PENDING", int(sdk.StateActive): "ACTIVE",
			int(sdk.StateSuspended): "SUSPENDED", int(sdk.StateCancelled): "CANCELLED", int(sdk.StateExpired): "EXPIRED",
			int(sdk.StateConverted): "CONVERTED", int(sdk.StateFailed): "FAILED", int(sdk.StateDeleted): "DELETED",
		})},
		{distributorv1.TermKind(0), at(map[int]string{
			int(sdk.TermUnknown): "UNSPECIFIED", int(sdk.TermRecurring): "RECURRING", int(sdk.TermOneTime): "ONE_TIME",
			int(sdk.TermUsage): "USAGE", int(sdk.TermNone): "NONE",
		})},
		{distributorv1.TermUnit(0), at(map[int]string{
			int(sdk.UnitUnknown): "UNSPECIFIED", int(sdk.UnitDay): "DAY", int(sdk.UnitMonth): "MONTH", int(sdk.UnitYear): "YEAR",
		})},
		{distributorv1.ChargeKind(0), at(map[int]string{
			int(sdk.ChargeUnknown): "UNSPECIFIED", int(sdk.ChargeRecurring): "RECURRING", int(sdk.ChargeOneTime): "ONE_TIME",
			int(sdk.ChargeUsage): "USAGE",
		})},
		{distributorv1.PricePer(0), at(map[int]string{
			int(sdk.PricePerUnknown): "UNSPECIFIED", int(sdk.PricePerUnit): "UNIT", int(sdk.PricePerTotal): "TOTAL",
		})},
		{distributorv1.ScopeKind(0), at(map[int]string{
			int(sdk.ScopeUnknown): "UNSPECIFIED", int(sdk.ScopeAccount): "ACCOUNT", int(sdk.ScopeContainer): "CONTAINER",
			int(sdk.ScopeCustomer): "CUSTOMER",
		})},
	}
	for _, test := range tests {
		values := test.enum.Descriptor().Values()
		if values.Len() != len(test.want) {
			t.Errorf("%s has %d values, the SDK %d", test.enum.Descriptor().Name(), values.Len(), len(test.want))
			continue
		}
		for number, want := range test.want {
			name := string(values.ByNumber(protoreflect.EnumNumber(number)).Name())
			if !strings.HasSuffix(name, "_"+want) {
				t.Errorf("%s %d is %s, the SDK means %s", test.enum.Descriptor().Name(), number, name, want)
			}
		}
	}
}

// at gives names in the order of their numbers.
func at(names map[int]string) []string {
	ordered := make([]string, len(names))
	for number, name := range names {
		ordered[number] = name
	}
	return ordered
}

func TestValuesTheOtherSideDoesNotKnowBecomeUnknown(t *testing.T) {
	t.Parallel()
	s := transport.SubscriptionToProto(sdk.Subscription{State: 99, BillingTerm: sdk.Term{Kind: -3, Unit: 9, Count: -1, Raw: "x"}})
	if s.GetState() != 0 || s.GetBillingTerm().GetKind() != 0 || s.GetBillingTerm().GetUnit() != 0 || s.GetBillingTerm().GetCount() != 0 {
		t.Errorf("sent %v", s)
	}
	got, err := transport.SubscriptionFromProto(&distributorv1.Subscription{
		State: 99, BillingTerm: &distributorv1.Term{Kind: -3, Unit: 9, Count: -1}, Items: []*distributorv1.Item{nil, {ChargeKind: 77, PricePer: -2}},
	})
	if diff := cmp.Diff(sdk.Subscription{Items: make([]sdk.Item, 2)}, got, sameDecimal); diff != "" || err != nil {
		t.Errorf("received (-want +got), %v:\n%s", err, diff)
	}
	if _, err := transport.SubscriptionFromProto(nil); err == nil {
		t.Error("a missing subscription is no error")
	}
	if _, err := transport.CustomerFromProto(nil); err == nil {
		t.Error("a missing customer is no error")
	}
}

func TestANumberThatIsNoneNamesItsField(t *testing.T) {
	t.Parallel()
	tests := map[string]*distributorv1.Item{
		"item 1: quantity":       {Quantity: ptr("lots")},
		"item 1: customer price": {CustomerPrice: &distributorv1.Money{Amount: "1e999999999"}},
		"item 1: partner cost":   {PartnerCost: &distributorv1.Money{Amount: strings.Repeat("9", 1000)}},
		"item 1: list price":     {ListPrice: &distributorv1.Money{Amount: "1,5"}},
	}
	for want, item := range tests {
		_, err := transport.SubscriptionFromProto(&distributorv1.Subscription{Items: []*distributorv1.Item{item}})
		if err == nil || !strings.HasPrefix(err.Error(), want) || len(err.Error()) > 200 {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestErrorsCrossTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := &sdk.Error{
			Class:   sdk.Class(rapid.IntRange(0, int(sdk.ClassUnsupported)).Draw(t, "class")),
			Origin:  sdk.Origin(rapid.IntRange(0, int(sdk.OriginDistributor)).Draw(t, "origin")),
			Message: drawText(t, "message"), Hint: drawText(t, "hint"), CorrelationID: drawText(t, "id"), Field: drawText(t, "field"),
			RetryAfter: time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "wait")) * time.Millisecond,
		}
		if diff := cmp.Diff(want, transport.ErrorFromProto(transport.ErrorToProto(want))); diff != "" {
			t.Fatalf("as a detail (-sent +received):\n%s", diff)
		}
		var got *sdk.Error
		if !errors.As(transport.ErrorFromStatus(transport.ErrorToStatus(want)), &got) {
			t.Fatal("a status is no *sdk.Error")
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sdk.Error{}, "Err")); diff != "" {
			t.Fatalf("as a status (-sent +received):\n%s", diff)
		}
	})
}

func TestErrorsThatPluginsDidNotMakeAreExplained(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		err   error
		class sdk.Class
		is    error
		says  string
	}{
		{"a plugin that went away", status.Error(codes.Unavailable, "connection refused"), sdk.ClassTransient, nil, "connection to the plugin broke"},
		{"a message that is too large", status.Error(codes.ResourceExhausted, "grpc: received message larger than max (9 vs. 8)"), sdk.ClassInternal, nil, "too large"},
		{"a call it does not know", status.Error(codes.Unimplemented, "unknown method"), sdk.ClassUnsupported, nil, "does not know this call"},
		{"a call that was cancelled", status.Error(codes.Canceled, "x"), sdk.ClassTransient, context.Canceled, "cancelled"},
		{"a call that took too long", status.Error(codes.DeadlineExceeded, "x"), sdk.ClassTransient, context.DeadlineExceeded, "did not answer in time"},
		{"an error without status", errors.New("odd"), sdk.ClassInternal, nil, "odd"},
		{"a context that ended inside the plugin", transport.ErrorToStatus(context.DeadlineExceeded), sdk.ClassTransient, context.DeadlineExceeded, "deadline"},
	}
	for _, test := range tests {
		var e *sdk.Error
		err := transport.ErrorFromStatus(test.err)
		if !errors.As(err, &e) || e.Class != test.class || !strings.Contains(e.Message, test.says) {
			t.Errorf("%s is %#v", test.name, err)
		}
		if test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s is not %v", test.name, test.is)
		}
	}
	if transport.ErrorFromStatus(nil) != nil || transport.ErrorToStatus(nil) != nil || transport.ErrorToProto(nil) != nil || transport.ErrorFromProto(nil) != nil {
		t.Error("no error became an error")
	}
	if !errors.Is(transport.ErrorFromStatus(io.EOF), io.EOF) {
		t.Error("the end of a stream became an error")
	}
	if p := transport.ErrorToProto(&sdk.Error{Class: 99, Message: strings.Repeat("x", 1<<20), RetryAfter: 1}); len(p.GetMessage()) > 5000 ||
		p.GetClass() != distributorv1.ErrorClass_ERROR_CLASS_INTERNAL || p.GetRetryAfterMilliseconds() != 1 {
		t.Errorf("an odd error became %v …", p.GetClass())
	}
}

func FuzzSubscriptionFromProto(f *testing.F) {
	seed, err := proto.Marshal(transport.SubscriptionToProto(exampleSubscription()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("\x0a\x01\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &distributorv1.Subscription{}
		if proto.Unmarshal(data, p) != nil {
			return
		}
		got, err := transport.SubscriptionFromProto(p)
		if err != nil {
			return
		}
		again, err := transport.SubscriptionFromProto(overWire(t, transport.SubscriptionToProto(got), &distributorv1.Subscription{}))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, again, sameDecimal); diff != "" {
			t.Fatalf("a second crossing changed (-first +second):\n%s", diff)
		}
	})
}

func FuzzCustomerFromProto(f *testing.F) {
	seed, err := proto.Marshal(transport.CustomerToProto(sdk.Customer{
		Ref: "c1", Name: "Acme", Address: &sdk.Address{Lines: []string{"1 High St"}, City: "Sydney"},
		VendorTenants: []sdk.VendorTenant{{Vendor: "microsoft", Ref: "t"}}, Domains: []string{"acme.example"},
	}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &distributorv1.Customer{}
		if proto.Unmarshal(data, p) != nil {
			return
		}
		got, err := transport.CustomerFromProto(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := transport.CustomerFromProto(overWire(t, transport.CustomerToProto(got), &distributorv1.Customer{}))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatalf("a second crossing changed (-first +second):\n%s", diff)
		}
	})
}

// FuzzSubscriptionText sends text that is no text: whatever a distributor answers must be fit for the wire.
func FuzzSubscriptionText(f *testing.F) {
	f.Add("ref", "name", "key", 3)
	f.Add("\x00", "\xff\xfe", "\xc0\xaf", -1)
	f.Fuzz(func(t *testing.T, ref, name, key string, count int) {
		p := transport.SubscriptionToProto(sdk.Subscription{
			Ref: ref, Name: name, Extra: map[string]string{key: name}, BillingTerm: sdk.Months(count, key), State: sdk.State(count),
			Items: []sdk.Item{{Name: name, Charge: sdk.Charge(count)}},
		})
		received := overWire(t, p, &distributorv1.Subscription{})
		if !clean(received.GetRef()) || !clean(received.GetName()) || !clean(received.GetItems()[0].GetName()) {
			t.Fatalf("received %v", received)
		}
	})
}

func FuzzErrorFromProto(f *testing.F) {
	seed, err := proto.Marshal(transport.ErrorToProto(&sdk.Error{Class: sdk.ClassAuth, Message: "m", RetryAfter: time.Second}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &distributorv1.ErrorDetail{}
		if proto.Unmarshal(data, p) != nil {
			return
		}
		got := transport.ErrorFromProto(p)
		if again := transport.ErrorFromProto(transport.ErrorToProto(got)); !cmp.Equal(got, again) {
			t.Fatalf("%#v became %#v", got, again)
		}
	})
}

func FuzzParseDecimal(f *testing.F) {
	for _, text := range []string{"", "25", "27.360", "-1e2", "-0.00", "1e64", "1e-64", "0.1", "+7", ".5", "5.", "00", "1e999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := sdk.ParseDecimal(text)
		if err != nil {
			return
		}
		again, err := sdk.ParseDecimal(d.String())
		if err != nil || again != d {
			t.Fatalf("%q became %q, which became %q (%v)", text, d, again, err)
		}
		fromNumber, err := sdk.ParseDecimal(d.Big().String())
		if !d.IsAbsent() && (err != nil || fromNumber != d) {
			t.Fatalf("%q became %q, the same number as %q", text, d, fromNumber)
		}
	})
}

func exampleSubscription() sdk.Subscription {
	price := func(text string) sdk.Money {
		d, _ := sdk.ParseDecimal(text)
		return sdk.Money{Amount: d, Currency: "AUD"}
	}
	return sdk.Subscription{
		Ref: "0c9b1a52-6d0e-4cc8-8c0b-5d0a3b7f9e21", CustomerRef: "5a1f7c1e-0d57-4a52-a9f2-6b7a1f6f2b10",
		TenantRef: "8f6c2f3a-9d1b-4e57-8e7e-0c1d2e3f4a5b", VendorRef: "d4c3b2a1-9f8e-7d6c-5b4a-392817065f4e",
		Name: "Microsoft 365 Business Premium", Vendor: "Microsoft", State: sdk.StateActive, Status: "Active", Trial: ptr(false),
		BillingTerm: sdk.Months(1, "Monthly"), CommitmentTerm: sdk.Years(1, "P1Y"), StartedOn: "2025-03-13",
		CommitmentEnd: "2026-03-12", AutoRenew: ptr(true),
		Items: []sdk.Item{{
			Name: "Microsoft 365 Business Premium", SKU: "CFQ7TTC0LCHC:0002", Quantity: sdk.Int(25), Charge: sdk.ChargeRecurring,
			CustomerPrice: price("32.9"), PartnerCost: price("27.36"), PricePer: sdk.PricePerUnit,
		}},
	}
}

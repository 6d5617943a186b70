// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"

	"github.com/tallymanhq/tallyman/host/internal/reconcile"
)

// refKey gives a distributor's id as it is compared: as it is, or in lower case where the distributor's ids ignore case.
type refKey func(ref string) string

func exactKey(ref string) string { return withoutNUL(ref) }

func foldedKey(ref string) string { return strings.ToLower(withoutNUL(ref)) }

// withoutNUL gives a text as every database keeps it, so that what is read back compares as equal.
func withoutNUL(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "")
}

// fingerprintVersion is part of every fingerprint. Raise it when the fields or their order below change: every record
// is then read as changed once, and rewritten only where it really differs.
const fingerprintVersion = 1

// fingerprinter hashes records without making objects of them. It is not safe for several goroutines.
type fingerprinter struct {
	key refKey
	buf []byte
}

// subscription gives the key hash and the fingerprint of one item of a subscription. They follow from its content alone.
func (f *fingerprinter) subscription(s *distributorv1.Subscription, item *distributorv1.Item) (key, print uint64) {
	name := f.key(s.GetRef())
	if item.GetRef() != "" {
		name = itemKey(name, item.GetRef())
	}
	key = xxhash.Sum64String(name)
	f.buf = append(f.buf[:0], fingerprintVersion)
	f.text(name)
	f.text(s.GetRef())
	f.text(f.key(s.GetCustomerRef()))
	f.text(s.GetTenantRef())
	f.text(s.GetVendorRef())
	f.text(s.GetVendorTenantRef())
	f.text(s.GetParentRef())
	f.text(s.GetName())
	f.text(s.GetVendor())
	f.number(int(s.GetState()))
	f.text(s.GetSourceStatus())
	f.yesNo(s.Trial)
	f.term(s.GetBillingTerm())
	f.term(s.GetCommitmentTerm())
	f.text(s.GetStartedOn())
	f.text(s.GetCommitmentEnd())
	f.text(s.GetCancellableUntil())
	f.yesNo(s.AutoRenew)
	f.text(item.GetName())
	f.text(item.GetSku())
	f.text(item.GetVendorSku())
	f.text(item.GetProductRef())
	f.text(item.GetQuantity())
	f.text(item.GetUnit())
	f.number(int(item.GetChargeKind()))
	f.money(item.GetCustomerPrice())
	f.money(item.GetPartnerCost())
	f.money(item.GetListPrice())
	f.number(int(item.GetPricePer()))
	f.pairs(s.GetExtra())
	return key, xxhash.Sum64(f.buf)
}

// text appends a text so that no two sequences of texts look alike.
func (f *fingerprinter) text(s string) {
	f.buf = binary.AppendUvarint(f.buf, uint64(len(s)))
	f.buf = append(f.buf, s...)
}

func (f *fingerprinter) number(n int) { f.buf = binary.AppendVarint(f.buf, int64(n)) }

func (f *fingerprinter) yesNo(b *bool) {
	switch {
	case b == nil:
		f.buf = append(f.buf, 0)
	case *b:
		f.buf = append(f.buf, 1)
	default:
		f.buf = append(f.buf, 2)
	}
}

func (f *fingerprinter) term(t *distributorv1.Term) {
	f.number(int(t.GetKind()))
	f.number(int(t.GetUnit()))
	f.number(int(t.GetCount()))
	f.text(t.GetRaw())
}

func (f *fingerprinter) money(m *distributorv1.Money) {
	f.text(m.GetAmount())
	f.text(m.GetCurrency())
}

// pairs adds the hashes of all pairs, so that their order, which a map does not keep, does not matter.
func (f *fingerprinter) pairs(m map[string]string) {
	var sum uint64
	for k, v := range m {
		sum += xxhash.Sum64String(k)*3 ^ xxhash.Sum64String(v)
	}
	f.buf = binary.LittleEndian.AppendUint64(f.buf, sum)
}

// itemKey is the key of one of several items of a subscription.
func itemKey(subscriptionKey, itemRef string) string { return subscriptionKey + "/" + itemRef }

// observed turns one item of a subscription into what the rules work on.
func observed(s *distributorv1.Subscription, item *distributorv1.Item) reconcile.Observed {
	o := reconcile.Observed{
		Ref:             s.GetRef(),
		CustomerRef:     s.GetCustomerRef(),
		TenantRef:       s.GetTenantRef(),
		VendorTenantRef: s.GetVendorTenantRef(),
		ProductRef:      item.GetProductRef(),
		VendorSKU:       item.GetVendorSku(),
		BillingRaw:      s.GetBillingTerm().GetRaw(),
		CommitmentRaw:   s.GetCommitmentTerm().GetRaw(),
		PricePer:        pricePer(item.GetPricePer()),
		Extra:           s.GetExtra(),
		Fields: reconcile.Fields{
			Name:             s.GetName(),
			Quantity:         item.GetQuantity(),
			Unit:             item.GetUnit(),
			State:            stateName(s.GetState()),
			Status:           s.GetSourceStatus(),
			Charge:           chargeName(item.GetChargeKind()),
			BillingTerm:      termText(s.GetBillingTerm()),
			CommitmentTerm:   termText(s.GetCommitmentTerm()),
			StartedOn:        s.GetStartedOn(),
			CommitmentEnd:    s.GetCommitmentEnd(),
			CancellableUntil: s.GetCancellableUntil(),
			AutoRenew:        yesNoText(s.AutoRenew),
			Trial:            yesNoText(s.Trial),
			SKU:              item.GetSku(),
			Vendor:           s.GetVendor(),
			VendorRef:        s.GetVendorRef(),
			ParentRef:        s.GetParentRef(),
			CustomerPrice:    item.GetCustomerPrice().GetAmount(),
			PartnerCost:      item.GetPartnerCost().GetAmount(),
			ListPrice:        item.GetListPrice().GetAmount(),
			Currency:         currency(item),
		},
	}
	if item.GetRef() != "" {
		o.Ref = itemKey(o.Ref, item.GetRef())
		if item.GetName() != "" {
			o.Name = item.GetName()
		}
	}
	if o.Name == "" {
		o.Name = item.GetName()
	}
	if o.Name == "" {
		o.Name = item.GetProductRef()
	}
	o.Ref, o.CustomerRef = withoutNUL(o.Ref), withoutNUL(o.CustomerRef)
	o.Each(func(_ string, value *string) { *value = withoutNUL(*value) })
	return o
}

// currency gives the currency of the first price that names one.
func currency(item *distributorv1.Item) string {
	for _, m := range []*distributorv1.Money{item.GetPartnerCost(), item.GetCustomerPrice(), item.GetListPrice()} {
		if m.GetCurrency() != "" {
			return m.GetCurrency()
		}
	}
	return ""
}

func yesNoText(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

func stateName(s distributorv1.SubscriptionState) string {
	switch s {
	case distributorv1.SubscriptionState_SUBSCRIPTION_STATE_PENDING:
		return reconcile.StatePending
	case distributorv1.SubscriptionState_SUBSCRIPTION_STATE_ACTIVE:
		return reconcile.StateActive
	case distributorv1.SubscriptionState_SUBSCRIPTION_STATE_SUSPENDED:
		return reconcile.StateSuspended
	case distributorv1.SubscriptionState_SUBSCRIPTION_STATE_CANCELLED:
		return reconcile.StateCancelled
	case distributorv1.SubscriptionState_SUBSCRIPTION_STATE_EXPIRED:
		return reconcile.StateExpired
	case distributorv1.SubscriptionState_SUBSCRIPTION_STATE_CONVERTED:
		return reconcile.StateConverted
	case distributorv1.SubscriptionState_SUBSCRIPTION_STATE_FAILED:
		return reconcile.StateFailed
	case distributorv1.SubscriptionState_SUBSCRIPTION_STATE_DELETED:
		return reconcile.StateDeleted
	default:
		return reconcile.StateUnknown
	}
}

func chargeName(c distributorv1.ChargeKind) string {
	switch c {
	case distributorv1.ChargeKind_CHARGE_KIND_RECURRING:
		return "recurring"
	case distributorv1.ChargeKind_CHARGE_KIND_ONE_TIME:
		return "one_time"
	case distributorv1.ChargeKind_CHARGE_KIND_USAGE:
		return reconcile.ChargeUsage
	default:
		return ""
	}
}

func pricePer(p distributorv1.PricePer) string {
	switch p {
	case distributorv1.PricePer_PRICE_PER_UNIT:
		return "unit"
	case distributorv1.PricePer_PRICE_PER_TOTAL:
		return "total"
	default:
		return ""
	}
}

// termText spells a term as an ISO 8601 duration, or says of what kind it is. Twelve months are a year.
func termText(t *distributorv1.Term) string {
	switch t.GetKind() {
	case distributorv1.TermKind_TERM_KIND_ONE_TIME:
		return "one_time"
	case distributorv1.TermKind_TERM_KIND_USAGE:
		return "usage"
	case distributorv1.TermKind_TERM_KIND_NONE:
		return "none"
	case distributorv1.TermKind_TERM_KIND_RECURRING:
	default:
		return ""
	}
	count := int(t.GetCount())
	switch {
	case count <= 0:
		return ""
	case t.GetUnit() == distributorv1.TermUnit_TERM_UNIT_DAY:
		return "P" + strconv.Itoa(count) + "D"
	case t.GetUnit() == distributorv1.TermUnit_TERM_UNIT_MONTH && count%12 == 0:
		return "P" + strconv.Itoa(count/12) + "Y"
	case t.GetUnit() == distributorv1.TermUnit_TERM_UNIT_MONTH:
		return "P" + strconv.Itoa(count) + "M"
	case t.GetUnit() == distributorv1.TermUnit_TERM_UNIT_YEAR:
		return "P" + strconv.Itoa(count) + "Y"
	default:
		return ""
	}
}

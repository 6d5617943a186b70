// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"fmt"
	"strings"
	"time"
)

// Switches shape the answers. The zero value answers as PRISM was seen to;
// every switch stands for something that is not known, or that has changed
// before. Names in JSON are the ones the control endpoint takes.
type Switches struct {
	// ErrorBody is the form of every error answer of the API.
	ErrorBody ErrorBody `json:"error_body,omitempty"`

	// TokenLifetime is expires_in; zero means one hour.
	TokenLifetime Duration `json:"token_lifetime,omitempty"`
	// TokenCalls is how many API calls a token is good for before it is
	// answered with 401; zero means no limit.
	TokenCalls int `json:"token_calls,omitempty"`
	// TokenType is token_type; empty means Bearer.
	TokenType string `json:"token_type,omitempty"`
	// TokenErrorStatus is the status of a refused token; zero means 400.
	TokenErrorStatus int `json:"token_error_status,omitempty"`

	// Statuses, when set, are given to the subscriptions of an answer in turn.
	Statuses []string `json:"statuses,omitempty"`
	// HideEnded drops cancelled, deleted, expired and disabled subscriptions
	// from the lists instead of showing them with their status.
	HideEnded bool `json:"hide_ended,omitempty"`
	// LeanList leaves FriendlyName, UnitPrice and AddonSubscriptions to the
	// tenant's details: a contract agreement's tenants do not carry them.
	LeanList bool `json:"lean_list,omitempty"`
	// TermFields adds TermDuration, CommitmentEndDate and AutoRenewEnabled.
	TermFields bool `json:"term_fields,omitempty"`

	// Status, BillingCycle, BillingPeriod and TenantStatus are texts unless
	// FormNumber; ActingRole is a number unless FormText.
	Status        Form `json:"status,omitempty"`
	BillingCycle  Form `json:"billing_cycle,omitempty"`
	BillingPeriod Form `json:"billing_period,omitempty"`
	TenantStatus  Form `json:"tenant_status,omitempty"`
	ActingRole    Form `json:"acting_role,omitempty"`

	// Envelope wraps the lists of customers and tenants into an object with
	// one property of this name, such as Records, Items, Data or value, and
	// pages them.
	Envelope string `json:"envelope,omitempty"`
	// PageSize is the greatest number of records on a page of an envelope;
	// zero puts them all on the first.
	PageSize int `json:"page_size,omitempty"`
	// RepeatLastPage answers a page beyond the last with the last one again
	// instead of an empty one.
	RepeatLastPage bool `json:"repeat_last_page,omitempty"`

	// ExtraFields adds properties no client knows to every record.
	ExtraFields bool `json:"extra_fields,omitempty"`
	// MissingFields leaves out every property that is not needed to tell
	// records apart, name them and count them.
	MissingFields bool `json:"missing_fields,omitempty"`
	// OmitFields leaves out the properties of these names, in any case.
	OmitFields []string `json:"omit_fields,omitempty"`
	// CreditCard is the form of CreditCard.
	CreditCard CreditCard `json:"credit_card,omitempty"`
	// EmptyText is the form of a missing text.
	EmptyText EmptyText `json:"empty_text,omitempty"`
	// NullArrays sends null for every empty list inside a record.
	NullArrays bool `json:"null_arrays,omitempty"`
	// NullCustomerArrays sends null for every list inside a customer.
	NullCustomerArrays bool `json:"null_customer_arrays,omitempty"`
	// NameCase is the letter case of property names.
	NameCase NameCase `json:"name_case,omitempty"`
	// NumbersAsText sends every number of a record as text.
	NumbersAsText bool `json:"numbers_as_text,omitempty"`
	// TextAsNumbers sends every text that is made of digits as a number.
	TextAsNumbers bool `json:"text_as_numbers,omitempty"`
	// ASCIIOnly escapes everything beyond ASCII.
	ASCIIOnly bool `json:"ascii_only,omitempty"`
	// ByteOrderMark puts a BOM before the JSON.
	ByteOrderMark bool `json:"byte_order_mark,omitempty"`
	// Dates is the form of dates.
	Dates DateForm `json:"dates,omitempty"`

	// DuplicateIDs sends the first end customer and the first subscription of
	// an answer twice.
	DuplicateIDs Duplicate `json:"duplicate_ids,omitempty"`
	// NoCustomerID, NoTenantID and NoSubscriptionID take the id away from the
	// first end customer, tenant or subscription of an answer.
	NoCustomerID     Absence `json:"no_customer_id,omitempty"`
	NoTenantID       Absence `json:"no_tenant_id,omitempty"`
	NoSubscriptionID Absence `json:"no_subscription_id,omitempty"`
	// NoTenantCustomerID takes CustomerId away from every tenant.
	NoTenantCustomerID Absence `json:"no_tenant_customer_id,omitempty"`
	// HideCustomers leaves the customers of these ids out of the customer
	// list, while their tenants stay.
	HideCustomers []string `json:"hide_customers,omitempty"`
	// InvertPartnerFlag sends IsPartnerCustomer in its other sense: true for
	// the partner instead of true for a partner's customers.
	InvertPartnerFlag bool `json:"invert_partner_flag,omitempty"`

	// UsageLag is for how many readings of a subscription's usage rows their
	// sum stays below the summary's total.
	UsageLag int `json:"usage_lag,omitempty"`
}

// Duration is a time.Duration that is text, such as "250ms", in JSON.
type Duration time.Duration

// MarshalText writes the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// ErrorBody is the form of an error answer.
type ErrorBody string

// The forms of an error answer. The default is an object with Message.
const (
	ErrorMessage    ErrorBody = ""
	ErrorWord       ErrorBody = "error"
	ErrorModelState ErrorBody = "model_state"
	ErrorException  ErrorBody = "exception"
	ErrorEmpty      ErrorBody = "empty"
	ErrorHTML       ErrorBody = "html"
)

// Form chooses between text and number; empty is the form that was seen.
type Form string

// The forms of a value that may be text or number.
const (
	FormAsSeen Form = ""
	FormText   Form = "text"
	FormNumber Form = "number"
)

// CreditCard is the form of the property CreditCard.
type CreditCard string

// The forms of CreditCard: null, an object as since 2024, a text as before.
const (
	CreditCardNull   CreditCard = ""
	CreditCardObject CreditCard = "object"
	CreditCardText   CreditCard = "text"
)

// EmptyText is the form of a text that is not there.
type EmptyText string

// The forms of a missing text: null (with Street2 as an empty text), always an
// empty text, or no property at all.
const (
	EmptyNull   EmptyText = ""
	EmptyAsText EmptyText = "text"
	EmptyAbsent EmptyText = "absent"
)

// NameCase is the letter case of property names.
type NameCase string

// The letter cases of property names; the one that was seen is PascalCase.
const (
	NamesAsSeen NameCase = ""
	NamesCamel  NameCase = "camel"
	NamesLower  NameCase = "lower"
	NamesUpper  NameCase = "upper"
)

func (c NameCase) apply(name string) string {
	switch c {
	case NamesCamel:
		return strings.ToLower(name[:1]) + name[1:]
	case NamesLower:
		return strings.ToLower(name)
	case NamesUpper:
		return strings.ToUpper(name)
	default:
		return name
	}
}

// Duplicate is how a record is repeated.
type Duplicate string

// A record may be repeated as it is, or with other content under the same id.
const (
	DuplicateNone    Duplicate = ""
	DuplicateSame    Duplicate = "same"
	DuplicateDiffers Duplicate = "differs"
)

// Absence is how an id is missing.
type Absence string

// An id may be there, left out, null or an empty text.
const (
	Present     Absence = ""
	Absent      Absence = "absent"
	AbsentNull  Absence = "null"
	AbsentEmpty Absence = "empty"
)

// neededFields survive MissingFields.
var neededFields = set("customerid", "customername", "isactive", "customerprogramagreements", "id", "contractagreementid",
	"programname", "isconsumptionprogram", "tenantid", "subscriptions", "subscriptionid", "status", "quantity", "unit",
	"productid", "productname", "addonsubscriptions", "productgroups", "products", "unitprice", "totalcost",
	"resourceusagesummaries", "cost", "records", "items", "data", "value", "usagelineitems", "partnercost", "invoiceid", "remarks")

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// Numbers for values that are sent as text by default. They are invented.
var (
	statusCodes = map[string]int64{
		"none": 0, "active": 1, "suspended": 2, "deleted": 3, "cancelled": 4, "canceled": 4, "expired": 5, "disabled": 6, "pending": 7,
	}
	cycleCodes = map[string]int64{"monthly": 1, "annual": 2}
)

var endedStatuses = set("deleted", "cancelled", "canceled", "expired", "disabled")

// check reports a value no switch has.
func (sw *Switches) check() error {
	for _, v := range []struct {
		name, value string
		legal       string
	}{
		{"error_body", string(sw.ErrorBody), "error model_state exception empty html"},
		{"credit_card", string(sw.CreditCard), "object text"},
		{"empty_text", string(sw.EmptyText), "text absent"},
		{"name_case", string(sw.NameCase), "camel lower upper"},
		{"duplicate_ids", string(sw.DuplicateIDs), "same differs"},
		{"no_customer_id", string(sw.NoCustomerID), "absent null empty"},
		{"no_tenant_id", string(sw.NoTenantID), "absent null empty"},
		{"no_subscription_id", string(sw.NoSubscriptionID), "absent null empty"},
		{"no_tenant_customer_id", string(sw.NoTenantCustomerID), "absent null empty"},
		{"status", string(sw.Status), "text number"},
		{"billing_cycle", string(sw.BillingCycle), "text number"},
		{"billing_period", string(sw.BillingPeriod), "text number"},
		{"tenant_status", string(sw.TenantStatus), "text number"},
		{"acting_role", string(sw.ActingRole), "text number"},
		{"dates", string(sw.Dates), dateFormNames},
	} {
		if v.value != "" && !set(strings.Fields(v.legal)...)[v.value] {
			return fmt.Errorf("switch %s: %q is none of %s", v.name, v.value, v.legal)
		}
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package prismsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Edit is an edit of a World by name, as the control endpoint takes it.
type Edit struct {
	// Operation is one of EditOperations.
	Operation string `json:"operation"`
	// Arguments is a JSON object. Operations on a record take its "id"; those
	// that add one take the record's own fields, as its type spells them in
	// JSON, besides "tenant_id" or "parent_id" for where a subscription or an
	// add-on goes. An update leaves what is not mentioned as it is.
	Arguments json.RawMessage `json:"arguments"`
}

// editing does one operation and returns the id of its record.
type editing func(st *worldState, arguments []byte) (id string, err error)

var editings = map[string]editing{
	"add_agreement":       addAgreement,
	"add_customer":        addCustomer,
	"add_tenant":          addTenant,
	"add_subscription":    addSubscription,
	"add_addon":           addAddon,
	"update_customer":     updateCustomer,
	"update_tenant":       updateTenant,
	"update_subscription": updateSubscription,

	"rename": func(st *worldState, b []byte) (string, error) {
		var a struct{ ID, Name *string }
		return edit(b, &a, &a.ID, func() error { return st.updateCustomer(*a.ID, func(c *Customer) { c.Name = *a.Name }) })
	},
	"set_address": func(st *worldState, b []byte) (string, error) {
		var a struct {
			ID      *string
			Address *Address
		}
		return edit(b, &a, &a.ID, func() error { return st.updateCustomer(*a.ID, func(c *Customer) { c.Address = *a.Address }) })
	},
	"deactivate": func(st *worldState, b []byte) (string, error) {
		return editByID(b, func(id string) error { return st.updateCustomer(id, func(c *Customer) { c.Deactivated = true }) })
	},
	"activate": func(st *worldState, b []byte) (string, error) {
		return editByID(b, func(id string) error { return st.updateCustomer(id, func(c *Customer) { c.Deactivated = false }) })
	},
	"remove_customer":     func(st *worldState, b []byte) (string, error) { return editByID(b, st.removeCustomer) },
	"remove_tenant":       func(st *worldState, b []byte) (string, error) { return editByID(b, st.removeTenant) },
	"remove_subscription": func(st *worldState, b []byte) (string, error) { return editByID(b, st.removeSubscription) },
	"set_quantity": func(st *worldState, b []byte) (string, error) {
		var a struct {
			ID       *string
			Quantity *int64
		}
		return edit(b, &a, &a.ID, func() error {
			return st.updateSubscription(*a.ID, func(s *Subscription) { s.Quantity = *a.Quantity })
		})
	},
	"set_status": func(st *worldState, b []byte) (string, error) {
		var a struct{ ID, Status *string }
		return edit(b, &a, &a.ID, func() error {
			return st.updateSubscription(*a.ID, func(s *Subscription) { s.Status = *a.Status })
		})
	},
	"move_subscription": func(st *worldState, b []byte) (string, error) {
		var a struct {
			ID       *string
			TenantID *string `json:"tenant_id"`
		}
		return edit(b, &a, &a.ID, func() error { return st.moveSubscription(*a.ID, *a.TenantID) })
	},
	"move_tenant": func(st *worldState, b []byte) (string, error) {
		var a struct {
			ID         *string
			CustomerID *string `json:"customer_id"`
		}
		return edit(b, &a, &a.ID, func() error {
			return st.updateTenant(*a.ID, func(t *Tenant) { t.CustomerID, t.CustomerName = *a.CustomerID, "" })
		})
	},
	"add_product": func(st *worldState, b []byte) (string, error) {
		var a struct {
			AgreementID *string `json:"agreement_id"`
			Product     *Product
		}
		return edit(b, &a, &a.AgreementID, func() error { return st.addProduct(*a.AgreementID, *a.Product) })
	},
	"remove_product": func(st *worldState, b []byte) (string, error) {
		var a struct {
			AgreementID *string `json:"agreement_id"`
			ProductID   *string `json:"product_id"`
		}
		return edit(b, &a, &a.AgreementID, func() error { return st.removeProduct(*a.AgreementID, *a.ProductID) })
	},
	"set_today": func(st *worldState, b []byte) (string, error) {
		var a struct{ Day *string }
		return edit(b, &a, nil, func() error {
			day, err := time.Parse(time.DateOnly, *a.Day)
			if err != nil {
				return fmt.Errorf("day %q is not of the form 2025-03-14", *a.Day)
			}
			st.date = day
			return nil
		})
	},
}

// EditOperations are the names of the operations Apply knows.
func EditOperations() []string { return slices.Sorted(maps.Keys(editings)) }

// Apply does named edits in their order, all of them or, on an error, none. It
// returns for each the id of the record it added or edited; that of the
// contract agreement for a product.
func (w *World) Apply(edits ...Edit) (ids []string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.state.clone()
	ids = make([]string, 0, len(edits))
	for i, e := range edits {
		do, ok := editings[e.Operation]
		if !ok {
			return nil, fmt.Errorf("edit %d: no operation %q; there are %s", i+1, e.Operation, strings.Join(EditOperations(), ", "))
		}
		id, err := do(st, e.Arguments)
		if err != nil {
			return nil, fmt.Errorf("edit %d: %s: %w", i+1, e.Operation, err)
		}
		ids = append(ids, id)
	}
	w.state, w.shared = st, false
	return ids, nil
}

// strict decodes one JSON object and nothing but what is known.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read the JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read the JSON: there is more than one value")
	}
	return nil
}

// edit decodes arguments, all of which are needed, and does the edit.
func edit(b []byte, into any, id **string, do func() error) (string, error) {
	if err := strict(b, into); err != nil {
		return "", err
	}
	given, err := json.Marshal(into)
	if err != nil {
		return "", fmt.Errorf("read the JSON: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(given, &fields); err != nil {
		return "", fmt.Errorf("read the JSON: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if string(fields[name]) == "null" {
			return "", fmt.Errorf("read the JSON: %s is missing", lower(name))
		}
	}
	if err := do(); err != nil || id == nil {
		return "", err
	}
	return **id, nil
}

func editByID(b []byte, do func(id string) error) (string, error) {
	var a struct{ ID *string }
	return edit(b, &a, &a.ID, func() error { return do(*a.ID) })
}

func addAgreement(st *worldState, b []byte) (string, error) {
	var a Agreement
	if err := strict(b, &a); err != nil {
		return "", err
	}
	err := st.addAgreement(&a)
	return a.ID, err
}

func addCustomer(st *worldState, b []byte) (string, error) {
	var c Customer
	if err := strict(b, &c); err != nil {
		return "", err
	}
	err := st.addCustomer(&c)
	return c.ID, err
}

func addTenant(st *worldState, b []byte) (string, error) {
	var t Tenant
	if err := strict(b, &t); err != nil {
		return "", err
	}
	err := st.addTenant(&t)
	return t.ID, err
}

func addSubscription(st *worldState, b []byte) (string, error) {
	var a struct {
		TenantID string `json:"tenant_id"`
		Subscription
	}
	if err := strict(b, &a); err != nil {
		return "", err
	}
	err := st.addSubscription(a.TenantID, &a.Subscription)
	return a.ID, err
}

func addAddon(st *worldState, b []byte) (string, error) {
	var a struct {
		ParentID string `json:"parent_id"`
		Subscription
	}
	if err := strict(b, &a); err != nil {
		return "", err
	}
	err := st.addAddon(a.ParentID, &a.Subscription)
	return a.ID, err
}

// errNested refuses an update of a list, whose elements have operations of
// their own.
var errNested = errors.New("an update takes no lists; add, move or remove their elements")

// idOf reads the id an update is for.
func idOf(b []byte) (string, error) {
	var a struct{ ID string }
	if err := json.Unmarshal(b, &a); err != nil {
		return "", fmt.Errorf("read the JSON: %w", err)
	}
	return a.ID, nil
}

func updateCustomer(st *worldState, b []byte) (string, error) {
	id, err := idOf(b)
	if err != nil {
		return "", err
	}
	c := st.customer(id)
	if c == nil {
		return "", fmt.Errorf("no customer %q", id)
	}
	d := *c
	d.Programs = nil
	if err := strict(b, &d); err != nil {
		return "", err
	}
	if d.Programs != nil {
		return "", errNested
	}
	d.ID, d.Programs = c.ID, c.Programs
	*c = d
	return c.ID, nil
}

func updateTenant(st *worldState, b []byte) (string, error) {
	id, err := idOf(b)
	if err != nil {
		return "", err
	}
	i := st.tenantIndex(id)
	if i < 0 {
		return "", fmt.Errorf("no tenant %q", id)
	}
	t := &st.tens[i]
	d := *t
	d.Subscriptions = nil
	if err := strict(b, &d); err != nil {
		return "", err
	}
	if d.Subscriptions != nil {
		return "", errNested
	}
	d.ID, d.Subscriptions = t.ID, t.Subscriptions
	*t = d
	return t.ID, nil
}

func updateSubscription(st *worldState, b []byte) (string, error) {
	id, err := idOf(b)
	if err != nil {
		return "", err
	}
	s := st.find(id).sub
	if s == nil {
		return "", fmt.Errorf("no subscription %q", id)
	}
	d := *s
	d.Addons = nil
	if err := strict(b, &d); err != nil {
		return "", err
	}
	if d.Addons != nil {
		return "", errNested
	}
	d.ID, d.Addons = s.ID, s.Addons
	*s = d
	return s.ID, nil
}

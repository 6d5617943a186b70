// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// shortKey gives a key as messages name it: customers.unmatched for tenant.acme.module.rhipe.customers.unmatched.
func shortKey(key string) string {
	parts := strings.Split(key, ".")
	if len(parts) > 4 && parts[2] == "module" {
		return strings.Join(parts[4:], ".")
	}
	if len(parts) > 2 && parts[0] == "tenant" {
		return strings.Join(parts[2:], ".")
	}
	return key
}

// fromExpr reads a value from a file. What is wrong is told with its place.
func (a *attribute) fromExpr(got evaluated, expr hclsyntax.Expression) (any, hcl.Range, string) {
	at := expr.Range()
	text, isText := textOf(got)
	switch a.kind {
	case kindWhole:
		if isText {
			n, err := a.fromText(text)
			if err != nil {
				return nil, at, err.Error()
			}
			return n, at, ""
		}
		if n, ok := wholeOf(got.value); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
			return int(n), at, ""
		}
	case kindFlag:
		if got.value.Type() == cty.Bool {
			return got.value.True(), at, ""
		}
		if isText {
			if flag, err := a.fromText(text); err == nil {
				return flag, at, ""
			}
		}
	case kindTexts:
		if !isList(got.value) {
			break
		}
		items := itemsOf(expr)
		list := []string{}
		for i, item := range got.value.AsValueSlice() {
			if item.Type() != cty.String || item.IsNull() {
				if i < len(items) {
					at = items[i].Range()
				}
				return nil, at, fmt.Sprintf("entry %d must be text in quotes, not %s", i+1, typeName(item))
			}
			list = append(list, item.AsString())
		}
		return list, at, ""
	default:
		if isText {
			return text, at, ""
		}
	}
	return nil, at, fmt.Sprintf("must be %s, not %s", a.kind.expected(), typeName(got.value))
}

// quoteHint helps who forgot quotes or a unit.
func (a *attribute) quoteHint(got evaluated, t distributorv1.SettingType) string {
	return quoteHint(got, t, a.kind != kindSecret)
}

// distributor gives the contract's type that is closest.
func (k kind) distributor() distributorv1.SettingType {
	switch k {
	case kindDuration:
		return distributorv1.SettingType_SETTING_TYPE_DURATION
	case kindText:
		return distributorv1.SettingType_SETTING_TYPE_STRING
	}
	return distributorv1.SettingType_SETTING_TYPE_UNSPECIFIED
}

// quoteHint says how a value that was given without quotes is to be written.
func quoteHint(got evaluated, t distributorv1.SettingType, show bool) string {
	if !got.literal || !show || got.value.IsNull() {
		return ""
	}
	n, whole := wholeOf(got.value)
	switch {
	case whole && t == distributorv1.SettingType_SETTING_TYPE_DURATION:
		return fmt.Sprintf("Write \"%ds\" for seconds, or \"%dm\" for minutes.", n, n)
	case whole && t == distributorv1.SettingType_SETTING_TYPE_STRING:
		return "Put it in quotes."
	case got.value.Type() == cty.Bool && t == distributorv1.SettingType_SETTING_TYPE_STRING:
		return "Put it in quotes."
	}
	return ""
}

// textOf gives the value if it is text, exactly as it was read.
func textOf(got evaluated) (string, bool) {
	if got.text != nil {
		return *got.text, true
	}
	if got.value.Type() == cty.String && !got.value.IsNull() {
		return got.value.AsString(), true
	}
	return "", false
}

// wholeOf gives the value if it is a whole number.
func wholeOf(v cty.Value) (int64, bool) {
	if v.IsNull() || v.Type() != cty.Number || !sensible(v) {
		return 0, false
	}
	n, accuracy := v.AsBigFloat().Int64()
	return n, accuracy == big.Exact
}

func isList(v cty.Value) bool {
	t := v.Type()
	return !v.IsNull() && (t.IsTupleType() || t.IsListType() || t.IsSetType())
}

// itemsOf gives the parts of a list as it is written, or nil.
func itemsOf(expr hclsyntax.Expression) []hclsyntax.Expression {
	if tuple, ok := expr.(*hclsyntax.TupleConsExpr); ok {
		return tuple.Exprs
	}
	return nil
}

// typeName says what a value is.
func typeName(v cty.Value) string {
	switch t := v.Type(); {
	case v.IsNull():
		return "null"
	case t == cty.String:
		return "text"
	case t == cty.Number:
		switch _, whole := wholeOf(v); {
		case whole:
			return "a number"
		case v.AsBigFloat().IsInt():
			return "a number so large"
		}
		return "a number with a fraction"
	case t == cty.Bool:
		return fmt.Sprint(v.True())
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	default:
		return "an object"
	}
}

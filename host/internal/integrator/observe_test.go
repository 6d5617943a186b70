// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	distributorv1 "github.com/tallymanhq/tallyman/proto/distributor/v1"
)

// TestEveryFieldThatMattersIsInTheFingerprint gives each field of a subscription another value, one by one, and takes each
// away. What changes what is stored has to change the fingerprint, or the change would never be seen.
func TestEveryFieldThatMattersIsInTheFingerprint(t *testing.T) {
	t.Parallel()
	whole := new(distributorv1.Subscription)
	for _, e := range edits(whole.ProtoReflect().Descriptor(), "", func(m protoreflect.Message) protoreflect.Message { return m }) {
		if e.fills {
			e.do(whole.ProtoReflect())
		}
	}
	look := func(s *distributorv1.Subscription) (stored string, key, print uint64) {
		item := noItem
		if len(s.GetItems()) > 0 {
			item = s.GetItems()[0]
		}
		hash := fingerprinter{key: exactKey}
		key, print = hash.subscription(s, item)
		return string(jsonText(observed(s, item))), key, print
	}
	storedBefore, keyBefore, printBefore := look(whole)
	if again, key, print := look(proto.CloneOf(whole)); again != storedBefore || key != keyBefore || print != printBefore {
		t.Fatal("the same subscription has two fingerprints")
	}
	matter := 0
	for _, e := range edits(whole.ProtoReflect().Descriptor(), "", func(m protoreflect.Message) protoreflect.Message { return m }) {
		changed := proto.CloneOf(whole)
		if e.do(changed.ProtoReflect()); e.fills {
			continue
		}
		stored, key, print := look(changed)
		if stored == storedBefore {
			continue
		}
		matter++
		if key == keyBefore && print == printBefore {
			t.Errorf("%s changes what is stored and not the fingerprint", e.what)
		}
	}
	if matter < 60 {
		t.Errorf("only %d changes mattered", matter)
	}
}

// edit changes one field of a message.
type edit struct {
	what string
	do   func(root protoreflect.Message)
	// fills: it gives the field its first value.
	fills bool
}

// edits are three for each field, however deep: a first value, another, and none.
func edits(d protoreflect.MessageDescriptor, path string, at func(root protoreflect.Message) protoreflect.Message) []edit {
	var list []edit
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		what := path + string(f.Name())
		set := func(n int) func(protoreflect.Message) {
			return func(root protoreflect.Message) { setField(at(root), f, n) }
		}
		clear := edit{what: what + " taken away", do: func(root protoreflect.Message) { at(root).Clear(f) }}
		switch {
		case f.IsList():
			list = append(list, edits(f.Message(), what+".", func(root protoreflect.Message) protoreflect.Message {
				items := at(root).Mutable(f).List()
				if items.Len() == 0 {
					items.AppendMutable()
				}
				return items.Get(0).Message()
			})...)
		case f.Kind() == protoreflect.MessageKind && !f.IsMap():
			list = append(list, edits(f.Message(), what+".", func(root protoreflect.Message) protoreflect.Message {
				return at(root).Mutable(f).Message()
			})...)
		default:
			list = append(list, edit{what + " filled", set(1), true}, edit{what + " changed", set(2), false})
		}
		list = append(list, clear)
	}
	return list
}

func setField(m protoreflect.Message, f protoreflect.FieldDescriptor, n int) {
	text := []string{"", "one", "two"}[n]
	switch {
	case f.IsMap():
		m.Mutable(f).Map().Set(protoreflect.ValueOfString("key").MapKey(), protoreflect.ValueOfString(text))
	case f.Kind() == protoreflect.StringKind:
		m.Set(f, protoreflect.ValueOfString(text))
	case f.Kind() == protoreflect.BoolKind:
		m.Set(f, protoreflect.ValueOfBool(n == 1))
	case f.Kind() == protoreflect.EnumKind:
		m.Set(f, protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)))
	default:
		m.Set(f, protoreflect.ValueOfInt32(int32(n)))
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	const wrong = "wrong"
	for _, test := range []struct{ text, mark, want string }{
		{"25", "", "25"},
		{"", "", ""},
		{" 25 ", "", "25"},
		{"-3", "", "-3"},
		{"3-", "", "-3"},
		{"(12.50)", "", "-12.5"},
		{"−4", "", "-4"},
		{"+4", "", "4"},
		{"-", "", ""},
		{"$1,234.50", "", "1234.5"},
		{"1.234,50 €", "", "1234.5"},
		{"1 234,5", "", "1234.5"},
		{"1\u00a0234,50", "", "1234.5"},
		{"1'234.50", "", "1234.5"},
		{"1,234,567", "", "1234567"},
		{"1.234.567", "", "1234567"},
		{"12,5", "", "12.5"},
		{"0,125", "", "0.125"},
		{".5", "", "0.5"},
		{"USD 12.50", "", "12.5"},
		{"1.234", "", "1.234"},
		{"1,234", "", wrong},
		{"1,234", point, "1234"},
		{"1,234", comma, "1.234"},
		{"1.234", comma, "1234"},
		{"1.234", point, "1.234"},
		{"12.50", comma, wrong},
		{"12,50", point, wrong},
		{"1,23,456", point, wrong},
		{"12,3456,789", point, wrong},
		{"1.5e3", "", wrong},
		{"many", "", wrong},
		{"12 pcs", "", wrong},
		{"NaN", "", wrong},
		{"0x10", "", wrong},
	} {
		d, err := readNumber(trim(test.text), test.mark)
		got := d.String()
		if err != nil {
			got = wrong
		}
		if got != test.want {
			t.Errorf("%q with mark %q is %q (%v), want %q", test.text, test.mark, got, err, test.want)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	const wrong = "wrong"
	for _, test := range []struct{ text, order, want string }{
		{"", "", ""},
		{"2025-03-13", "", "2025-03-13"},
		{"2025-03-13T00:00:00", "", "2025-03-13"},
		{"2024-05-01T00:00:00.0000000+00:00", "", "2024-05-01"},
		{"2025-03-13T02:11:45Z", "", "2025-03-13T02:11:45Z"},
		{"2025-03-13T13:11:45+11:00", "", "2025-03-13T02:11:45Z"},
		{"2025-03-13 14:05", "", "2025-03-13"},
		{"2025/3/13", "", "2025-03-13"},
		{"20250313", "", "2025-03-13"},
		{"13/03/2025", "", "2025-03-13"},
		{"3/13/2025", "", "2025-03-13"},
		{"3/13/2025 11:59:59 PM", "", "2025-03-13"},
		{"2/28/2019 23:59", "", "2019-02-28"},
		{"13-3-25", "", "2025-03-13"},
		{"3/4/2025", "", wrong},
		{"4/4/2025", "", "2025-04-04"},
		{"3/4/2025", dayFirst, "2025-04-03"},
		{"3/4/2025", monthFirst, "2025-03-04"},
		{"03.04.2025", "", "2025-04-03"},
		{"03.04.2025", monthFirst, "2025-04-03"},
		{"13/3/2025", monthFirst, wrong},
		{"3/13/2025", dayFirst, wrong},
		{"31/02/2025", dayFirst, wrong},
		{"13 Mar 2025", "", "2025-03-13"},
		{"13-Mar-25", "", "2025-03-13"},
		{"March 13, 2025", "", "2025-03-13"},
		{"9999-12-31", "", ""},
		{"01/01/1900", "", ""},
		{"0001-01-01T00:00:00", "", ""},
		{"soon", "", wrong},
		{"45729", "", wrong},
		{"13/3/2025 sharp", "", wrong},
		{"2025-02-30", "", wrong},
	} {
		got, err := readDate(test.text, test.order)
		if err != nil {
			got = wrong
		}
		if got != test.want {
			t.Errorf("%q with order %q is %q (%v), want %q", test.text, test.order, got, err, test.want)
		}
	}
}

// What a single number or date does not tell, the others of its file may.
func TestMarksAndOrdersAreFoundFromAllRows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, content  string
		more           map[string]any
		quantity, date string
		says           []string
		incomplete     bool
	}{
		{name: "decimal commas elsewhere", content: "id;customer_id;quantity;cost\n1;C;1.234;1,00\n2;C;2;12,5\n", quantity: "1234"},
		{name: "decimal points elsewhere", content: "id,customer_id,quantity,cost\n1,C,\"1,234\",1.00\n", quantity: "1234"},
		{name: "words do not count", content: "id,customer_id,quantity,cost\n1,C,\"1,234\",1.50\n2,C,2,\"see offer, page 2\"\n", quantity: "1234"},
		{
			name: "nothing tells", content: "id,customer_id,quantity\n1,C,\"1,234\"\n", incomplete: true,
			says: []string{"subs.csv:2", `"1,234"`, "two ways", `set decimal to "point" or "comma"`},
		},
		{name: "the setting tells", content: "id,customer_id,quantity\n1,C,\"1,234\"\n", more: map[string]any{"decimal": "comma"}, quantity: "1.234"},
		{
			name: "they contradict each other", content: "id;customer_id;quantity\n1;C;1,5\n2;C;1.5\n", incomplete: true,
			says: []string{"decimal points and decimal commas", "set decimal"},
		},
		{name: "a day above twelve elsewhere", content: "id,customer_id,started_on\n1,C,3/4/2025\n2,C,25/4/2025\n", date: "2025-04-03"},
		{name: "the day above twelve in the middle", content: "id,customer_id,started_on\n1,C,3/4/2025\n2,C,4/25/2025\n", date: "2025-03-04"},
		{
			name: "no day above twelve", content: "id,customer_id,started_on\n1,C,3/4/2025\n",
			says: []string{"subs.csv:2", `"3/4/2025"`, "two ways", `set date_order to "dmy" or "mdy"`},
		},
		{name: "the setting orders", content: "id,customer_id,started_on\n1,C,3/4/2025\n", more: map[string]any{"date_order": "mdy"}, date: "2025-03-04"},
		{
			name: "the dates contradict each other", content: "id,customer_id,started_on\n1,C,3/4/2025\n2,C,25/4/2025\n3,C,4/25/2025\n",
			says: []string{"day first and dates with the month first", "set date_order"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := read(t, test.content, test.more)
			if got.Complete == test.incomplete {
				t.Fatalf("complete %t: %v, %q", got.Complete, got.Err, got.Warnings)
			}
			if test.says != nil && !says(append(got.Warnings, errorText(got)...), test.says...) {
				t.Errorf("it says %q, %v", got.Warnings, got.Err)
			}
			if test.incomplete {
				return
			}
			if q := got.Records[0].Items[0].Quantity.String(); q != test.quantity {
				t.Errorf("quantity %q, want %q", q, test.quantity)
			}
			if d := got.Records[0].StartedOn; d != test.date {
				t.Errorf("date %q, want %q", d, test.date)
			}
		})
	}
}

func FuzzReadNumber(f *testing.F) {
	for _, text := range []string{"1,234.50", "(12)", "1.234,5 €", "USD1", "-", "1'2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, mark := range []string{"", point, comma} {
			d, err := readNumber(text, mark)
			if err != nil {
				continue
			}
			// What was read is read the same again.
			if again, err := readNumber(d.String(), point); err != nil || again != d {
				t.Errorf("%q is %q, which is %q (%v)", text, d, again, err)
			}
		}
	})
}

func FuzzReadDate(f *testing.F) {
	for _, text := range []string{"3/13/2025 11:59 PM", "2025-03-13T02:11:45.123Z", "13-Mar-25", "1.2.25"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, order := range []string{"", dayFirst, monthFirst} {
			got, err := readDate(text, order)
			if err != nil || got == "" {
				continue
			}
			if again, err := readDate(got, ""); err != nil || again != got {
				t.Errorf("%q is %q, which is %q (%v)", text, got, again, err)
			}
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package csvsim

import (
	"bufio"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// rows are the rows of a file, made as they are asked for: the header first, the trailer last.
type rows iter.Seq[[]string]

// customerRows makes that many customers. Their names hold what names really hold.
func customerRows(n int) rows {
	return func(yield func([]string) bool) {
		if !yield([]string{"id", "name", "status", "line1", "city", "region", "postal_code", "country", "domain"}) {
			return
		}
		names := []string{"Jacaranda Dental", "Café Zoë", "Smith, Jones & Co", `The "Old" Mill`, "Müller Straßenbau", "North\nSouth Freight"}
		for i := range n {
			if !yield([]string{
				customerID(i), fmt.Sprintf("%s %d", names[i%len(names)], i), "Active", fmt.Sprintf("%d Quay Street", i+1), "Sydney", "NSW", "2000", "AU",
				fmt.Sprintf("customer%d.example", i),
			}) {
				return
			}
		}
		yield([]string{Trailer, strconv.Itoa(n)})
	}
}

// subscriptionRows makes that many subscriptions.
func subscriptionRows(n int) rows {
	return func(yield func([]string) bool) {
		if !yield([]string{"id", "customer_id", "name", "sku", "quantity", "status", "started_on", "billing_term", "commitment_term", "cost", "currency"}) {
			return
		}
		status := []string{"Active", "Active", "Suspended", "Active", "Cancelled"}
		row := make([]string, 0, 11)
		for i := range n {
			row = append(row[:0], "S-"+strconv.Itoa(1_000_000+i), customerID(i/each), "Mailbox", "MB-"+strconv.Itoa(i%5), strconv.Itoa(1+i%40),
				status[i%len(status)], day(i), "Monthly", "P1Y", strconv.Itoa(i%90)+".50", "AUD")
			if !yield(row) {
				return
			}
		}
		yield([]string{Trailer, strconv.Itoa(n)})
	}
}

func customerID(i int) string { return "C-" + strconv.Itoa(1000+i) }

func day(i int) string {
	return "2025-" + strconv.Itoa(101 + i%12)[1:] + "-" + strconv.Itoa(101 + i%28)[1:]
}

// edited gives the rows as edit makes them. index counts the rows that are neither header nor trailer.
func (r rows) edited(edit func(index int, row []string) []string) rows {
	return func(yield func([]string) bool) {
		index := -1
		for row := range r {
			if index >= 0 && row[0] != Trailer {
				row = edit(index, row)
			}
			index++
			if !yield(row) {
				return
			}
		}
	}
}

// form is how rows become text.
type form struct {
	separator, lineEnd string
	decimalComma       bool
}

var plain = form{separator: ",", lineEnd: "\n"}

// line gives a row as text, its line end included.
func (f form) line(row []string) string {
	var b strings.Builder
	for i, field := range row {
		if i > 0 {
			b.WriteString(f.separator)
		}
		if f.decimalComma && isNumber(field) {
			field = strings.ReplaceAll(field, ".", ",")
		}
		if strings.ContainsAny(field, f.separator+"\"\r\n") {
			field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
		}
		b.WriteString(field)
	}
	b.WriteString(f.lineEnd)
	return b.String()
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// text gives rows as text.
func (f form) text(r rows) string {
	var b strings.Builder
	for row := range r {
		b.WriteString(f.line(row))
	}
	return b.String()
}

// writeRows writes rows without holding them.
func (s *Simulator) writeRows(name string, r rows) error {
	path := filepath.Join(s.directory, name)
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, 1<<20)
	for row := range r {
		if _, err = out.WriteString(plain.line(row)); err != nil {
			break
		}
	}
	if err == nil {
		err = out.Flush()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return s.finished(path, age)
}

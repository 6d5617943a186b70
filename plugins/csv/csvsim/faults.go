// SPDX-License-Identifier: Apache-2.0

package csvsim

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/tallymanhq/tallyman/sdk/simulator"
)

// fault is a trouble, and how the files are written for it.
type fault struct {
	simulator.Fault
	write func(s *Simulator, customers, subscriptions rows) error
}

// The troubles: forms that must be coped with, and files that must never be taken for whole.
var faults = func() []fault {
	var list []fault
	for _, f := range forms {
		list = append(list, fault{
			Fault: simulator.Fault{Name: "form." + f.name, Help: "the files are " + f.help, Customers: simulator.Complete, Subscriptions: simulator.Complete},
			write: both(f.encode),
		})
	}
	for _, d := range damages {
		for _, file := range []string{"customers", "subscriptions"} {
			f := simulator.Fault{
				Name: file + "." + d.name, Help: "the file of " + file + " " + d.help, Class: d.class, TestFails: true,
				Customers: simulator.Complete, Subscriptions: simulator.Incomplete,
			}
			if file == "customers" {
				f.Customers, f.Subscriptions = f.Subscriptions, f.Customers
			}
			list = append(list, fault{Fault: f, write: oneOf(file, d.damage)})
		}
	}
	return append(list, others...)
}()

// forms are the ways exports are written.
var forms = []struct {
	name, help string
	encode     func(rows) ([]byte, error)
}{
	{"utf8-bom", "UTF-8 with a byte order mark", encoded(unicode.UTF8BOM, plain)},
	{"utf16le", "UTF-16 LE with a byte order mark and tabs, as Excel saves Unicode text", encoded(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), form{separator: "\t", lineEnd: "\r\n"})},
	{"utf16be", "UTF-16 BE with a byte order mark", encoded(unicode.UTF16(unicode.BigEndian, unicode.UseBOM), plain)},
	{"utf16le-bare", "UTF-16 LE without a byte order mark", encoded(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), plain)},
	{"windows1252", "Windows-1252, with semicolons and decimal commas", encoded(charmap.Windows1252, form{separator: ";", lineEnd: "\r\n", decimalComma: true})},
	{"pipes", "separated by pipes", encoded(unicode.UTF8, form{separator: "|", lineEnd: "\n"})},
	{"crlf", "written with CRLF", encoded(unicode.UTF8, form{separator: ",", lineEnd: "\r\n"})},
	{"cr", "written with CR alone", encoded(unicode.UTF8, form{separator: ",", lineEnd: "\r"})},
	{"titles", "headed by a title, a date and a blank line", func(r rows) ([]byte, error) {
		return []byte("Licence report\nCreated on,2025-03-13 02:11\n\n" + plain.text(r)), nil
	}},
	{"no-last-line-end", "without a line end after the trailer", func(r rows) ([]byte, error) {
		return []byte(strings.TrimSuffix(plain.text(r), "\n")), nil
	}},
	{"blank-lines", "full of blank lines", func(r rows) ([]byte, error) {
		return []byte(strings.ReplaceAll(plain.text(r), "\n", "\n\n")), nil
	}},
	{"columns-moved", "with the columns in another order, in capitals and with blanks", func(r rows) ([]byte, error) {
		return []byte(plain.text(turned(r))), nil
	}},
}

// damages are what can be wrong with one file.
var damages = []struct {
	name, help, class string
	// damage gives the content; nil for no file at all.
	damage func(text string) []byte
}{
	{"missing", "is not there", "not_found", func(string) []byte { return nil }},
	{"empty", "has no bytes", "schema", func(string) []byte { return []byte{} }},
	{"blank", "has blank lines alone", "schema", func(string) []byte { return []byte("\r\n\r\n") }},
	{"header-only", "ends after the header", "schema", func(text string) []byte { return []byte(before(text, "\n") + "\n") }},
	{"cut-in-header", "ends in the header", "schema", func(text string) []byte { return []byte(text[:len(before(text, "\n"))/2]) }},
	{"cut-in-row", "ends in the middle of a row", "schema", func(text string) []byte {
		return []byte(text[:strings.LastIndex(text[:len(text)*2/3], "\n")+8])
	}},
	{"cut-in-last-field", "ends in the middle of the last field of a row", "schema", func(text string) []byte {
		return []byte(text[:strings.LastIndex(text[:len(text)*2/3], "\n")-2])
	}},
	{"cut-between-rows", "ends between two rows", "schema", func(text string) []byte {
		return []byte(text[:strings.LastIndex(text[:len(text)*2/3], "\n")+1])
	}},
	{"cut-before-trailer", "lacks its trailer", "schema", func(text string) []byte { return []byte(before(text, Trailer)) }},
	{"rows-lost", "lacks a row in the middle", "schema", func(text string) []byte {
		lines := strings.SplitAfter(text, "\n")
		return []byte(strings.Join(slices.Delete(lines, len(lines)-3, len(lines)-2), ""))
	}},
	{"quote-open", "has a quote that never closes", "schema", func(text string) []byte {
		return []byte(strings.Replace(text, "\n", "\n\"", 1))
	}},
	{"zeros", "ends in zero bytes, as a file does whose writer was killed", "schema", func(text string) []byte {
		half := []byte(text)
		for i := len(half) / 2; i < len(half); i++ {
			half[i] = 0
		}
		return half
	}},
	{"page-for-people", "is an HTML page", "schema", func(string) []byte { return []byte("<!DOCTYPE html><html><body>Please sign in</body></html>") }},
	{"workbook", "is an Excel workbook", "schema", func(string) []byte { return []byte("PK\x03\x04\x14\x00\x06\x00") }},
	{"columns-renamed", "has other columns than last month", "schema", func(text string) []byte {
		return []byte("Konto,Bezeichnung" + strings.TrimPrefix(text, before(text, "\n")))
	}},
}

var others = []fault{
	{
		Fault: simulator.Fault{
			Name: "directory.empty", Help: "no file was delivered", Customers: simulator.Incomplete, Subscriptions: simulator.Incomplete,
			Class: "not_found", TestFails: true,
		},
		write: func(*Simulator, rows, rows) error { return nil },
	},
	{
		Fault: simulator.Fault{
			Name: "subscriptions.growing", Help: "the file of subscriptions is still being written", Customers: simulator.Complete,
			Subscriptions: simulator.Incomplete, Class: "transient", TestFails: true,
		},
		write: (*Simulator).grow,
	},
	{
		Fault: simulator.Fault{
			Name: "subscriptions.newest-cut", Help: "an older file of subscriptions is whole and the newest is cut", Customers: simulator.Complete,
			Subscriptions: simulator.Incomplete, Class: "schema", TestFails: true,
		},
		write: func(s *Simulator, customers, subscriptions rows) error {
			text := plain.text(subscriptions)
			old := "subscriptions-2025-02.csv"
			return errors.Join(s.writeRows(Customers, customers), s.put(old, []byte(text)), s.finished(filepath.Join(s.directory, old), 30*24*time.Hour),
				s.put(Subscriptions, []byte(text[:len(text)/2])))
		},
	},
	{
		Fault: simulator.Fault{
			Name: "delivery.unfinished", Help: "beside the whole files stand ones with temporary names", Customers: simulator.Complete, Subscriptions: simulator.Complete,
		},
		write: func(s *Simulator, customers, subscriptions rows) error {
			return errors.Join(s.writeRows(Customers, customers), s.writeRows(Subscriptions, subscriptions),
				os.WriteFile(filepath.Join(s.directory, "subscriptions-2025-04.csv.part"), []byte("id,cus"), 0o600),
				os.WriteFile(filepath.Join(s.directory, ".subscriptions-2025-04.csv"), []byte("id,cus"), 0o600))
		},
	},
	edited("row.quantity", "one quantity is no number", simulator.Incomplete, func(i int, row []string) []string {
		if i == 3 {
			row[4] = "a dozen"
		}
		return row
	}),
	edited("row.without-id", "one row has no id", simulator.Incomplete, func(i int, row []string) []string {
		if i == 3 {
			row[0] = ""
		}
		return row
	}),
	edited("row.short", "one row lacks its last fields", simulator.Incomplete, func(i int, row []string) []string {
		if i == 3 {
			return row[:6]
		}
		return row
	}),
	edited("words.unknown", "statuses, terms and currencies are words nobody knows", simulator.Complete, func(_ int, row []string) []string {
		row[5], row[7], row[8], row[10] = "dreaming", "whenever", "P1Q", "dollars"
		return row
	}),
	edited("dates.unclear", "every date can be read in two ways", simulator.Complete, func(i int, row []string) []string {
		row[6] = strconv.Itoa(1+i%6) + "/" + strconv.Itoa(7+i%5) + "/2025"
		return row
	}),
}

// edited is a fault of the rows of the subscriptions.
func edited(name, help string, expect simulator.Expect, edit func(int, []string) []string) fault {
	return fault{
		Fault: simulator.Fault{Name: "subscriptions." + name, Help: "in the file of subscriptions " + help, Customers: simulator.Complete, Subscriptions: expect},
		write: func(s *Simulator, customers, subscriptions rows) error {
			return errors.Join(s.writeRows(Customers, customers), s.writeRows(Subscriptions, subscriptions.edited(edit)))
		},
	}
}

// before gives what stands before a mark that is there.
func before(text, mark string) string {
	head, _, _ := strings.Cut(text, mark)
	return head
}

func encoded(e encoding.Encoding, f form) func(rows) ([]byte, error) {
	return func(r rows) ([]byte, error) { return e.NewEncoder().Bytes([]byte(f.text(r))) }
}

// both writes both files with an encoding.
func both(encode func(rows) ([]byte, error)) func(*Simulator, rows, rows) error {
	return func(s *Simulator, customers, subscriptions rows) error {
		c, err := encode(customers)
		if err != nil {
			return err
		}
		r, err := encode(subscriptions)
		if err != nil {
			return err
		}
		return errors.Join(s.put(Customers, c), s.put(Subscriptions, r))
	}
}

// oneOf damages one file.
func oneOf(file string, damage func(string) []byte) func(*Simulator, rows, rows) error {
	return func(s *Simulator, customers, subscriptions rows) error {
		good, goodName, bad, badName := subscriptions, Subscriptions, customers, Customers
		if file == "subscriptions" {
			good, goodName, bad, badName = bad, badName, good, goodName
		}
		if err := s.writeRows(goodName, good); err != nil {
			return err
		}
		content := damage(plain.text(bad))
		if content == nil {
			return nil
		}
		return s.put(badName, content)
	}
}

// turned gives rows with their columns in the opposite order, but for the trailer.
func turned(r rows) rows {
	return func(yield func([]string) bool) {
		first := true
		for row := range r {
			if row[0] != Trailer {
				other := make([]string, len(row))
				for i, field := range row {
					if first {
						field = strings.ToUpper(strings.ReplaceAll(field, "_", " "))
					}
					other[len(row)-1-i] = field
				}
				row, first = other, false
			}
			if !yield(row) {
				return
			}
		}
	}
}

// grow writes the file of subscriptions and goes on writing until another fault is played.
func (s *Simulator) grow(customers, subscriptions rows) error {
	if err := s.writeRows(Customers, customers); err != nil {
		return err
	}
	path := filepath.Join(s.directory, Subscriptions)
	text := plain.text(subscriptions)
	if err := os.WriteFile(path, []byte(text[:len(text)/2]), 0o600); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer file.Close() //nolint:errcheck // it is removed soon
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
				_, _ = file.WriteString("S-" + strconv.Itoa(n) + ",C-1000,Mailbox,MB-1,1,Active,2025-01-01,Monthly,P1Y,1.50,AUD\n")
			case <-done:
				return
			}
		}
	}()
	s.stop = func() {
		close(done)
		<-ended
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tallymanhq/tallyman/sdk"
)

// settings are what an operator sets in a module's settings block.
type settings struct {
	Directory     string `setting:"directory,required" help:"Folder the files are in. An absolute path." example:"/srv/harbour-telecom"`
	Distributor   string `setting:"distributor" default:"CSV files" help:"Name of the distributor that sends the files. Subscriptions show it." example:"Harbour Telecom"`
	Subscriptions string `setting:"subscriptions" default:"subscriptions*.csv" help:"Name or pattern (*, ?, [a-z]) of the file of subscriptions, within directory. Of several that match, one is read; see pick."`
	Customers     string `setting:"customers" help:"Name or pattern of the file of customers. Empty: the customers are those the subscriptions name." example:"customers*.csv"`
	Pick          string `setting:"pick" default:"modified" choices:"modified|name" help:"Which of several files that match is read: the one modified last, or the last by name, with numbers in names ordered by value."`

	Layout          string            `setting:"layout" choices:"|rhipe-invoice|partner-center-license" help:"Ready-made columns. Empty: columns have the names of the fields (id, customer_id, name, quantity, …)."` //nolint:misspell // Microsoft's name
	Columns         map[string]string `setting:"columns" help:"Columns of the file of subscriptions: field = name of the column. Replaces that of the layout."`
	CustomerColumns map[string]string `setting:"customer_columns" help:"Columns of the file of customers: field = name of the column."`
	IDColumns       []string          `setting:"id_columns" help:"Columns that together tell subscriptions apart, for files without an id."`
	Rows            string            `setting:"rows" choices:"|single|add" help:"Several rows of one subscription: there are none (single), or they add up (add). Empty: as the layout has it."`
	Statuses        map[string]string `setting:"statuses" help:"Words of the status column: word = active, pending, suspended, cancelled, expired, converted, failed or deleted."`
	Currency        string            `setting:"currency" help:"ISO 4217 code of amounts whose currency the file does not tell." example:"AUD"`
	PricePer        string            `setting:"price_per" default:"unit" choices:"unit|total" help:"Whether price, cost and list_price are for one unit or for the whole quantity."`

	Encoding  string `setting:"encoding" default:"detect" choices:"detect|utf-8|utf-16le|utf-16be|windows-1252" help:"Encoding of the files."`
	Separator string `setting:"separator" default:"detect" choices:"detect|comma|semicolon|tab|pipe" help:"What separates the columns."`
	Decimal   string `setting:"decimal" default:"detect" choices:"detect|point|comma" help:"Decimal mark. Detected from all the numbers of a file."`
	DateOrder string `setting:"date_order" default:"detect" choices:"detect|dmy|mdy" help:"Order of day and month in dates such as 3/4/2025. Detected from all the dates of a file."`
	ShortRows bool   `setting:"short_rows" default:"false" help:"Accept rows with fewer fields than the header; what is missing is empty."`

	Settle     time.Duration `setting:"settle" default:"10s" help:"A file is read once its size and time have stood still for so long."`
	SettleWait time.Duration `setting:"settle_wait" default:"2m" help:"How long to wait for a file to stand still before giving up."`
	Marker     string        `setting:"marker" help:"Ending of the name of a file that says that another is whole: with .done, x.csv is read once x.csv.done or x.done is there." example:".done"`
	MaxAge     time.Duration `setting:"max_age" default:"0s" help:"A file older than this is not taken for the present state. 0s: any age."`

	FinalLineEnd bool   `setting:"final_line_end" default:"true" help:"A file whose last row has no line end was cut. Set to false for senders that never write it."`
	Trailer      string `setting:"trailer" help:"First field of the row that ends every file. Without that row a file was cut. A number in it is the number of rows." example:"TRAILER"`
	ExpectRows   int    `setting:"expect_rows" default:"0" help:"A file of subscriptions with fewer rows is not whole."`
	AllowEmpty   bool   `setting:"allow_empty" default:"false" help:"A file with a header and no rows is an empty list."`
}

// stateNames are the canonical states an operator can name.
var stateNames = map[string]sdk.State{
	"active": sdk.StateActive, "pending": sdk.StatePending, "suspended": sdk.StateSuspended, "cancelled": sdk.StateCancelled,
	"expired": sdk.StateExpired, "converted": sdk.StateConverted, "failed": sdk.StateFailed, "deleted": sdk.StateDeleted,
}

// validate checks what the tags cannot say.
func (s settings) validate() []sdk.Diagnostic {
	var found []sdk.Diagnostic
	problem := func(field, hint, format string, args ...any) {
		found = append(found, sdk.Diagnostic{Field: field, Hint: hint, Message: fmt.Sprintf(format, args...)})
	}
	if !filepath.IsAbs(s.Directory) {
		problem("directory", "Give the whole path, from the root of the file system.", "%q is not an absolute path", s.Directory)
	}
	for field, pattern := range map[string]string{"subscriptions": s.Subscriptions, "customers": s.Customers} {
		if _, err := filepath.Match(pattern, ""); err != nil {
			problem(field, "[ opens a set of characters, as in [a-z]; write \\[ for the character.", "%q is no pattern", pattern)
		}
		if filepath.IsAbs(pattern) || slices.Contains(strings.Split(filepath.ToSlash(pattern), "/"), "..") {
			problem(field, "Name it within directory.", "%q leads out of directory", pattern)
		}
	}
	if trim(s.Subscriptions) == "" {
		problem("subscriptions", "For example subscriptions*.csv.", "is empty")
	}
	checkNames(problem, "columns", s.Columns, subscriptionNames)
	checkNames(problem, "customer_columns", s.CustomerColumns, customerNames)
	words := map[string]string{}
	for _, word := range slices.Sorted(maps.Keys(s.Statuses)) {
		switch other, taken := words[fold(word)]; {
		case fold(word) == "":
			problem("statuses", "Words are compared by their letters and digits. A status without any is not known, and so never an end.",
				"%q has no letter or digit and would stand for every blank status", word)
		case taken:
			problem("statuses", "Words are compared by their letters and digits, without case. Keep one.", "%q and %q are the same word", other, word)
		}
		words[fold(word)] = word
		if _, known := stateNames[strings.ToLower(s.Statuses[word])]; !known {
			problem("statuses", "There are "+strings.Join(slices.Sorted(maps.Keys(stateNames)), ", ")+".", "%q is no state (for %q)", s.Statuses[word], word)
		}
	}
	if s.Currency != "" && !isCurrency(s.Currency) {
		problem("currency", "For example AUD.", "%q is no ISO 4217 code", s.Currency)
	}
	for field, value := range map[string]time.Duration{"settle": s.Settle, "settle_wait": s.SettleWait, "max_age": s.MaxAge} {
		if value < 0 {
			problem(field, "", "is %s; it must not be negative", value)
		}
	}
	if s.ExpectRows < 0 {
		problem("expect_rows", "", "is %d; it must not be negative", s.ExpectRows)
	}
	slices.SortFunc(found, func(a, b sdk.Diagnostic) int { return strings.Compare(a.Field, b.Field) })
	return found
}

// checkNames refuses fields that there are not.
func checkNames(problem func(field, hint, format string, args ...any), setting string, columns map[string]string, names []string) {
	for _, name := range slices.Sorted(maps.Keys(columns)) {
		if !slices.Contains(names, name) {
			problem(setting, "There are "+strings.Join(names, ", ")+".", "there is no field %q", name)
		}
	}
}

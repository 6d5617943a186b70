// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestAnImportSaysBrieflyWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		text  string
		code  int
		flags []string
		wants []string
	}{
		"binary":        {"\x7fELF\x02" + strings.Repeat("\x00", 5000) + "\n", 2, nil, []string{"no text in UTF-8"}},
		"a long column": {long + ",name\n", 2, nil, []string{`no column "` + strings.Repeat("x", 39) + `…"`}},
		"a country in words": {
			"name,country_code\nOne,Australia\nTwo,au\nThree," + long + "\n", 1, nil,
			[]string{":2: country_code has to be two letters, such as AU, not \"Australia\"", ":4: country_code", "1 customer imported, 2 bad lines."},
		},
		"digits":       {"name,country_code\nFour,61\n", 1, nil, []string{"two letters"}},
		"one bad line": {"name,country_code\nFive,AUS\n", 1, []string{"--all-or-none"}, []string{"1 bad line, so nothing was imported"}},
	} {
		file := strings.ReplaceAll(name, " ", "-") + ".csv"
		s.write(file, c.text)
		out := s.run(c.code, append([]string{"customers", "import", filepath.Join(s.dir, file), "--tenant", "acme"}, c.flags...)...)
		s.wants(out, c.wants...)
		if len(out) > 1000 {
			t.Errorf("%s: %d bytes are printed", name, len(out))
		}
	}
	s.wants(s.run(0, "changes", "--entity", "site", "--json", "--search", "Two"), `"country_code": "AU"`)
}

func TestMappingWhatIsNoCustomerIsAllowedWithAWord(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.crowd(1)
	distributor.mu.Lock()
	distributor.ended = "c2"
	distributor.mu.Unlock()
	s.run(0, "mappings", "generate", "acme/rhipe")
	s.wants(s.run(0, "mappings", "list", "acme/rhipe"), "Fabrikam Pty Ltd\t-\tended\t")
	s.wants(s.run(0, "mappings", "add", "acme/rhipe", "c2", "1"), `now mapped to "Customer 0000" (#1)`, "Mind that it has ended at the distributor.")
	s.wants(s.run(0, "mappings", "list", "acme/rhipe"), "Customer 0000 (#1)\tmanual, ended\t")
}

func TestAnInactiveSubscriptionSaysWhoSaysSo(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	distributor.mu.Lock()
	delete(distributor.quantity, "a c1 2")
	distributor.mu.Unlock()
	s.run(0, "sync", "acme/rhipe")
	s.wants(s.run(0, "subscriptions", "list", "--inactive"), "\tinactive; at Rhipe: active\t")
	s.wants(s.run(0, "customers", "show", "Contoso Pty Ltd"), "\tinactive; at Rhipe: active\t", "\t25\tactive\t")
}

// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// csvRows reads CSV into rows by column.
func csvRows(t *testing.T, text string) []map[string]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) == 0 {
		t.Fatalf("no CSV: %v\n%s", err, text)
	}
	rows := make([]map[string]string, len(records)-1)
	for i, record := range records[1:] {
		rows[i] = map[string]string{}
		for j, cell := range record {
			rows[i][records[0][j]] = cell
		}
	}
	return rows
}

func TestARunIsExported(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	distributor.names["c2"] = "=HYPERLINK(\"http://example.com\"), \"quoted\"\nPty Ltd"
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	distributor.set("a c1 1", 2500)
	distributor.set("a c2 1", 8)
	s.run(4, "sync", "acme/rhipe")

	rows := csvRows(t, s.run(0, "runs", "export", "2"))
	if len(rows) != 2 {
		t.Fatalf("%d rows, want 2: %v", len(rows), rows)
	}
	by := map[string]map[string]string{rows[0]["key"]: rows[0], rows[1]["key"]: rows[1]}
	held, applied := by["s-c1-1"], by["s-c2-1"]
	if held["status"] != "held" || held["guard"] != "quantity" || held["before"] != `{"quantity":"25"}` || held["after"] != `{"quantity":"2500"}` ||
		held["customer"] != "Contoso Pty Ltd" || held["what"] != "quantity: 25 -> 2500" || held["module"] != "acme/rhipe" || held["run"] != "2" {
		t.Errorf("the held change: %v", held)
	}
	if _, err := time.Parse(time.RFC3339, held["time"]); err != nil || !strings.HasSuffix(held["time"], "Z") {
		t.Errorf("its time: %q (%v)", held["time"], err)
	}
	if applied["status"] != "applied" || !strings.HasPrefix(applied["customer"], "'=HYPERLINK(") {
		t.Errorf("the applied change: %v", applied)
	}
	s.run(0, "reject", "2")
	for _, row := range csvRows(t, s.run(0, "runs", "export", "2", "--format", "csv")) {
		if rejected := row["status"] == "rejected"; rejected != (row["decided_by"] != "") || rejected != (row["decided_at"] != "") {
			t.Errorf("decided: %v", row)
		}
	}

	var told struct {
		Run     struct{ ID int64 }
		Changes []struct {
			Status, Customer string
			Key              string `json:"entity_key"`
		}
	}
	for _, args := range [][]string{{"--format", "json"}, {"--json"}} {
		if err := json.Unmarshal([]byte(s.run(0, append([]string{"runs", "export", "2"}, args...)...)), &told); err != nil {
			t.Fatal(err)
		}
		if told.Run.ID != 2 || len(told.Changes) != 2 {
			t.Errorf("in JSON: %+v", told)
		}
	}
	s.run(0, "plan", "acme/rhipe", "--override", "quantity", "--customer", "Tailspin Toys")
	if err := json.Unmarshal([]byte(s.run(0, "runs", "export", "3", "--json")), &told); err != nil || len(told.Changes) != 0 {
		t.Errorf("a run without changes in JSON: %+v (%v)", told, err)
	}
	if rows := csvRows(t, s.run(0, "runs", "export", "3")); len(rows) != 0 {
		t.Errorf("a run without changes: %v", rows)
	}
	s.wants(s.run(1, "runs", "export", "99"), "there is no run 99")
	s.wants(s.run(2, "runs", "export", "2", "--format", "xml"), `--format takes csv or json, not "xml"`)
	s.wants(s.run(2, "runs", "export", "2", "--format", "csv", "--json"), "contradict")
}

func TestChangesAreExportedWhateverTheirNumber(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	const many = 2345
	var mine strings.Builder
	mine.WriteString("name\n")
	for n := range many {
		fmt.Fprintf(&mine, "Customer %d\n", n)
	}
	s.write("mine.csv", mine.String())
	s.run(0, "customers", "import", filepath.Join(s.dir, "mine.csv"), "--tenant", "acme")
	rows := csvRows(t, s.run(0, "changes", "acme", "--entity", "customer", "--kind", "create", "--format", "csv"))
	if len(rows) != many+3 {
		t.Errorf("%d rows, want %d", len(rows), many+3)
	}
	seen := map[string]bool{}
	for i, row := range rows {
		seen[row["id"]] = true
		if i > 0 && len(row["id"]) > len(rows[i-1]["id"]) {
			t.Fatalf("row %d is newer than the one before", i)
		}
		if by := row["run"] == ""; by != (row["module"] == "") {
			t.Fatalf("a change by hand: %v", row)
		}
	}
	if len(seen) != len(rows) {
		t.Errorf("%d of %d rows came twice", len(rows)-len(seen), len(rows))
	}
	for limit, want := range map[string]int{"1500": 1500, "7": 7, "1000": 1000} {
		if got := len(csvRows(t, s.run(0, "changes", "--format", "csv", "--limit", limit))); got != want {
			t.Errorf("--limit %s gives %d rows", limit, got)
		}
	}
	if out := s.run(0, "changes", "acme", "--format", "json", "--limit", "2"); !strings.HasPrefix(out, "[") {
		t.Errorf("in JSON:\n%s", out)
	}
	s.wants(s.run(2, "changes", "--format", "csv", "--json"), "contradict")
}

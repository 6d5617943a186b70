// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"bytes"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// patience is how long something is waited for that comes at once if all is well.
const patience = time.Minute

const partnerID = "0a0a0000-1111-e811-8130-000d3a6600a1"

// lookAtSources looks at everything the programs are built from. Go takes a test's result from its cache while the files
// the test has looked at are the same; it does not see those that a build has looked at, nor those that TestMain has.
var lookAtSources = sync.OnceValue(func() error {
	for _, dir := range []string{"host", "plugins", "proto", "sdk"} {
		err := filepath.WalkDir(filepath.Join("..", "..", "..", dir), func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil // somebody is at work
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err := os.Stat(filepath.Join("..", "..", "..", "go.sum"))
	return err
})

// small is a distributor to which customers are added one by one, in one contract agreement.
type small struct {
	*prismsim.World
	agreement string
	// tenants gives a customer's first tenant.
	tenants map[string]string
}

func newSmall() *small {
	w := prismsim.NewWorld(prismsim.Customer{ID: partnerID, Name: "Harbourside IT Pty Ltd"})
	return &small{w, w.AddAgreement(prismsim.Agreement{}), map[string]string{}}
}

// place sets up a place with this world. The partner's own record is never taken for a customer, however few there are.
func (w *small) place(t *testing.T, blocks ...string) *place {
	t.Helper()
	return newPlaceWith(t, w.World, []string{fmt.Sprintf("partner_customer_id = %q", partnerID)}, blocks...)
}

// customer adds a customer with a tenant that holds subscriptions of these quantities, and gives the ids.
func (w *small) customer(name string, quantities ...int64) (customer string, subscriptions []string) {
	address := prismsim.Address{Street1: "1 Example Street", City: "Melbourne", State: "VIC", Postcode: "3000", Country: "Australia", CountryISOCode: "AU"}
	customer = w.AddCustomer(prismsim.Customer{Name: name, Address: address})
	w.tenants[customer], subscriptions = w.tenant(customer, w.agreement, quantities...)
	return customer, subscriptions
}

// tenant adds a tenant to a contract agreement.
func (w *small) tenant(customer, agreement string, quantities ...int64) (tenant string, subscriptions []string) {
	tenant = w.AddTenant(prismsim.Tenant{CustomerID: customer, AgreementID: agreement})
	for i, quantity := range quantities {
		subscriptions = append(subscriptions, w.AddSubscription(tenant, prismsim.Subscription{
			ProductName: fmt.Sprintf("Product %d", i+1), FriendlyName: fmt.Sprintf("Product %d", i+1), Quantity: quantity,
		}))
	}
	return tenant, subscriptions
}

// impatient lets the plugin wait for an answer for a second only, until patient is called.
func (p *place) impatient(blocks ...string) (patient func()) {
	p.t.Helper()
	settings := p.settings
	p.settings = append(slices.Clone(settings), `timeout = "1s"`)
	p.configure(blocks...)
	return func() {
		p.settings = settings
		p.configure(blocks...)
	}
}

// own imports the MSP's customers: lines of name, top level, site, line 1, city, postal code, of which the last may lack.
func (p *place) own(lines ...[]string) {
	p.t.Helper()
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	for _, line := range append([][]string{{"name", "top_level", "site", "line1", "city", "postal_code"}}, lines...) {
		if err := w.Write(line); err != nil {
			p.t.Fatal(err)
		}
	}
	w.Flush()
	p.run(0, "customers", "import", p.write("own.csv", text.String()), "--tenant", "acme")
}

// mappingRow is a line of "mappings list".
type mappingRow struct {
	Ref, Name    string
	CustomerID   *int64 `json:"customer_id"`
	CustomerName string `json:"customer_name"`
	Origin       string
}

func (p *place) mappings() []mappingRow {
	p.t.Helper()
	return rows[mappingRow](p, "mappings", "list", "acme/rhipe", "--limit", "0")
}

// changeRow is a line of "changes".
type changeRow struct {
	RunID                                          int64 `json:"run_id"`
	Entity, Kind, Status, Guard, Name, Reason, Who string
	EntityID                                       int64  `json:"entity_id"`
	EntityKey                                      string `json:"entity_key"`
	Customer                                       string
	Before, After                                  map[string]any
}

func (p *place) changes(args ...string) []changeRow {
	p.t.Helper()
	return rows[changeRow](p, append([]string{"changes", "acme", "--limit", "0"}, args...)...)
}

// bySource gives the subscriptions by the distributor's id.
func (p *place) bySource() map[string]subscription {
	p.t.Helper()
	found := map[string]subscription{}
	for _, s := range p.subscriptions() {
		found[s.Ref] = s
	}
	return found
}

// database opens the place's database beside the program.
func (p *place) database() *sql.DB {
	p.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.dir, "tallyman.db")+"?_pragma=busy_timeout(60000)")
	if err != nil {
		p.t.Fatal(err)
	}
	return db
}

// What is kept, in the order it is read: what people and invoices depend on, and what is known of the distributor.
var (
	ourTables    = []string{"tenants", "top_levels", "customers", "sites", "mappings", "subscriptions"}
	sourceTables = []string{"distributor_customers", "distributor_subscriptions"}
)

// kept gives whole tables as they are in the database, byte for byte: a line for each row, with every column as a
// literal. Rows of the tables named in where are only those it lets through.
func (p *place) kept(where map[string]string, tables ...string) []string {
	p.t.Helper()
	db := p.database()
	defer db.Close() //nolint:errcheck // it was only read
	var list []string
	for _, table := range tables {
		columns := p.column(db, "SELECT name FROM pragma_table_info(?) ORDER BY cid", table)
		if len(columns) == 0 {
			p.t.Fatalf("there is no table %s", table)
		}
		var parts []string
		for _, column := range columns {
			parts = append(parts, fmt.Sprintf("'%s=' || quote(%s)", column, column))
		}
		query := "SELECT '" + table + ": ' || " + strings.Join(parts, " || ' ' || ") + " FROM " + table
		if where[table] != "" {
			query += " WHERE " + where[table]
		}
		list = append(list, p.column(db, query+" ORDER BY 1")...)
	}
	return list
}

func (p *place) column(db *sql.DB, query string, args ...any) []string {
	p.t.Helper()
	result, err := db.QueryContext(p.t.Context(), query, args...)
	if err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	defer result.Close() //nolint:errcheck // it was only read
	var list []string
	for result.Next() {
		var text string
		if err := result.Scan(&text); err != nil {
			p.t.Fatal(err)
		}
		list = append(list, text)
	}
	if err := result.Err(); err != nil {
		p.t.Fatal(err)
	}
	return list
}

// ask gives the first value of a query.
func (p *place) ask(query string, args ...any) string {
	p.t.Helper()
	db := p.database()
	defer db.Close() //nolint:errcheck // it was only read
	list := p.column(db, query, args...)
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// same fails when the database has changed.
func (p *place) same(why string, before, after []string) {
	p.t.Helper()
	if len(before) == 0 {
		p.t.Fatal("nothing is compared")
	}
	if diff := cmp.Diff(before, after); diff != "" {
		p.t.Errorf("%s (-before +after):\n%s", why, diff)
	}
}

// background is a command that runs while the test goes on.
type background struct {
	*exec.Cmd
	stdout, stderr heard
	ended          chan struct{}
}

// start starts a command. It is killed at the end of the test at the latest.
func (p *place) start(args ...string) *background {
	p.t.Helper()
	b := &background{Cmd: p.command(args...), ended: make(chan struct{})}
	b.Stdout, b.Stderr = &b.stdout, &b.stderr
	if err := b.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(b.ended)
		_ = b.Wait()
	}()
	p.t.Cleanup(func() {
		_ = b.Process.Kill()
		<-b.ended
	})
	return b
}

// finish waits for the end of the command and gives its exit code and all it printed.
func (p *place) finish(b *background) (int, string) {
	p.t.Helper()
	p.await(b.ended, "the end of tallyman "+strings.Join(b.Args[1:], " "))
	out := b.stdout.String() + b.stderr.String()
	p.printed.WriteString(out)
	return b.ProcessState.ExitCode(), out
}

// await waits for a channel to be closed.
func (p *place) await(done <-chan struct{}, what string) {
	p.t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		p.t.Fatalf("%s was waited for in vain", what)
	}
}

// until waits for something that nobody tells.
func (p *place) until(what string, is func() bool) {
	p.t.Helper()
	for begin := time.Now(); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > patience {
			p.t.Fatalf("%s was waited for in vain", what)
		}
	}
}

// heard keeps what is written to it and can be read meanwhile.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// process is a running process of this place.
type process struct {
	pid    int
	plugin bool
}

// processes finds the running processes of this place: they, and nobody else's, have its folder for temporary files.
func (p *place) processes() []process {
	p.t.Helper()
	built, err := filepath.EvalSymlinks(binaries)
	if err != nil {
		p.t.Fatal(err)
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(dirs) == 0 {
		p.t.Fatalf("the processes cannot be listed: %v", err)
	}
	var list []process
	for _, dir := range dirs {
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !bytes.Contains(append([]byte{0}, env...), []byte("\x00TMPDIR="+p.tmp+"\x00")) {
			continue
		}
		program, err := os.Readlink(filepath.Join(dir, "exe"))
		pid, numErr := strconv.Atoi(filepath.Base(dir))
		if err == nil && numErr == nil && strings.HasPrefix(program, built) {
			list = append(list, process{pid, strings.HasPrefix(program, filepath.Join(built, "plugins"))})
		}
	}
	return list
}

// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/tallymanhq/tallyman/host/internal/store/pgtest"
)

func TestPostgresKeepsWhatTheStorePromises(t *testing.T) {
	t.Parallel()
	Exercise(t, freshPostgres)
}

func freshPostgres(t *testing.T) func(Options) *Store {
	url := pgtest.URL(t)
	return func(opts Options) *Store {
		opts.URL = url
		return openAt(t, opts)
	}
}

// onServer runs statements as the server's superuser.
func onServer(t *testing.T, url string, statements ...string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	must(t, err)
	for _, statement := range statements {
		_, err := db.ExecContext(t.Context(), statement)
		must(t, err)
	}
	must(t, db.Close())
}

// schemaOf gives the schema that a URL names.
func schemaOf(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	must(t, err)
	return u.Query().Get("search_path")
}

// closedPort gives an address of this machine on which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	return listener.Addr().String()
}

func TestOpenPostgresSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	migrated := func(t *testing.T, statements ...string) Options {
		url := pgtest.URL(t)
		openAt(t, Options{URL: url})
		onServer(t, url, statements...)
		return Options{URL: url}
	}
	for name, test := range map[string]struct {
		given func(t *testing.T) Options
		kind  Kind
		says  string
	}{
		"a port that is no number": {func(*testing.T) Options { return Options{URL: "postgres://u:s3cret@h:port/d"} }, KindURL, "cannot be understood"},
		"an unknown sslmode":       {func(*testing.T) Options { return Options{URL: "postgres://u:s3cret@h/d?sslmode=s3cret"} }, KindURL, "cannot be understood"},
		"a password with a slash":  {func(*testing.T) Options { return Options{URL: "postgres://u:s3cret/%zz@h/d"} }, KindURL, "cannot be understood"},
		"nobody listens": {func(t *testing.T) Options {
			return Options{URL: "postgres://u:s3cret@" + closedPort(t) + "/d"}
		}, KindUnreachable, "cannot be reached"},
		"no such database": {func(t *testing.T) Options {
			return Options{URL: strings.Replace(pgtest.URL(t), "/postgres?", "/nosuch?", 1)}
		}, KindMissing, `no database "nosuch"`},
		"no such user": {func(t *testing.T) Options {
			return Options{URL: strings.Replace(pgtest.URL(t), "//tallyman@", "//nosuch:s3cret@", 1)}
		}, KindPermission, `does not let user "nosuch" in`},
		"no such schema": {func(t *testing.T) Options {
			url := pgtest.URL(t)
			return Options{URL: strings.Replace(url, schemaOf(t, url), "nosuch", 1)}
		}, KindMissing, "none of the schemas"},
		"a user who may not make tables": {func(t *testing.T) Options {
			url := pgtest.URL(t)
			role := fmt.Sprintf("guest_%d", time.Now().UnixNano())
			onServer(t, url, "CREATE ROLE "+role+" LOGIN", "GRANT USAGE ON SCHEMA "+schemaOf(t, url)+" TO "+role)
			return Options{URL: strings.Replace(url, "//tallyman@", "//"+role+"@", 1)}
		}, KindPermission, "may not do that"},
		"a server that only lets itself be read": {func(t *testing.T) Options {
			return Options{URL: pgtest.URL(t) + "&default_transaction_read_only=on"}
		}, KindReadOnly, "only lets itself be read"},
		"a database that must be there": {func(t *testing.T) Options {
			return Options{URL: pgtest.URL(t), NoCreate: true}
		}, KindMissing, "there is no database at postgres://"},
		"a database of another program": {func(t *testing.T) Options {
			url := pgtest.URL(t)
			onServer(t, url, "CREATE TABLE albums (id int)")
			return Options{URL: url}
		}, KindNotDatabase, "another program"},
		"a newer schema": {func(t *testing.T) Options {
			return migrated(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)", "COMMENT ON TABLE goose_db_version IS 'needs schema 99'")
		}, KindNewer, "has schema 99, which needs a tallyman that knows schema 99"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), test.given(t))
			if err == nil {
				must(t, s.Close())
			}
			told := wantKind(t, err, test.kind)
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the message %q does not say %q", err, test.says)
			}
			if said := err.Error() + told.Hint() + told.Path; strings.Contains(said, "s3cret") || strings.Contains(said, "\n") {
				t.Errorf("the message is %q", said)
			}
		})
	}
}

func TestTheURLOfPostgresIsShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://kim:s3cret@db.example:5433/tally":                "postgres://kim@db.example:5433/tally",
		"postgresql://kim@db.example/tally?sslpassword=s3cret":       "postgres://kim@db.example:5432/tally",
		"postgres://kim:s3cret@/tally?host=/run/pg&search_path=acme": "postgres://kim@/tally?host=/run/pg&search_path=acme",
	} {
		d, err := newPostgres(url)
		must(t, err)
		if d.place != want {
			t.Errorf("%s is shown as %s, want %s", url, d.place, want)
		}
	}
}

func TestWaitingForAMigrationOfPostgresIsSaidAndEnds(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	first := openAt(t, Options{URL: url, ForMigration: true})
	unlock, err := first.dialect.lock(t.Context(), func(lock string) { t.Errorf("waiting for %s", lock) })
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = Open(ctx, Options{URL: url})
	if told := wantKind(t, err, KindLocked); !strings.Contains(told.Message, "another tallyman is migrating") {
		t.Errorf("the error is %+v", told)
	}
	must(t, unlock())
	openAt(t, Options{URL: url})
}

func TestWhatEveryRunReadsIsInIndexesOfPostgres(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshPostgres)
	w.subscriptions(t, w.customers(t, "A")[0].ID, "c", 2000)
	// What another test may still see as it was is not all visible, and then the table has to be looked at.
	for visible := false; !visible; {
		_, err := w.write.ExecContext(t.Context(), "VACUUM distributor_subscriptions, subscriptions")
		must(t, err)
		must(t, w.write.NewRaw("SELECT bool_and(relallvisible = relpages) FROM pg_class WHERE oid IN ('distributor_subscriptions'::regclass, 'subscriptions'::regclass)").
			Scan(t.Context(), &visible))
	}
	for query, want := range map[string]string{
		strings.ReplaceAll(pgIndexScan, "$1", fmt.Sprint(w.module.ID)): "Index Only Scan using distributor_subscriptions_scan",
		w.countActive(w.module.ID).String():                            "Index Only Scan using subscriptions_active",
	} {
		var plan []string
		// A table this small is as soon read whole.
		must(t, w.write.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.ExecContext(ctx, "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"); err != nil {
				return err
			}
			return tx.NewRaw("EXPLAIN "+query).Scan(ctx, &plan)
		}))
		if !strings.Contains(strings.Join(plan, "\n"), want) {
			t.Errorf("the plan of %s is %q, want %q", query, plan, want)
		}
	}
}

func TestTenantsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshPostgres)
	_, other := addModule(t, w.Store, "umbrella", "rhipe")
	_, err := w.AcquireLease(t.Context(), other, "me", "sync", time.Hour)
	must(t, err)
	insert := func(ctx context.Context, tx *Tx) error {
		return tx.InsertCustomers(ctx, []Customer{{Name: "A", Active: true}})
	}
	must(t, w.Apply(t.Context(), w.module.ID, "me", func(ctx context.Context, tx *Tx) error {
		must(t, insert(ctx, tx))
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return w.Apply(ctx, other.ID, "me", insert)
	}))
}

func TestATransactionThatLostARaceIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshPostgres)
	for name, lose := range map[string]string{
		"it could not be serialised": "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$",
		"it was a deadlock":          "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$",
		"its connection was cut":     "SELECT pg_terminate_backend(pg_backend_pid())",
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			must(t, w.change(t.Context(), "try", func(ctx context.Context, tx bun.Tx) error {
				tries++
				_, err := tx.NewInsert().Model(&TopLevel{TenantID: w.tenant.ID, Name: name, CreatedAt: w.now()}).ExcludeColumn("id").Exec(ctx)
				must(t, err)
				if tries < 3 {
					_, err = tx.ExecContext(ctx, lose)
				}
				return err
			}))
			if tries != 3 {
				t.Errorf("it took %d tries", tries)
			}
		})
	}
	list, err := w.TopLevels(t.Context(), w.tenant.ID)
	must(t, err)
	if len(list) != 3 {
		t.Errorf("the tries left %+v", list)
	}

	// What breaks a rule would break it again, and what a run writes is not written twice.
	tries := 0
	err = w.change(t.Context(), "try", func(ctx context.Context, tx bun.Tx) error {
		tries++
		_, err := tx.NewInsert().Model(&list[0]).Exec(ctx)
		return err
	})
	if wantKind(t, err, KindConstraint); tries != 1 {
		t.Errorf("it took %d tries", tries)
	}
	tries = 0
	err = w.Apply(t.Context(), w.module.ID, "me", func(ctx context.Context, tx *Tx) error {
		tries++
		must(t, tx.InsertCustomers(ctx, []Customer{{Name: "A", Active: true}}))
		_, err := tx.tx.ExecContext(ctx, "SELECT pg_terminate_backend(pg_backend_pid())")
		return err
	})
	if told := wantKind(t, err, KindUnreachable); tries != 1 || told.Op != "apply changes" {
		t.Errorf("after %d tries: %+v", tries, told)
	}
	if customers, err := w.Customers(t.Context(), w.tenant.ID); err != nil || len(customers) != 0 {
		t.Errorf("%d customers are left (%v)", len(customers), err)
	}
}

// TestASecondImportWaitsForTheFirst: what is read before it is written is read alone.
func TestASecondImportWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshPostgres)
	var made atomic.Int64
	ends := make(chan error)
	for range 4 {
		go func() {
			results, err := w.ImportCustomers(t.Context(), w.tenant.ID, []ImportRow{{Name: "Acme", TopLevel: "Retail"}}, "kim")
			if err == nil && results[0].Created {
				made.Add(1)
			}
			ends <- err
		}()
	}
	for range 4 {
		must(t, <-ends)
	}
	if made.Load() != 1 {
		t.Errorf("the customer was made %d times", made.Load())
	}
}

func TestCutConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, freshPostgres)
	ctx := t.Context()
	// Idle connections of both pools are ended by the server, as when it is started again.
	_, err := w.Customers(ctx, w.tenant.ID)
	must(t, err)
	schema := schemaOf(t, w.Path())
	var ended int
	for _, db := range []*bun.DB{w.write, w.read} {
		_, err := db.ExecContext(ctx, "SELECT set_config('application_name', ?, false)", schema)
		must(t, err)
	}
	admin, err := sql.Open("pgx", pgtest.Address(""))
	must(t, err)
	must(t, admin.QueryRowContext(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1", schema).Scan(&ended))
	must(t, admin.Close())
	if ended < 2 {
		t.Fatalf("%d connections were ended", ended)
	}
	must(t, w.RenewLease(ctx, w.module.ID, "me", time.Hour))
	// A connection that was used a moment ago is not tried out first.
	if _, err := w.Customers(ctx, w.tenant.ID); err != nil {
		wantKind(t, err, KindUnreachable)
		_, err = w.Customers(ctx, w.tenant.ID)
		must(t, err)
	}
}

// TestNobodyWaitsForALeaseThatIsBeingWritten: it has expired, and its holder hangs in the middle of its changes.
func TestNobodyWaitsForALeaseThatIsBeingWritten(t *testing.T) {
	t.Parallel()
	var minutes atomic.Int64
	fresh := freshPostgres(t)
	clock := func() time.Time { return time.Date(2026, 3, 1, 0, int(minutes.Load()), 0, 0, time.UTC) }
	s, other := fresh(Options{Now: clock}), fresh(Options{Now: clock})
	_, m := addModule(t, s, "acme", "rhipe")
	_, err := s.AcquireLease(t.Context(), m, "me", "sync", time.Minute)
	must(t, err)
	must(t, s.Apply(t.Context(), m.ID, "me", func(ctx context.Context, tx *Tx) error {
		minutes.Store(5)
		_, err := other.AcquireLease(ctx, m, "another", "sync", time.Minute)
		var held *LeaseHeldError
		if !errors.As(err, &held) || !held.Written || held.Lease.Holder != "me" || !strings.Contains(held.Hint(), "If that program hangs, end it") {
			t.Errorf("another one got %v", err)
		}
		var limit string
		if err := tx.tx.QueryRowContext(ctx, "SHOW idle_in_transaction_session_timeout").Scan(&limit); err != nil || limit != pgHangs {
			t.Errorf("a program that hangs is thrown out after %q (%v), want %s", limit, err, pgHangs)
		}
		return tx.RenewLease(ctx, time.Minute)
	}))
	_, err = other.AcquireLease(t.Context(), m, "another", "sync", time.Minute)
	var held *LeaseHeldError
	if !errors.As(err, &held) || held.Written || !held.Lease.ExpiresAt.Equal(clock().Add(time.Minute)) {
		t.Errorf("after the changes another one got %v", err)
	}
	minutes.Store(7)
	_, err = other.AcquireLease(t.Context(), m, "another", "sync", time.Minute)
	must(t, err)
}

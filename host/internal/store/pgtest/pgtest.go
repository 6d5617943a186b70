// SPDX-License-Identifier: Apache-2.0

// Package pgtest gives tests a real Postgres: a server of the test program's own, which ends with it.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startLimit is how long a server may take until it can be used.
const startLimit = time.Minute

// superuser is that of the server. It needs no password: nobody else may enter the folder that the server listens in.
const superuser = "tallyman"

// run starts a server and keeps it until the standard input ends, as it does with the program that holds the other end,
// however that ends. Then nothing is left. A line there is a signal that ends the server, which is then started again. The
// server is told to forget durability, which no test can see that does not restart it.
const run = `start() {
	"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=300 -c shared_buffers=32MB -c fsync=off \
		-c synchronous_commit=off -c full_page_writes=off -c max_wal_size=4GB >>"$2/log" 2>&1 </dev/null &
	server=$!
}
start "$1" "$2"
while read -r signal; do
	kill "-$signal" $server
	wait $server
	start "$1" "$2"
done
kill -QUIT $server
wait $server
rm -rf "$2"`

// Server is a running server. It ends with this program at the latest.
type Server struct {
	folder string
	// alive is the end of the pipe that keeps the server running.
	alive *os.File
}

// shared is the server of this program's tests.
var shared struct {
	sync.Mutex
	*Server
	err error
	// made is how many schemas were made.
	made int
}

// URL gives the URL of an empty database of the test's own: a schema of the one server, which the first call starts. Where
// there is no Postgres the test fails.
func URL(tb testing.TB) string {
	tb.Helper()
	shared.Lock()
	shared.made++
	name := fmt.Sprintf("test_%d", shared.made)
	shared.Unlock()
	url, err := Schema(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return url
}

// Schema makes a schema of the one server, which the first call starts, and gives its URL.
func Schema(ctx context.Context, name string) (url string, err error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.Server == nil && shared.err == nil {
		shared.Server, shared.err = start(ctx)
	}
	if shared.err != nil {
		return "", shared.err
	}
	if err := do(ctx, Address(""), "CREATE SCHEMA "+name); err != nil {
		return "", fmt.Errorf("make the schema %s: %w", name, err)
	}
	return Address(name), nil
}

// Address gives the URL of a schema of the server that is running, whether or not there is such a schema; empty: public.
func Address(schema string) string {
	var query url.Values
	if schema != "" {
		query = url.Values{"search_path": {schema}}
	}
	return shared.address(query)
}

func (s *Server) address(query url.Values) string {
	if query == nil {
		query = url.Values{}
	}
	query.Set("host", s.folder)
	query.Set("sslmode", "disable")
	return (&url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/postgres", RawQuery: query.Encode()}).String()
}

// Own starts a server for a test that restarts it. It ends with the test.
func Own(tb testing.TB) *Server {
	tb.Helper()
	s, err := start(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.alive.Close() })
	return s
}

// URL gives the URL of the server's one database, whose commits outlive a Crash.
func (s *Server) URL() string { return s.address(url.Values{"synchronous_commit": {"on"}}) }

// Restart ends the server as its administrator does, and starts it again: connections are cut, and open transactions rolled
// back. It gives once the server can be used.
func (s *Server) Restart(ctx context.Context) error { return s.again(ctx, "INT") }

// Crash ends the server at once, as its own failure does, and starts it again: it recovers from its log.
func (s *Server) Crash(ctx context.Context) error { return s.again(ctx, "QUIT") }

func (s *Server) again(ctx context.Context, signal string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	before, err := s.started(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(s.alive, signal); err != nil {
		return err
	}
	for {
		now, err := s.started(ctx)
		if err == nil && !now.Equal(before) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the server did not come back after %s", signal), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// started tells since when the server has been running.
func (s *Server) started(ctx context.Context) (at time.Time, err error) {
	conn, err := pgx.Connect(ctx, s.URL())
	if err != nil {
		return at, err
	}
	err = conn.QueryRow(ctx, "SELECT pg_postmaster_start_time()").Scan(&at)
	return at, errors.Join(err, conn.Close(ctx))
}

// do runs one statement on a connection of its own.
func do(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// start makes a server in a new folder.
func start(ctx context.Context) (_ *Server, err error) {
	programs, err := programs()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "tallyman-pg-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	as, err := owner(folder)
	if err != nil {
		return nil, err
	}
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(name, args...) //nolint:noctx // it outlives the test that needed it first
		c.Dir, c.Env, c.SysProcAttr = folder, []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}, as
		return c
	}
	said, err := command(filepath.Join(programs, "initdb"), "--pgdata", filepath.Join(folder, "data"), "--username", superuser,
		"--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, said)
	}
	input, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	keeper := command("/bin/sh", "-c", run, "sh", programs, folder)
	keeper.Stdin = input
	err = errors.Join(keeper.Start(), input.Close())
	if err == nil {
		err = ready(ctx, folder)
	}
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(folder, "log"))
		return nil, errors.Join(fmt.Errorf("start Postgres: %w\n%s", err, log), alive.Close())
	}
	return &Server{folder, alive}, nil
}

// ready waits until the server can be used.
func ready(ctx context.Context, folder string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s user=%s dbname=postgres sslmode=disable", folder, superuser))
	if err != nil {
		return err
	}
	for {
		conn, err := pgx.ConnectConfig(ctx, config)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// programs finds the folder with Postgres's programs.
func programs() (string, error) {
	var folders []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	// Debian keeps them out of the path, by version.
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(installed, func(a, b string) int { return version(b) - version(a) })
	for _, folder := range append(folders, installed...) {
		_, initdb := os.Stat(filepath.Join(folder, "initdb"))
		_, postgres := os.Stat(filepath.Join(folder, "postgres"))
		if initdb == nil && postgres == nil {
			return folder, nil
		}
	}
	return "", errors.New("these tests start a PostgreSQL server, and its programs initdb and postgres are neither on PATH nor in " +
		"/usr/lib/postgresql/*/bin; install PostgreSQL 13 or later (apt-get install postgresql, brew install postgresql), or run make postgres")
}

// version gives the number in a folder such as /usr/lib/postgresql/15/bin.
func version(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return n
}

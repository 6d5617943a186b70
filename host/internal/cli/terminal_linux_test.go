// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// onTerminal runs a command on a terminal of 80 columns and gives what it prints there.
func (s *shell) onTerminal(code int, args ...string) string {
	s.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer master.Close() //nolint:errcheck // what it gave has been read
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		s.t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		s.t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		s.t.Fatal(err)
	}
	var out bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&out, master) // ends with an error once nobody has the terminal open
	}()
	got := runCLI(slave, append([]string{"--config", s.config}, args...)...)
	if err := slave.Close(); err != nil {
		s.t.Fatal(err)
	}
	<-read
	text := strings.ReplaceAll(out.String(), "\r\n", "\n")
	if got != code {
		s.t.Fatalf("tallyman %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, text)
	}
	for line := range strings.Lines(text) {
		line = line[strings.LastIndex(line, "\x1b[K")+1:] // what was taken away again does not count
		if n := utf8.RuneCountInString(strings.TrimRight(strings.TrimPrefix(line, "[K"), " \n")); n > 80 {
			s.t.Errorf("tallyman %s: a line of %d characters: %s", strings.Join(args, " "), n, line)
		}
	}
	return text
}

func TestATerminalIsToldThatThereIsMore(t *testing.T) {
	t.Parallel()
	_, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.crowd(260)
	out := s.onTerminal(0, "customers", "list")
	s.wants(out, "200 of 260 shown; --limit 0 shows all.")
	if strings.Contains(out, "Customer 0200") {
		t.Error("more than a screenful is shown")
	}
	if out := s.onTerminal(0, "customers", "list", "--limit", "0"); !strings.Contains(out, "Customer 0259") || strings.Contains(out, "shown") {
		t.Errorf("not all are shown: %s", out[len(out)-200:])
	}
}

func TestATerminalShowsARunInALine(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "sync", "acme/rhipe")
	s.run(0, "sync", "acme/rhipe")
	distributor.set("a c1 1", 2500)
	distributor.set("a c2 1", 8)
	s.run(4, "sync", "acme/rhipe")
	s.run(0, "reject", "3")
	distributor.mu.Lock()
	distributor.cut = true
	distributor.mu.Unlock()
	s.run(4, "sync", "acme/rhipe")
	s.write("secret", "wrong\n")
	s.run(1, "sync", "acme/rhipe")
	out := s.onTerminal(0, "runs", "list")
	if lines := strings.Count(out, "\n"); lines != 6 {
		t.Errorf("5 runs and a heading take %d lines:\n%s", lines, out)
	}
	s.wants(out, "held, decided", "4 created", "1 held; 1 updated", "distributor.auth")
}

func TestATerminalShowsIdsOnlyWhereNamesAreEqual(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.run(0, "mappings", "generate", "acme/rhipe")
	if out := s.onTerminal(0, "mappings", "list", "acme/rhipe"); strings.Contains(out, "c1") || strings.Contains(out, "Its id") {
		t.Errorf("ids take the names' place:\n%s", out)
	}
	s.wants(s.onTerminal(0, "mappings", "list", "acme/rhipe", "--ids"), "Its id", "c1", "c2", "c3")
	distributor.mu.Lock()
	distributor.names["c3"] = "Contoso Pty Ltd"
	distributor.mu.Unlock()
	s.run(0, "mappings", "generate", "acme/rhipe")
	out := s.onTerminal(0, "mappings", "list", "acme/rhipe")
	s.wants(out, "Its id", "c1", "c3")
	if strings.Contains(out, "c2") {
		t.Errorf("the id of a name of its own is shown:\n%s", out)
	}
	s.wants(s.run(0, "mappings", "list", "acme/rhipe"), "Distributor customer\tCustomer\tHow\tIts id", "\tc2\n")
}

func TestChangesAreToldInWords(t *testing.T) {
	t.Parallel()
	distributor, url := newPrism(t)
	s := newShell(t, url, clientSecret)
	s.crowd(1)
	s.wants(s.onTerminal(4, "plan", "acme/rhipe"),
		`+ map "Contoso Pty Ltd" to a new customer`, `+ create subscription "Product 1" of Tailspin Toys`, "quantity 10; ")
	s.run(0, "sync", "acme/rhipe")
	s.wants(s.onTerminal(0, "changes", "--kind", "map"), `+ map "Contoso Pty Ltd" to "Contoso Pty Ltd" (#2) (`)

	s.run(0, "mappings", "add", "acme/rhipe", "c1", "Fabrikam Pty Ltd", "--change")
	s.wants(s.onTerminal(0, "changes", "--kind", "map", "--limit", "1"),
		`+ map "Contoso Pty Ltd" to "Fabrikam Pty Ltd" (#3) instead of "Contoso Pty Ltd" (#2) (`)
	s.wants(s.onTerminal(4, "plan", "acme/rhipe"),
		`~ move subscription "Product 1" from "Contoso Pty Ltd" (#2) to "Fabrikam Pty Ltd" (#3)`)
	distributor.mu.Lock()
	distributor.names["c3"] = "Tailspin Group"
	delete(distributor.quantity, "a c2 1")
	distributor.mu.Unlock()
	s.run(0, "sync", "acme/rhipe")
	s.wants(s.onTerminal(0, "runs", "show", "4"), `~ note that "Tailspin Toys" is now called "Tailspin Group" at the distributor`,
		`from "Contoso Pty Ltd" (#2) to "Fabrikam Pty Ltd" (#3)`)
	s.wants(s.run(0, "changes", "--run", "4"), "distributor customer rename\t", `from "Contoso Pty Ltd" (#2) to "Fabrikam Pty Ltd" (#3); `)
	s.run(0, "mappings", "remove", "acme/rhipe", "c1")
	s.wants(s.onTerminal(0, "changes", "--kind", "unmap"), `- unmap "Contoso Pty Ltd" from "Fabrikam Pty Ltd" (#3)`)
}

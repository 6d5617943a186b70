// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/plugins/rhipe/prismsim"
)

// mounted runs the program in a mount namespace of its own, after a shell script and before another. $DISK is a folder of
// the place, where the scripts may mount something; it is gone when the command ends.
func (p *place) mounted(before, after string, args ...string) (int, string) {
	p.t.Helper()
	disk := filepath.Join(p.dir, "disk")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		p.t.Fatal(err)
	}
	inner := p.command(args...)
	script := "set -e\n" + before + "\nset +e\n" + `"$0" "$@"` + "\ncode=$?\n" + after + "\nexit $code\n"
	cmd := exec.CommandContext(p.t.Context(), "/bin/sh", append([]string{"-c", script}, inner.Args...)...)
	cmd.Dir = inner.Dir
	cmd.Env = slices.Concat(inner.Env, []string{"DISK=" + disk, "TALLYMAN_DATABASE_URL=sqlite:" + filepath.Join(disk, "tallyman.db")})
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		p.t.Fatalf("a mount namespace is needed: %v", err)
	}
	p.printed.Write(out)
	return cmd.ProcessState.ExitCode(), string(out)
}

// TestAFullDisk runs a sync that has much to write on disks with ever more space left. Each either does all of it or
// nothing, says why, and leaves a database that the next run goes on with.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	first := copyOfFirst(t)
	before := first.contents()
	var full, done atomic.Int64
	t.Run("with a little space", func(t *testing.T) {
		t.Parallel()
		for _, free := range []int{0, 8, 24, 64, 160, 400, 800, 1600, 3200, 12800} {
			t.Run(fmt.Sprintf("%d KiB", free), func(t *testing.T) {
				t.Parallel()
				p := copyPlace(t, first, switchWorld())
				if p.onSmallDisk(before, free) {
					done.Add(1)
				} else {
					full.Add(1)
				}
			})
		}
	})
	t.Cleanup(func() {
		if full.Load() < 3 || done.Load() == 0 {
			t.Errorf("%d disks were full and %d were not; that proves little", full.Load(), done.Load())
		}
	})

	// A new database on a full disk.
	p := copyPlace(t, first, switchWorld())
	code, out := p.mounted(`mount -t tmpfs -o size=16k tmpfs "$DISK"; head -c 16384 /dev/zero >"$DISK/filler"`, ":", "sync", "acme/rhipe")
	if code != 1 {
		t.Errorf("exit code %d, want 1:\n%s", code, out)
	}
	p.wants(out, "database.full", "there is no space left", "Make room on the disk of")
}

// onSmallDisk makes a large run on a disk that has so many KiB left, and reports whether they were enough.
func (p *place) onSmallDisk(before contents, free int) (done bool) {
	t := p.t
	const more = 400
	today(p.world)
	for i := range more {
		p.world.AddSubscription("t-digits", prismsim.Subscription{
			FriendlyName: fmt.Sprintf("Seat %d", i), ProductName: strings.Repeat("A long name ", 10), Quantity: int64(i + 1),
		})
	}
	// A tmpfs counts whole pages, so the disk is given what is in use and the rest on top.
	code, out := p.mounted(fmt.Sprintf(`mount -t tmpfs -o size=4m tmpfs "$DISK"
		cp tallyman.db "$DISK/"
		used=$(df -k "$DISK" | awk 'NR == 2 { print $3 }')
		mount -o remount,size=$((used + %d))k "$DISK"`, free),
		`rm -f tallyman.db* && cp "$DISK"/tallyman.db* .`, "sync", "acme/rhipe")
	const active = "SELECT count(*) FROM subscriptions WHERE active"
	all := fmt.Sprint(7 + more - 1)
	switch {
	case code == 0:
		done = true
		if n := p.ask(active); n != all {
			t.Errorf("%s active subscriptions after a run that succeeded, want %s", n, all)
		}
	case code == 1 && strings.Contains(out, "database.full"):
		p.wants(out, "there is no space left", "Make room on the disk of", filepath.Join(p.dir, "disk"))
		if half := differences(before.visible(), p.contents().visible()); len(half) > 0 {
			t.Errorf("half of the run was kept:\n%s", strings.Join(half, "\n"))
		}
	default:
		t.Errorf("exit code %d, and not because the disk is full:\n%s", code, out)
	}
	if check := p.ask("PRAGMA integrity_check"); check != "ok" {
		t.Errorf("the database is damaged: %s", check)
	}
	// Once there is room, the next run does it all. The one before may have had no room to note that it is done.
	p.converge()
	if n := p.ask(active); n != all {
		t.Errorf("%s active subscriptions after the next run, want %s", n, all)
	}
	p.sync("no_change")
	return done
}

// TestReadOnly: what may not be written is told, with the folder and the remedy, and stays as it is.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	first := copyOfFirst(t)
	before := first.contents()

	t.Run("a disk", func(t *testing.T) {
		t.Parallel()
		p := copyPlace(t, first, switchWorld())
		const mount = `mount -t tmpfs -o size=4m tmpfs "$DISK"; cp tallyman.db "$DISK/"; mount -o remount,ro "$DISK"`
		for _, args := range [][]string{{"sync", "acme/rhipe"}, {"db", "migrate"}} {
			code, out := p.mounted(mount, `cmp tallyman.db "$DISK/tallyman.db" || code=99`, args...)
			if code != 1 {
				t.Errorf("tallyman %s: exit code %d, want 1", strings.Join(args, " "), code)
			}
			p.wants(out, "database.read_only", filepath.Join(p.dir, "disk"), "Let the user tallyman runs as read and write", "database.url")
		}
		code, out := p.mounted(`mount -t tmpfs -o ro tmpfs "$DISK"`, ":", "sync", "acme/rhipe")
		if code != 1 {
			t.Errorf("a new database: exit code %d, want 1", code)
		}
		p.wants(out, "database.read_only", "cannot be created", "read-only file system")
		p.unchanged(before)
	})

	for name, c := range map[string]struct {
		file, folder os.FileMode
		says         []string
	}{
		"a file":                 {0o444, 0o777, []string{"database.read_only"}},
		"a folder":               {0o666, 0o555, []string{"database.read_only"}},
		"a file for nobody":      {0o000, 0o777, []string{"database.permission", "may not be opened"}},
		"a folder for nobody":    {0o666, 0o000, []string{"database.permission"}},
		"a new file in a folder": {0, 0o555, []string{"database.permission", "cannot be created"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := copyPlace(t, first, switchWorld())
			folder := filepath.Join(p.dir, "data")
			file := filepath.Join(folder, "tallyman.db")
			must(t, os.Mkdir(folder, 0o755))
			if name != "a new file in a folder" {
				must(t, os.Rename(filepath.Join(p.dir, "tallyman.db"), file))
				must(t, os.Chmod(file, c.file))
			}
			must(t, os.Chmod(folder, c.folder))
			t.Cleanup(func() { _ = os.Chmod(folder, 0o755) })
			p.env["TALLYMAN_DATABASE_URL"] = "sqlite:" + file
			code, out := p.asNobody("sync", "acme/rhipe")
			if code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			p.wants(out, append(c.says, folder, "database.url")...)
			must(t, os.Chmod(folder, 0o755))
			if name == "a new file in a folder" {
				return
			}
			must(t, os.Chmod(file, 0o600))
			if diff := cmp.Diff(before, read(t, file)); diff != "" {
				t.Errorf("the database has changed:\n%s", diff)
			}
			p.sync("no_change")
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// asNobody runs the program as a user who owns nothing, where the superuser, who may write everything, runs the tests.
func (p *place) asNobody(args ...string) (int, string) {
	p.t.Helper()
	cmd := p.command(args...)
	if os.Geteuid() == 0 {
		// The program and the configuration are for everybody to read.
		for _, path := range []string{binaries, filepath.Join(binaries, "plugins"), filepath.Dir(p.dir), p.dir, filepath.Join(p.dir, "tallyman.hcl"), filepath.Join(p.dir, "tallyman.lock")} {
			must(p.t, os.Chmod(path, 0o755))
		}
		must(p.t, os.Chmod(p.tmp, 0o777))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	p.printed.Write(out)
	return cmd.ProcessState.ExitCode(), string(out)
}

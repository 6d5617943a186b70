// SPDX-License-Identifier: Apache-2.0

//go:build unix

package sdktest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tallymanhq/tallyman/sdk/internal/wire"
)

// orphanTime is how long a plugin may outlive its host.
const orphanTime = 10 * time.Second

// checkOrphan starts the program from a shell that plays the host, kills the shell, and sees whether the program ends.
func checkOrphan(ctx context.Context, b *bench) error {
	if b.Binary == "" {
		return missing("only over a process")
	}
	path, err := filepath.Abs(b.Binary)
	if err != nil {
		return err
	}
	shell := exec.CommandContext(ctx, "/bin/sh", "-c", wire.EnvParentPID+`=$$ "$0" 3>&- & echo "pid $!"; wait`, path)
	shell.Env = append(hostEnvironment(), wire.Handshake.MagicCookieKey+"="+wire.Handshake.MagicCookieValue, "PLUGIN_PROTOCOL_VERSIONS=1")
	out := &firstLines{ready: make(chan struct{})}
	shell.Stdout = out
	if err := shell.Start(); err != nil {
		return missing("there is no shell to play the host: %v", err)
	}
	var pid int
	select {
	case <-out.ready:
		pid = out.pid
	case <-time.After(startTimeout):
		err = errors.New("it printed no handshake")
	case <-ctx.Done():
		err = ctx.Err()
	}
	killed := shell.Process.Kill()
	if err == nil {
		err = killed
	}
	// A host that died is soon forgotten by the system; as long as nobody asks how it ended, it seems to be there.
	_, _ = shell.Process.Wait()
	if err == nil && !gone(ctx, pid) {
		err = fmt.Errorf("%s after its host was killed, it still runs", orphanTime)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = shell.Wait()
	return err
}

func gone(ctx context.Context, pid int) bool {
	deadline := time.NewTimer(orphanTime)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || isZombie(pid) {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// firstLines waits for the program's process id, which the shell prints, and its handshake.
type firstLines struct {
	text  string
	pid   int
	told  bool
	ready chan struct{}
}

func (l *firstLines) Write(p []byte) (int, error) {
	l.text += string(p)
	shaken := false
	for line := range strings.Lines(l.text) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "pid "); ok {
			l.pid, _ = strconv.Atoi(text)
		}
		shaken = shaken || handshakeLine.MatchString(line)
	}
	if l.pid > 0 && shaken && !l.told {
		l.told = true
		close(l.ready)
	}
	return len(p), nil
}

// SPDX-License-Identifier: Apache-2.0

package pluginhost

import (
	"context"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/transport"
)

// startError says why a start failed, from what was seen of the process rather than from what go-plugin guesses.
func (p *Process) startError(ctx, startCtx context.Context, err error) error {
	name, path := p.spec.Name, p.spec.Path
	if ctx.Err() != nil {
		return fmt.Errorf("start plugin %q: %w", name, context.Cause(ctx))
	}
	if p.child.ID() == "" {
		return p.execError(err)
	}
	var own *Error
	if errors.As(err, &own) && own.code == CodeChecksum {
		return err
	}
	said := p.child.said()
	timedOut := startCtx.Err() != nil
	// Whoever is still alive has said what there is to see, or never will.
	p.child.stop()
	<-p.child.done

	switch {
	case timedOut && !said.hello:
		return fail(CodeStartTimeout, "A plugin does its work when it is asked, not at its start. "+p.lastWords(),
			"plugin %q (%s) did not say that it is ready within %s; it was killed", name, path, p.spec.StartTimeout)
	case timedOut:
		return fail(CodeStartTimeout, p.lastWords(),
			"plugin %q (%s) started but did not describe itself within %s; it was killed", name, path, p.spec.StartTimeout)
	case len(said.noise) > 0 && said.hello:
		return fail(CodeStdout, "A plugin must not write to its standard output, which carries the handshake; it has a log for that.",
			"plugin %q (%s) wrote to its standard output before the handshake: %q", name, path, p.redact.clean(cut(said.noise[0], 200)))
	case len(said.noise) > 0:
		return fail(CodeNotAPlugin, "Was the right file put into the plugins directory?",
			"%s is not a plugin: instead of a handshake it wrote %q", path, p.redact.clean(cut(said.noise[0], 200)))
	case !said.hello:
		return p.silentError()
	case said.core != 1:
		return p.versionError(fmt.Sprintf("an unknown kind of handshake (%d)", said.core))
	case transport.ClientPlugins()[said.protocol] == nil:
		return p.versionError(fmt.Sprintf("version %d of the protocol", said.protocol))
	case said.badAddr:
		return fail(CodeProtocol, "Report this to the plugin's vendor.", "plugin %q (%s) listens at %q, which is not where it was told to",
			name, path, p.redact.clean(said.addr))
	}
	var crash *CrashError
	var told *sdk.Error
	if own != nil || errors.As(err, &crash) || errors.As(err, &told) {
		return err
	}
	return fail(CodeStart, p.lastWords(), "plugin %q (%s) could not be started", name, path).because(err)
}

// execError is for a process the system would not start.
func (p *Process) execError(err error) error {
	name, path := p.spec.Name, p.spec.Path
	switch {
	case isBadFormat(err):
		if built := builtFor(path); built != "" {
			return fail(CodePlatform, fmt.Sprintf("Get the vendor's file for %s/%s.", runtime.GOOS, runtime.GOARCH),
				"plugin %q: %s is built for %s; this host runs on %s/%s", name, path, built, runtime.GOOS, runtime.GOARCH)
		}
		return fail(CodeNotAPlugin, "Was the right file put into the plugins directory?", "plugin %q: %s is not a program", name, path)
	case errors.Is(err, fs.ErrPermission):
		return fail(CodeNotExecutable, "The user that runs the host needs the right to execute it; the file system may also be mounted \"noexec\".",
			"plugin %q: %s may not be executed", name, path)
	case errors.Is(err, fs.ErrNotExist) && exists(path):
		return fail(CodeStart, "Ask the vendor for a statically linked file, or install what it needs.",
			"plugin %q: %s needs a loader or interpreter that this machine does not have", name, path)
	case errors.Is(err, fs.ErrNotExist):
		return fail(CodeNotFound, "", "plugin %q: there is no file %s", name, path)
	}
	return fail(CodeStart, "", "plugin %q (%s) could not be started", name, path).because(err)
}

// silentError is for a process that ended without a word on its standard output.
func (p *Process) silentError() error {
	record := p.child.crashRecord(&p.spec, "", callStart)
	if len(record.Panic) > 0 || record.Signal != "" {
		return &CrashError{Record: record}
	}
	hint := "Was the right file put into the plugins directory? " + p.lastWords()
	return fail(CodeNotAPlugin, strings.TrimSpace(hint), "%s is not a plugin, or could not start: it ended with exit code %d and without a handshake",
		p.spec.Path, record.ExitCode)
}

func (p *Process) versionError(speaks string) error {
	var known []string
	for v := range transport.ClientPlugins() {
		known = append(known, fmt.Sprint(v))
	}
	slices.Sort(known)
	return fail(CodeProtocolVersion, "Use versions of plugin and host that go together; the older of the two needs an update.",
		"plugin %q (%s) speaks %s; this host speaks version %s", p.spec.Name, p.spec.Path, speaks, strings.Join(known, ", "))
}

// lastWords gives the end of what the plugin logged, for a hint.
func (p *Process) lastWords() string {
	lines := p.sink.last()
	if len(lines) == 0 {
		return "It wrote nothing to its log."
	}
	return "The last it wrote: " + cut(strings.Join(lines[max(0, len(lines)-3):], " / "), 500)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// builtFor gives the platform a program was built for, as Go names it where Go has a name; empty if it is no program.
func builtFor(path string) string {
	if f, err := elf.Open(path); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		system := "linux"
		if f.OSABI == elf.ELFOSABI_FREEBSD {
			system = "freebsd"
		}
		return system + "/" + archName(strings.TrimPrefix(f.Machine.String(), "EM_"), map[string]string{
			"X86_64": "amd64", "AARCH64": "arm64", "386": "386", "ARM": "arm", "RISCV": "riscv64", "LOONGARCH": "loong64", "S390": "s390x", "PPC64": "ppc64le",
		})
	}
	if f, err := macho.Open(path); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		return "darwin/" + archName(strings.TrimPrefix(f.Cpu.String(), "Cpu"), map[string]string{"Amd64": "amd64", "Arm64": "arm64"})
	}
	if f, err := macho.OpenFat(path); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		return "darwin (universal)"
	}
	if f, err := pe.Open(path); err == nil {
		defer f.Close() //nolint:errcheck // it was only read
		return "windows/" + archName(fmt.Sprintf("%#x", f.Machine), map[string]string{"0x8664": "amd64", "0xaa64": "arm64", "0x14c": "386"})
	}
	return ""
}

func archName(raw string, names map[string]string) string {
	if name, ok := names[raw]; ok {
		return name
	}
	return strings.ToLower(raw)
}

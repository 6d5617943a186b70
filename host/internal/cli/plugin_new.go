// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/scaffold"
)

// sdkModule is the Go module the SDK is in.
const sdkModule = "github.com/tallymanhq/tallyman"

func (a *app) pluginNew() *cobra.Command {
	var dir, module, sdk string
	cmd := &cobra.Command{
		Use: "new NAME", Args: cobra.ExactArgs(1),
		Short: "Write the project of a new plugin, with a simulator and tests that pass",
		Long: "Write the project of a new plugin: a Go module of its own with settings, client, mapping, a simulator of the distributor, tests, " +
			"a README, a Makefile and a release configuration. It builds and passes the conformance suite as it is written.\n\n" +
			"As long as this version of Tallyman is not released, the SDK is taken from a checkout: the one this program was built in, or --sdk.",
		Example: "  tallyman plugin new acmecloud\n  tallyman plugin new acmecloud --dir ~/src/acmecloud --module github.com/acme/tallyman-plugin-acmecloud",
		RunE: func(cmd *cobra.Command, args []string) error {
			project := scaffold.Project{Name: args[0], Module: module, Go: languageVersion()}
			var err error
			if project.SDKVersion, project.SDK, err = a.sdkSource(sdk); err != nil {
				return err
			}
			dir := cmp.Or(dir, "tallyman-plugin-"+args[0])
			files, err := scaffold.Write(dir, project)
			if err != nil {
				return usageError{err}
			}
			if err := tidyModule(cmd.Context(), dir); err != nil {
				return err
			}
			return a.written(dir, files)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&dir, "dir", "", "write into `FOLDER` (default tallyman-plugin-NAME)")
	flags.StringVar(&module, "module", "", "the Go module's `PATH` (default example.com/tallyman-plugin-NAME)")
	flags.StringVar(&sdk, "sdk", "", "take the SDK from a checkout of Tallyman in `FOLDER`")
	return cmd
}

// written says what there is now, and what to do with it.
func (a *app) written(dir string, files []string) error {
	if a.json {
		return a.printJSON(struct {
			Directory string   `json:"directory"`
			Files     []string `json:"files"`
		}{dir, files})
	}
	for _, file := range files {
		fmt.Fprintf(a.out, "  %s\n", file)
	}
	program := "tallyman"
	if path, err := os.Executable(); err == nil {
		program = path
	}
	fmt.Fprintf(a.out, "Written to %s. Now:\n  cd %s\n  make test\n  make conformance TALLYMAN=%s\n", dir, dir, program)
	return nil
}

// languageVersion is the version of Go that a plugin's module asks for: this program's, without the patch.
func languageVersion() string {
	version := strings.TrimPrefix(runtime.Version(), "go")
	if parts := strings.Split(version, "."); len(parts) > 2 {
		version = parts[0] + "." + parts[1] + ".0"
	}
	return version
}

var released = regexp.MustCompile(`^\d+\.\d+\.\d+$`)

// sdkSource gives the version of the SDK and, where it is not released, the checkout that takes its place.
func (a *app) sdkSource(given string) (version, checkout string, err error) {
	if given == "" && released.MatchString(a.version) {
		return "v" + a.version, "", nil
	}
	if given != "" {
		if given, err = filepath.Abs(given); err != nil {
			return "", "", err
		}
		if !isCheckout(given) {
			return "", "", usagef("%s is no checkout of Tallyman: it has no go.mod of module %s", given, sdkModule)
		}
		return "v0.0.0", given, nil
	}
	program, err := os.Executable()
	if err != nil {
		return "", "", err
	}
	for dir := filepath.Dir(program); ; dir = filepath.Dir(dir) {
		if isCheckout(dir) {
			return "v0.0.0", dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", "", usagef("Tallyman %s is not released, and this program is not in a checkout; say where one is with --sdk FOLDER", a.version)
		}
	}
}

func isCheckout(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first) == "module "+sdkModule
}

// tidyModule lets Go find out what the project needs.
func tidyModule(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "mod", "tidy")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("the project is written to %s, but Go is not installed: install it (https://go.dev/dl), then run \"go mod tidy\" there", dir)
	case err != nil:
		return fmt.Errorf("the project is written to %s, but \"go mod tidy\" there fails: %w\n%s", dir, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

// Package scaffold writes the project of a new plugin: complete, tested, and the vendor's own.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"golang.org/x/mod/module"
)

// Project says what is written.
type Project struct {
	// Name of the plugin, [a-z0-9][a-z0-9-]*: "acme-cloud". Required.
	Name string
	// Module is the Go module's path. Default: example.com/tallyman-plugin-NAME.
	Module string
	// SDKVersion is the version of the SDK that go.mod asks for. Required.
	SDKVersion string
	// SDK is the path of a checkout that takes the place of a released SDK. Empty: none is needed.
	SDK string
	// Go is the version of the language that go.mod asks for. Required.
	Go string
}

// Display is the name for people: "Acme Cloud".
func (p Project) Display() string {
	words := strings.Split(p.Name, "-")
	for i, word := range words {
		if word != "" {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, " ")
}

// Sim is the name of the simulator's package and program: "acmecloudsim".
func (p Project) Sim() string {
	name := strings.ReplaceAll(p.Name, "-", "") + "sim"
	if name[0] >= '0' && name[0] <= '9' {
		name = "sim" + strings.TrimSuffix(name, "sim")
	}
	return name
}

// Variable is what environment variables begin with: "ACME_CLOUD".
func (p Project) Variable() string { return strings.ToUpper(strings.ReplaceAll(p.Name, "-", "_")) }

//go:embed project
var templates embed.FS

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// target gives where a template's file goes.
func (p Project) target(name string) string {
	name = strings.TrimSuffix(name, ".tmpl")
	switch name {
	case "gitignore", "goreleaser.yaml":
		return "." + name
	case "simulator/cmd/main.go":
		return p.Sim() + "/cmd/" + p.Sim() + "/main.go"
	}
	if rest, ok := strings.CutPrefix(name, "simulator/"); ok {
		return p.Sim() + "/" + rest
	}
	return name
}

// Write writes the project into a folder, which it makes, and gives the files' names in it. A folder that holds anything
// is refused, and nothing is written.
func Write(dir string, p Project) ([]string, error) {
	if !validName.MatchString(p.Name) {
		return nil, fmt.Errorf("%q cannot be a plugin's name: lower-case letters, digits and dashes, such as acme-cloud", p.Name)
	}
	if p.Module == "" {
		p.Module = "example.com/tallyman-plugin-" + p.Name
	}
	if module.CheckImportPath(p.Module) != nil {
		return nil, fmt.Errorf("%q cannot be a Go module's path; it is like example.com/acme-cloud", p.Module)
	}
	if err := mustBeEmpty(dir); err != nil {
		return nil, err
	}
	var written []string
	err := fs.WalkDir(templates, "project", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name := p.target(strings.TrimPrefix(path, "project/"))
		text, err := p.render(path, name)
		if err != nil {
			return err
		}
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil { //nolint:gosec // a project is for everybody to read
			return err
		}
		written = append(written, name)
		return os.WriteFile(full, text, 0o644) //nolint:gosec // a project is for everybody to read
	})
	return written, err
}

func (p Project) render(path, name string) ([]byte, error) {
	t, err := template.ParseFS(templates, path)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, p); err != nil {
		return nil, err
	}
	if filepath.Ext(name) == ".go" {
		return format.Source(text.Bytes())
	}
	return text.Bytes(), nil
}

func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != ".git" {
			return fmt.Errorf("%s is not empty: it holds %s. Name another folder with --dir", dir, entry.Name())
		}
	}
	return nil
}

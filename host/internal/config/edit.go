// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Switch says which module is to be enabled or disabled in the files.
type Switch struct {
	Tenant, Module string
	// Plugin is the plugin's name, where it is not the module's. Empty: it is, or it stays as it is.
	Plugin string
	On     bool
	// Fields are the plugin's settings; a new module's block gets those that are required. Nil: none are known.
	Fields []Field
}

// Switched is what became of it.
type Switched struct {
	// File is the one that has the module.
	File string
	// Changed is false where everything was so already. Added modules are new.
	Changed, Added bool
	// Variables are those the new block reads.
	Variables []string
}

// SwitchModule writes into the file that has the tenant that a module is on or off. Everything else in it stays as it is,
// to the byte. The tenant must be there, and a module that is to be disabled, too.
func SwitchModule(files []string, s Switch) (Switched, error) {
	if !nameForm.MatchString(s.Module) {
		return Switched{}, fmt.Errorf("a module's name consists of a-z, 0-9 and dashes, and does not begin with a dash; %q does not do", s.Module)
	}
	if s.Plugin != "" && !pluginForm.MatchString(s.Plugin) {
		return Switched{}, fmt.Errorf("a plugin's name consists of a-z, 0-9 and dashes, with @1.2.0 behind it for a version; %q does not do", s.Plugin)
	}
	var sources []*source
	var tenants []string
	var found *source
	var tenant *hclsyntax.Block
	for i, path := range files {
		content, err := readConfig(path)
		if err != nil {
			return Switched{}, err
		}
		parsed, problems := parse(path, i, content)
		if err := problemsError(problems); err != nil {
			return Switched{}, err
		}
		sources = append(sources, parsed)
		for _, b := range parsed.body.Blocks {
			if b.Type != "tenant" || len(b.Labels) != 1 {
				continue
			}
			tenants = append(tenants, b.Labels[0])
			if b.Labels[0] == s.Tenant && tenant == nil {
				found, tenant = parsed, b
			}
		}
	}
	if tenant == nil {
		hint := fmt.Sprintf("write its block first: tenant %q { }", s.Tenant)
		if best := nearest(s.Tenant, tenants); best != "" {
			hint = fmt.Sprintf("did you mean %q?", best)
		}
		return Switched{}, fmt.Errorf("there is no tenant %q in %s; %s", s.Tenant, strings.Join(files, ", "), hint)
	}
	result := Switched{File: found.name}
	var modules []string
	for _, b := range tenant.Body.Blocks {
		if b.Type != "module" || len(b.Labels) != 1 {
			continue
		}
		modules = append(modules, b.Labels[0])
		if b.Labels[0] != s.Module {
			continue
		}
		if err := samePlugin(found, b, s); err != nil {
			return result, err
		}
		content, err := switchBlock(found, b, s)
		if err != nil || content == nil {
			return result, err
		}
		result.Changed = true
		return result, found.replace(content)
	}
	if !s.On {
		hint := ""
		if best := nearest(s.Module, modules); best != "" {
			hint = fmt.Sprintf("; did you mean %q?", best)
		}
		return result, fmt.Errorf("tenant %q has no module %q%s", s.Tenant, s.Module, hint)
	}
	text, variables := s.newBlock(sources)
	result.Changed, result.Added, result.Variables = true, true, variables
	return result, found.replace(insert(found.bytes, tenant, text))
}

// samePlugin refuses to enable a module with another plugin than it has.
func samePlugin(found *source, b *hclsyntax.Block, s Switch) error {
	if s.Plugin == "" {
		return nil
	}
	has, at := b.Labels[0], b.DefRange()
	if a := b.Body.Attributes["plugin"]; a != nil {
		has, at = argument(a.Expr), a.Expr.Range()
	}
	if has == s.Plugin {
		return nil
	}
	return fmt.Errorf("module %s/%s uses another plugin already (%s:%d:%d); change it there, or give the module another name",
		s.Tenant, s.Module, found.name, at.Start.Line, at.Start.Column)
}

// switchBlock sets enabled in a module's block. It gives nil where nothing has to change.
func switchBlock(found *source, b *hclsyntax.Block, s Switch) ([]byte, error) {
	is := true
	if a := b.Body.Attributes["enabled"]; a != nil {
		literal, ok := a.Expr.(*hclsyntax.LiteralValueExpr)
		if !ok || literal.Val.Type() != cty.Bool {
			return nil, fmt.Errorf("enabled at %s:%d:%d is neither true nor false; change it there",
				found.name, a.Expr.Range().Start.Line, a.Expr.Range().Start.Column)
		}
		if is = literal.Val.True(); is != s.On {
			at := spanOf(a.Expr.Range())
			return slices.Concat(found.bytes[:at.from], fmt.Appendf(nil, "%t", s.On), found.bytes[at.to:]), nil
		}
	}
	if is == s.On {
		return nil, nil
	}
	return insertFirst(found.bytes, b, fmt.Sprintf("enabled = %t", s.On)), nil
}

// newBlock gives the text of a module that sets what its plugin requires.
func (s Switch) newBlock(sources []*source) (string, []string) {
	var variables []string
	file := hclwrite.NewEmptyFile()
	body := file.Body().AppendNewBlock("module", []string{s.Module}).Body()
	if s.Plugin != "" && s.Plugin != s.Module {
		body.SetAttributeValue("plugin", cty.StringVal(s.Plugin))
	}
	settings := body.AppendNewBlock(settingsName, nil).Body()
	groups := map[string]*hclwrite.Body{"": settings}
	for _, f := range s.Fields {
		if !f.Required || slices.ContainsFunc(strings.Split(f.Name, "."), func(part string) bool { return !settingForm.MatchString(part) }) {
			continue
		}
		prefix, name := "", f.Name
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			prefix, name = name[:i], name[i+1:]
		}
		to := groups[prefix]
		if to == nil {
			to = settings
			for part := range strings.SplitSeq(prefix, ".") {
				if inner := to.FirstMatchingBlock(part, nil); inner != nil {
					to = inner.Body()
				} else {
					to = to.AppendNewBlock(part, nil).Body()
				}
			}
			groups[prefix] = to
		}
		for line := range strings.SplitSeq(wrap(oneLine(f.about()), 100), "\n") {
			if line != "" {
				to.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# " + line + "\n")}})
			}
		}
		variable := s.variable(f.Name, sources)
		value := f.placeholder(variable)
		if f.Secret && strings.HasPrefix(value, "env") {
			variables = append(variables, variable)
		}
		to.SetAttributeRaw(name, hclwrite.Tokens{{Type: hclsyntax.TokenIdent, Bytes: []byte(value)}})
	}
	if s.Fields == nil {
		settings.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# The plugin's own settings.\n")}})
	}
	return strings.TrimRight(string(hclwrite.Format(file.Bytes())), "\n"), variables
}

// variable derives the name of a secret's variable. Two tenants never share one by accident.
func (s Switch) variable(setting string, sources []*source) string {
	l := newLoader(nil)
	for _, parsed := range sources {
		_ = hclsyntax.VisitAll(parsed.body, func(node hclsyntax.Node) hcl.Diagnostics {
			if a, ok := node.(*hclsyntax.Attribute); ok {
				l.note(a.Expr)
			}
			return nil
		})
	}
	name := variableFor(s.Module, setting)
	if l.referenced[name] {
		name = variableFor(s.Tenant+"."+s.Module, setting)
	}
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// wrap folds text at blanks.
func wrap(text string, width int) string {
	var out strings.Builder
	used := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case used == 0:
		case used+1+len(word) > width:
			out.WriteByte('\n')
			used = 0
		default:
			out.WriteByte(' ')
			used++
		}
		out.WriteString(word)
		used += len(word)
	}
	return out.String()
}

// insert puts text at the end of a block, on lines of its own, indented as the block is.
func insert(content []byte, b *hclsyntax.Block, text string) []byte {
	newline := lineEnd(content)
	outer := indentOf(content, b.TypeRange.Start.Byte)
	end := b.CloseBraceRange.Start.Byte
	before := bytes.TrimRight(content[:end], " \t")
	var out bytes.Buffer
	switch {
	case oneLiner(b):
		out.Write(openUp(content, b, outer, newline))
	case bytes.HasSuffix(before, []byte("\n")):
		out.Write(before)
	default:
		out.Write(before)
		out.WriteString(newline)
	}
	if len(b.Body.Attributes)+len(b.Body.Blocks) > 0 && !bytes.HasSuffix(out.Bytes(), []byte(newline+newline)) {
		out.WriteString(newline)
	}
	writeIndented(&out, text, outer+"  ", newline)
	out.WriteString(outer)
	out.Write(content[end:])
	return out.Bytes()
}

// insertFirst puts a line at the beginning of a block.
func insertFirst(content []byte, b *hclsyntax.Block, line string) []byte {
	newline := lineEnd(content)
	outer := indentOf(content, b.TypeRange.Start.Byte)
	open, end := b.OpenBraceRange.End.Byte, b.CloseBraceRange.Start.Byte
	var out bytes.Buffer
	out.Write(content[:open])
	out.WriteString(newline)
	writeIndented(&out, line, outer+"  ", newline)
	if oneLiner(b) {
		if inner := strings.TrimSpace(string(content[open:end])); inner != "" {
			writeIndented(&out, inner, outer+"  ", newline)
		}
		out.WriteString(outer)
		out.Write(content[end:])
		return out.Bytes()
	}
	rest := content[open:]
	// A comment beside the brace stays beside it.
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		out.Reset()
		out.Write(content[:open+i+1])
		writeIndented(&out, line, outer+"  ", newline)
		out.Write(rest[i+1:])
	}
	return out.Bytes()
}

func oneLiner(b *hclsyntax.Block) bool {
	return b.OpenBraceRange.Start.Line == b.CloseBraceRange.Start.Line
}

// openUp gives all before a one-line block's closing brace, with what is in the block on a line of its own.
func openUp(content []byte, b *hclsyntax.Block, outer, newline string) []byte {
	var out bytes.Buffer
	out.Write(content[:b.OpenBraceRange.End.Byte])
	out.WriteString(newline)
	if inner := strings.TrimSpace(string(content[b.OpenBraceRange.End.Byte:b.CloseBraceRange.Start.Byte])); inner != "" {
		writeIndented(&out, inner, outer+"  ", newline)
	}
	return out.Bytes()
}

func writeIndented(out *bytes.Buffer, text, indent, newline string) {
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			out.WriteString(indent + line)
		}
		out.WriteString(newline)
	}
}

// indentOf gives the blanks before a place in its line.
func indentOf(content []byte, at int) string {
	line := content[bytes.LastIndexByte(content[:at], '\n')+1 : at]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// lineEnd gives how the file ends its lines.
func lineEnd(content []byte) string {
	if i := bytes.IndexByte(content, '\n'); i > 0 && content[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// replace writes the file anew, so that it is the old one or the new one whatever happens.
func (s *source) replace(content []byte) error {
	if _, problems := parse(s.name, 0, content); len(problems) > 0 {
		return fmt.Errorf("%s cannot be changed by itself; write the module's block by hand", s.name)
	}
	// A link stays one.
	path, err := filepath.EvalSymlinks(s.name)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".tallyman-*.tmp")
	if err != nil {
		return fmt.Errorf("write beside %s: %w", s.name, err)
	}
	defer os.Remove(next.Name()) //nolint:errcheck // it is gone after the rename
	if err := errors.Join(fill(next, content, info), next.Close()); err != nil {
		return fmt.Errorf("write beside %s: %w", s.name, err)
	}
	now, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, s.bytes) {
		return fmt.Errorf("%s was changed by somebody else meanwhile; try again", s.name)
	}
	return os.Rename(next.Name(), path)
}

func fill(next *os.File, content []byte, like os.FileInfo) error {
	if err := next.Chmod(like.Mode().Perm()); err != nil {
		return err
	}
	keepOwner(next, like)
	if _, err := next.Write(content); err != nil {
		return err
	}
	return next.Sync()
}

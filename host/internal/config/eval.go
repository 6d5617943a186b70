// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// maxReference bounds what file("…") reads, in bytes.
const maxReference = 64 << 10

// trouble is what is wrong with a part of an expression.
type trouble struct {
	at            hcl.Range
	message, hint string
	// missing is set where only the world outside the files is to blame: a variable that is not set, a file that is not
	// there. warning troubles keep nothing from running.
	missing, warning bool
	// secretIn is as in Problem.
	secretIn string
}

// evaluated is the value of an expression and what is known about it.
type evaluated struct {
	value cty.Value
	// text is the value of an env or file that is the whole expression: exactly what was read.
	text *string
	// source names it: env RHIPE_CLIENT_ID, file secrets/rhipe.
	source string
	// literal values stand in the file as they are.
	literal bool
}

// evaluator evaluates expressions of one file.
type evaluator struct {
	environ map[string]string
	// dir is the file's folder.
	dir string
	// checkPermissions warns of secret files that everybody may read.
	checkPermissions bool
	troubles         []trouble
}

// evaluate gives the value of an expression. Its second result is false where troubles tell why there is none.
func (e *evaluator) evaluate(expr hclsyntax.Expression) (evaluated, bool) {
	before := len(e.troubles)
	if name, arg, ok := call(expr); ok {
		text, ok := e.refer(name, arg)
		if !ok {
			return evaluated{}, false
		}
		return evaluated{value: cty.StringVal(text), text: &text, source: name + " " + argument(arg)}, true
	}
	literal := true
	e.allow(expr, &literal)
	if failed(e.troubles[before:]) {
		return evaluated{}, false
	}
	functions := map[string]function.Function{}
	for _, name := range []string{"env", "file"} {
		functions[name] = function.New(&function.Spec{
			Params: []function.Parameter{{Name: "name", Type: cty.String}}, Type: function.StaticReturnType(cty.String),
			Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
				quiet := evaluator{environ: e.environ, dir: e.dir}
				text, ok := quiet.read(name, args[0].AsString(), hcl.Range{})
				if !ok {
					return cty.NilVal, errors.New("it cannot be read any more")
				}
				return cty.StringVal(text), nil
			},
		})
	}
	value, diags := expr.Value(&hcl.EvalContext{Functions: functions})
	if diags.HasErrors() || !value.IsWhollyKnown() {
		// What the language says may quote the value.
		e.trouble(expr.Range(), "this value cannot be read", "Write text, a number, true, false or a list.")
		return evaluated{}, false
	}
	return evaluated{value: value, literal: literal}, true
}

func failed(troubles []trouble) bool {
	for _, t := range troubles {
		if !t.warning {
			return true
		}
	}
	return false
}

func (e *evaluator) trouble(at hcl.Range, message, hint string) {
	e.troubles = append(e.troubles, trouble{at: at, message: message, hint: hint})
}

// call takes env("X") and file("X") apart.
func call(expr hclsyntax.Expression) (name string, arg hclsyntax.Expression, ok bool) {
	for {
		inner, is := expr.(*hclsyntax.ParenthesesExpr)
		if !is {
			break
		}
		expr = inner.Expression
	}
	f, is := expr.(*hclsyntax.FunctionCallExpr)
	if !is || f.Name != "env" && f.Name != "file" || len(f.Args) != 1 || f.ExpandFinal {
		return "", nil, false
	}
	return f.Name, f.Args[0], true
}

// argument gives the text of an argument that is text in quotes, or "".
func argument(arg hclsyntax.Expression) string {
	t, ok := arg.(*hclsyntax.TemplateExpr)
	if !ok || !t.IsStringLiteral() {
		return ""
	}
	v, diags := t.Value(nil)
	if diags.HasErrors() {
		return ""
	}
	return v.AsString()
}

// refer reads what env or file names.
func (e *evaluator) refer(name string, arg hclsyntax.Expression) (string, bool) {
	what := argument(arg)
	if what == "" {
		e.trouble(arg.Range(), name+" takes one text in quotes", fmt.Sprintf("Write %s.", exampleCall(name)))
		return "", false
	}
	return e.read(name, what, arg.Range())
}

func exampleCall(name string) string {
	if name == "env" {
		return `env("NAME")`
	}
	return `file("path")`
}

func (e *evaluator) read(name, what string, at hcl.Range) (string, bool) {
	if name == "file" {
		return e.readFile(what, at)
	}
	if !variableForm.MatchString(what) {
		e.trouble(at, "env takes the name of an environment variable, and this is not one", "Names consist of letters, digits and underscores.")
		return "", false
	}
	text, ok := e.environ[what]
	switch {
	case !ok:
		e.troubles = append(e.troubles, trouble{
			at: at, message: fmt.Sprintf("environment variable %s is not set", what), missing: true,
			hint: `Set it where tallyman runs, or take the value from a file with file("path").`,
		})
		return "", false
	case !utf8.ValidString(text):
		e.troubles = append(e.troubles, trouble{at: at, message: fmt.Sprintf("environment variable %s does not hold UTF-8 text", what), missing: true})
		return "", false
	}
	return text, true
}

// readFile reads a small text file. The newlines at its end do not count, nor does a byte order mark.
func (e *evaluator) readFile(path string, at hcl.Range) (string, bool) {
	missing := func(hint, format string, args ...any) (string, bool) {
		e.troubles = append(e.troubles, trouble{at: at, message: fmt.Sprintf(format, args...), hint: hint, missing: true})
		return "", false
	}
	full := path
	if !filepath.IsAbs(full) {
		full = filepath.Join(e.dir, full)
	}
	info, err := os.Stat(full)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint := ""
		if full != path {
			hint = fmt.Sprintf("It was looked for in %s, the folder of the file that names it.", e.dir)
		}
		return missing(hint, "file %q does not exist", path)
	case errors.Is(err, fs.ErrPermission):
		return missing("Give the user that runs tallyman the right to read it and to enter its folder.", "file %q may not be read", path)
	case err != nil:
		return missing("", "file %q cannot be read: %v", path, reason(err))
	case info.IsDir():
		return missing("", "%q is a folder", path)
	case !info.Mode().IsRegular():
		return missing("", "%q is not an ordinary file", path)
	case info.Size() > maxReference:
		return missing("", "file %q is larger than %d KiB", path, maxReference>>10)
	}
	f, err := os.Open(full)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return missing("Give the user that runs tallyman the right to read it.", "file %q may not be read", path)
		}
		return missing("", "file %q cannot be read: %v", path, reason(err))
	}
	defer f.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(f, maxReference+1))
	switch {
	case err != nil:
		return missing("", "file %q cannot be read: %v", path, reason(err))
	case len(content) > maxReference:
		return missing("", "file %q is larger than %d KiB", path, maxReference>>10)
	case !utf8.Valid(content):
		return missing("", "file %q does not hold UTF-8 text", path)
	}
	if e.checkPermissions && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0 {
		e.troubles = append(e.troubles, trouble{
			at: at, warning: true, secretIn: full,
			message: fmt.Sprintf("everybody on this machine may read file %q", path),
			hint:    fmt.Sprintf("If it holds a secret: chmod 600 %s", full),
		})
	}
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	return strings.TrimRight(string(content), "\r\n"), true
}

// reason gives an error without the path, which stands beside it.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// allow checks that an expression is made of values, lists, objects, env and file only, and that all of these can be read.
func (e *evaluator) allow(expr hclsyntax.Expression, literal *bool) {
	switch x := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		if x.Val.Type() == cty.Number && !x.Val.IsNull() && !sensible(x.Val) {
			e.trouble(x.Range(), "this number is too large or too small", "")
		}
	case *hclsyntax.TemplateExpr:
		for _, part := range x.Parts {
			e.allow(part, literal)
		}
	case *hclsyntax.TemplateWrapExpr:
		e.allow(x.Wrapped, literal)
	case *hclsyntax.ParenthesesExpr:
		e.allow(x.Expression, literal)
	case *hclsyntax.TupleConsExpr:
		for _, item := range x.Exprs {
			e.allow(item, literal)
		}
	case *hclsyntax.ObjectConsExpr:
		for _, item := range x.Items {
			e.allow(item.KeyExpr, literal)
			e.allow(item.ValueExpr, literal)
		}
	case *hclsyntax.ObjectConsKeyExpr:
		if hcl.ExprAsKeyword(x.Wrapped) == "" || x.ForceNonLiteral {
			e.allow(x.Wrapped, literal)
		}
	case *hclsyntax.UnaryOpExpr:
		if _, number := x.Val.(*hclsyntax.LiteralValueExpr); x.Op != hclsyntax.OpNegate || !number {
			e.trouble(expr.Range(), "operators are not known here", "Write the value itself.")
			return
		}
		e.allow(x.Val, literal)
	case *hclsyntax.FunctionCallExpr:
		*literal = false
		if name, arg, ok := call(x); ok {
			e.refer(name, arg)
			return
		}
		if x.Name == "env" || x.Name == "file" {
			e.trouble(expr.Range(), x.Name+" takes one text in quotes", fmt.Sprintf("Write %s.", exampleCall(x.Name)))
			return
		}
		e.trouble(x.NameRange, "there is no such function", "There are env and file.")
	case *hclsyntax.ScopeTraversalExpr:
		e.trouble(expr.Range(), "text must stand in quotes", "There are no variables here; env(\"NAME\") reads one of the environment.")
	default:
		e.trouble(expr.Range(), "this kind of value is not known here", "Write text, a number, true, false, a list, env(\"NAME\") or file(\"path\").")
	}
}

// sensible reports whether a number can be written down.
func sensible(v cty.Value) bool {
	f := v.AsBigFloat()
	if f.IsInf() {
		return false
	}
	exponent := f.MantExp(nil)
	return exponent < 512 && exponent > -512
}

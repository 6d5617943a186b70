// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// SwitchModule writes into the file that has the tenant that a module is on or off; everything else in it stays as it is.
// It gives the file and whether it had to be changed. The tenant must be there.
func SwitchModule(files []string, tenant, module, plugin string, on bool) (string, bool, error) {
	if !nameForm.MatchString(module) {
		return "", false, fmt.Errorf("a module's name consists of a-z, 0-9 and dashes; %q does not", module)
	}
	for _, path := range files {
		source, err := os.ReadFile(path)
		if err != nil {
			return "", false, err
		}
		file, diags := hclwrite.ParseConfig(source, path, hcl.InitialPos)
		if diags.HasErrors() {
			return "", false, &Error{Diags: diags}
		}
		block := file.Body().FirstMatchingBlock("tenant", []string{tenant})
		if block == nil {
			continue
		}
		if !switchIn(block.Body(), module, plugin, on) {
			return path, false, nil
		}
		return path, true, replaceFile(path, file.Bytes())
	}
	return "", false, fmt.Errorf("there is no tenant %q in %s; write its block first: tenant %q { }", tenant, strings.Join(files, ", "), tenant)
}

func switchIn(tenant *hclwrite.Body, module, plugin string, on bool) bool {
	block := tenant.FirstMatchingBlock("module", []string{module})
	if block == nil {
		if !on {
			return false
		}
		tenant.AppendNewline()
		body := tenant.AppendNewBlock("module", []string{module}).Body()
		if plugin != "" && plugin != module {
			body.SetAttributeValue("plugin", cty.StringVal(plugin))
		}
		settings := body.AppendNewBlock("settings", nil).Body()
		prefix := strings.ToUpper(strings.ReplaceAll(module, "-", "_"))
		for _, name := range []string{"client_id", "client_secret"} {
			settings.SetAttributeRaw(name, hclwrite.TokensForFunctionCall("env",
				hclwrite.TokensForValue(cty.StringVal(prefix+"_"+strings.ToUpper(name)))))
		}
		return true
	}
	attribute := block.Body().GetAttribute("enabled")
	is := true
	if attribute != nil {
		is = strings.TrimSpace(string(attribute.Expr().BuildTokens(hclwrite.Tokens{}).Bytes())) != "false"
	}
	if is == on {
		return false
	}
	block.Body().SetAttributeValue("enabled", cty.BoolVal(on))
	return true
}

// replaceFile writes a file so that it is the old one or the new one, whatever happens.
func replaceFile(path string, content []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".tallyman-*.hcl")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name()) //nolint:errcheck // it is gone after the rename
	if _, err := next.Write(content); err != nil {
		return err
	}
	if err := next.Chmod(info.Mode()); err != nil {
		return err
	}
	if err := next.Close(); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}

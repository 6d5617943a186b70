// SPDX-License-Identifier: Apache-2.0

package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestModulesOfOneAccount(t *testing.T) {
	t.Parallel()
	text := `
tenant "acme" {
  module "rhipe" {
    settings {
      id     = "one"
      secret = "a"
    }
  }
  module "second" {
    plugin = "rhipe"
    settings {
      id     = "two"
      secret = "a"
    }
  }
  module "other" {
    settings {
      id     = "one"
      secret = "a"
    }
  }
}
tenant "beta" {
  module "rhipe" {
    settings {
      id     = "one"
      secret = "another secret of the same account"
    }
  }
  module "elsewhere" {
    plugin = "rhipe"
    settings {
      id     = "one"
      secret = "a"
      url    = "https://sandbox.example"
    }
  }
  module "unreadable" {
    plugin = "rhipe"
    settings {
      id     = env("TALLYMAN_TEST_IS_NOT_SET")
      secret = "a"
    }
  }
}
`
	file := filepath.Join(t.TempDir(), "tallyman.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Options{Paths: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	url := "https://api.example"
	id, secret := Field{Name: "id", Type: typeText, Required: true}, Field{Name: "secret", Type: typeText, Required: true, Secret: true}
	place := Field{Name: "url", Type: typeURL, Default: &url}
	want := map[string][]string{"acme/rhipe": {"beta/rhipe"}, "beta/rhipe": {"acme/rhipe"}}
	accounts := map[string]string{}
	if got := c.Account(c.Tenants[0].Modules[0]); got != "" {
		t.Errorf("before anybody has asked the account is %q", got)
	}
	for _, tenant := range c.Tenants {
		for _, m := range tenant.Modules {
			var got []string
			for _, other := range c.Sharing(m, []Field{id, secret, place}) {
				got = append(got, other.String())
			}
			if !slices.Equal(got, want[m.String()]) {
				t.Errorf("%s shares its account with %v, want %v", m, got, want[m.String()])
			}
			accounts[m.String()] = c.Account(m)
		}
	}
	if !maps.Equal(accounts, map[string]string{
		"acme/rhipe": "acme/rhipe", "acme/second": "acme/second", "acme/other": "acme/other", "beta/rhipe": "acme/rhipe",
		"beta/elsewhere": "beta/elsewhere", "beta/unreadable": "beta/unreadable",
	}) {
		t.Errorf("the accounts are %q", accounts)
	}
}

func TestWhereAllIsSecretTheSecretsTellAccountsApart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "tallyman.hcl")
	text := `
tenant "a" {
  module "x" {
    settings { key = "same" }
  }
}
tenant "b" {
  module "x" {
    settings { key = "same" }
  }
}
tenant "c" {
  module "x" {
    settings { key = "other" }
  }
}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Options{Paths: []string{file}})
	if err != nil {
		t.Fatal(err)
	}
	key := []Field{{Name: "key", Type: typeText, Required: true, Secret: true}}
	if got := c.Sharing(c.Tenants[0].Modules[0], key); len(got) != 1 || got[0].String() != "b/x" {
		t.Errorf("a/x shares with %v, want b/x", got)
	}
	if got := c.Sharing(c.Tenants[2].Modules[0], key); len(got) != 0 {
		t.Errorf("c/x shares with %v", got)
	}
	// Without a secret there is no account: files may be read by everybody at once.
	folder := []Field{{Name: "key", Type: typeText, Required: true}}
	c.sharing.groups = nil
	if got := c.Sharing(c.Tenants[0].Modules[0], folder); len(got) != 0 {
		t.Errorf("without a secret a/x shares with %v", got)
	}
}

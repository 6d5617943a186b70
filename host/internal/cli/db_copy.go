// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"net/url"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/tallymanhq/tallyman/host/internal/config"
	"github.com/tallymanhq/tallyman/host/internal/store"
)

func (a *app) dbCopy() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "copy --to URL", Short: "Move the installation to another database, such as from SQLite to PostgreSQL", Args: cobra.NoArgs,
		Long: "Copy everything the database holds into another one, which must be empty. Ids stay the same. The other one gets\n" +
			"all of it or nothing: each table is read back there, and its number of rows and checksum must be those of here.\n\n" +
			"--to takes what database.url takes: postgres://… or sqlite:path. A password must not stand on the command line,\n" +
			"where everybody on this machine can read it: put the URL into a variable and write --to 'env(\"NAME\")'.\n\n" +
			"End tallyman serve first, everywhere, and let no timer begin a run: it is refused while a host\n" +
			"serves or anybody runs a module, and what is written here after it is not there. Then write the other URL into database.url; the next sync goes\n" +
			"on where the last one ended. This database stays as it is.",
		Example: "  createdb --owner tallyman tallyman\n" +
			"  export DATABASE_URL=postgres://tallyman:…@db.example.com:5432/tallyman\n" +
			"  tallyman db copy --to 'env(\"DATABASE_URL\")'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := targetOf(to)
			if err != nil {
				return err
			}
			from, err := a.storeOptions()
			if err != nil {
				return err
			}
			copied, err := store.Copy(cmd.Context(), from, store.Options{URL: target, BaseDir: from.BaseDir, Log: from.Log})
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(copied)
			}
			g := &grid{columns: []string{"Table", "Rows", "Checksum"}}
			for _, t := range copied.Tables {
				g.add(t.Table, t.Rows, t.Checksum[:16])
			}
			g.render(a.out)
			return a.done("%s is copied to %s: %s of %s, read back and found to be the same.\n"+
				"%s, see that \"tallyman doctor\" finds all in order, and start tallyman again.",
				copied.From, copied.To, plural(copied.Rows(), "row"), plural(len(copied.Tables), "table"), a.nowWrite(asValue(to)))
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the other database: a URL without a password, or env(\"NAME\")")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

// fromVariable is env("NAME") as in the configuration; a shell may have taken the quotes.
var fromVariable = regexp.MustCompile(`^\s*env\(\s*["']?([A-Za-z_][A-Za-z0-9_]*)["']?\s*\)\s*$`)

// targetOf gives the URL that --to means.
func targetOf(to string) (string, error) {
	if name := fromVariable.FindStringSubmatch(to); name != nil {
		value := os.Getenv(name[1])
		if value == "" {
			return "", usagef("--to reads the variable %s, which is not set; put the URL of the other database into it", name[1])
		}
		return value, nil
	}
	if u, err := url.Parse(to); err == nil {
		_, has := u.User.Password()
		if !has && !u.Query().Has("password") {
			return to, nil
		}
		return "", usagef("--to holds a password, and everybody on this machine can read command lines; " +
			"put the URL into a variable and write --to 'env(\"NAME\")', and change that password")
	}
	// What the parser says repeats the URL, and with it a password perhaps.
	return "", usagef("--to is no URL; write --to 'env(\"NAME\")' with postgres://user:password@host:5432/database in the variable")
}

// asValue gives --to as it stands in the configuration.
func asValue(to string) string {
	if name := fromVariable.FindStringSubmatch(to); name != nil {
		return fmt.Sprintf("env(%q)", name[1])
	}
	return fmt.Sprintf("%q", to)
}

// nowWrite says where the database's URL is to be changed: what the environment says counts more than a file.
func (a *app) nowWrite(url string) string {
	for _, e := range a.config.HostEntries() {
		if e.Key == "database.url" && e.Origin.Kind == config.FromEnv {
			return fmt.Sprintf("Now change %s, from where this program has database.url: in the environment of whoever runs it, such as a unit of "+
				"systemd. Or remove it there, and write database { url = %s }", e.Origin.Name, url)
		}
	}
	return fmt.Sprintf("Now write database { url = %s }", url)
}

// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// grid is a table on the terminal, or tab-separated lines in a pipe.
type grid struct {
	columns []string
	rows    [][]string
	// wide is the column that gives way when the terminal is narrow.
	wide int
}

func (g *grid) add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = cellText(cell)
	}
	g.rows = append(g.rows, row)
}

// cellText gives a value as it stands in a table. A terminal's control characters never get through.
func cellText(cell any) string {
	var s string
	switch v := cell.(type) {
	case nil:
		return ""
	case *string:
		if v != nil {
			s = *v
		}
	case *int64:
		if v != nil {
			s = fmt.Sprint(*v)
		}
	case time.Time:
		s = when(v)
	case *time.Time:
		if v != nil {
			s = when(*v)
		}
	default:
		s = fmt.Sprint(v)
	}
	return printable(s)
}

// printable makes text safe for a terminal: control characters become spaces.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// render writes the grid.
func (g *grid) render(w io.Writer) {
	width, tty := terminal(w)
	if !tty {
		fmt.Fprintln(w, strings.Join(g.columns, "\t"))
		for _, row := range g.rows {
			fmt.Fprintln(w, strings.Join(row, "\t"))
		}
		return
	}
	t := table.NewWriter()
	t.SetOutputMirror(w)
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	header := make(table.Row, len(g.columns))
	used := 0
	for i, c := range g.columns {
		header[i] = c
		if i == g.wide {
			continue
		}
		longest := text.StringWidthWithoutEscSequences(c)
		for _, row := range g.rows {
			longest = max(longest, text.StringWidthWithoutEscSequences(row[i]))
		}
		used += longest + 2
	}
	t.AppendHeader(header)
	for _, row := range g.rows {
		cells := make(table.Row, len(row))
		for i, c := range row {
			cells[i] = c
		}
		t.AppendRow(cells)
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Number: g.wide + 1, WidthMax: max(width-used-3, 20), WidthMaxEnforcer: text.WrapSoft}})
	t.Render()
}

// terminal gives the width of w and whether it is a terminal.
func terminal(w io.Writer) (int, bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 80, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 40 {
		width = 80
	}
	return width, true
}

// list writes rows as JSON or as a grid. An empty list says what that means.
func list[T any](a *app, rows []T, g *grid, fill func(T), empty string) error {
	if a.json {
		if rows == nil {
			rows = []T{}
		}
		return a.printJSON(rows)
	}
	if len(rows) == 0 {
		fmt.Fprintln(a.errOut, empty)
		return nil
	}
	for _, row := range rows {
		fill(row)
	}
	g.render(a.out)
	return nil
}

func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

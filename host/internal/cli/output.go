// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// grid is a table on the terminal, or tab-separated lines in a pipe.
type grid struct {
	columns []string
	rows    [][]string
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

// printable makes text safe for a terminal: control characters, and those that turn the direction of what follows, become
// spaces.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, s)
}

// plural counts things in words.
func plural[N int | int64](n N, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
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
	const gap = "  "
	t := table.NewWriter()
	t.SetOutputMirror(w)
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", gap
	t.SetStyle(style)
	t.AppendHeader(tableRow(g.columns))
	for _, row := range g.rows {
		t.AppendRow(tableRow(row))
	}
	var columns []table.ColumnConfig
	for i, n := range g.fit(width - len(gap)*len(g.columns)) {
		columns = append(columns, table.ColumnConfig{Number: i + 1, WidthMax: n, WidthMaxEnforcer: text.WrapSoft})
	}
	t.SetColumnConfigs(columns)
	t.Render()
}

func tableRow(cells []string) table.Row {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		row[i] = cell
	}
	return row
}

// fit gives the columns' widths. As long as they are too wide together, the widest one gives way, down to its longest
// word.
func (g *grid) fit(width int) []int {
	widths, least := make([]int, len(g.columns)), make([]int, len(g.columns))
	for _, row := range append([][]string{g.columns}, g.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], text.StringWidthWithoutEscSequences(cell))
			for word := range strings.FieldsSeq(cell) {
				least[i] = max(least[i], min(text.StringWidthWithoutEscSequences(word), longestWord))
			}
		}
	}
	for sum(widths) > width {
		widest := -1
		for i := range widths {
			if widths[i] > least[i] && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break // it cannot be narrower
		}
		widths[widest]--
	}
	return widths
}

// longestWord is how many characters are kept in one piece: an id has 36.
const longestWord = 40

func sum(list []int) (total int) {
	for _, n := range list {
		total += n
	}
	return total
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

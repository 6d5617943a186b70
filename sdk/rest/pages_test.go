// SPDX-License-Identifier: Apache-2.0

package rest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// elements gives the elements from to below to as JSON.
func elements(from, to int) string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf(`{"id":"e%d","n":%d}`, i, i))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// page is an answer as it is sent for a page whose total is announced.
func page(list string, total int) string {
	return fmt.Sprintf(`{"page":{"size":2,"totalElements":%d},"content":%s}`, total, list)
}

var springPages = rest.Paging{SizeParam: "size", Size: 2, List: "content", Total: "page.totalElements", ID: "id"}

func TestPagesOfATotal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages  []string // by number, from 0
		paging func(*rest.Paging)
		want   rest.Listing
		refs   string
	}{
		"nothing": {
			pages: []string{page("[]", 0)},
			want:  rest.Listing{Pages: 1},
		},
		"less than a page": {
			pages: []string{page(elements(0, 1), 1)},
			want:  rest.Listing{Elements: 1, Pages: 1, Total: 1}, refs: "e0",
		},
		"an exact multiple of the page's size": {
			pages: []string{page(elements(0, 2), 4), page(elements(2, 4), 4)},
			want:  rest.Listing{Elements: 4, Pages: 2, Total: 4}, refs: "e0 e1 e2 e3",
		},
		"a size that is not honoured": {
			pages: []string{page(elements(0, 1), 3), page(elements(1, 2), 3), page(elements(2, 3), 3)},
			want:  rest.Listing{Elements: 3, Pages: 3, Total: 3}, refs: "e0 e1 e2",
		},
		"a total that grows": {
			pages: []string{page(elements(0, 2), 3), page(elements(2, 4), 4)},
			want:  rest.Listing{Elements: 4, Pages: 2, Total: 4, Doubt: "while it was read, the number of elements went from 3 to 4"}, refs: "e0 e1 e2 e3",
		},
		"a total that shrinks": {
			pages: []string{page(elements(0, 2), 4), page(elements(3, 4), 3)},
			want:  rest.Listing{Elements: 3, Pages: 2, Total: 3, Doubt: "while it was read, the number of elements went from 4 to 3"}, refs: "e0 e1 e3",
		},
		"a page that is empty too early": {
			pages: []string{page(elements(0, 2), 4), page("[]", 4)},
			want:  rest.Listing{Elements: 2, Pages: 2, Total: 4, Doubt: "2 of 4 elements came"}, refs: "e0 e1",
		},
		"one that was pushed to the next page": {
			pages: []string{page(elements(0, 2), 4), page(elements(1, 3), 4)},
			want:  rest.Listing{Elements: 3, Pages: 2, Total: 4, Doubt: "an element came twice: e1"}, refs: "e0 e1 e2",
		},
		"one that was pushed and changed": {
			pages: []string{page(`[{"id":"e0"},{"id":"e1"}]`, 4), page(`[{"id":"e1","n":5},{"id":"e2"}]`, 4)},
			want:  rest.Listing{Elements: 3, Pages: 2, Total: 4, Doubt: "an element came twice: e1"}, refs: "e0 e1 e2",
		},
		"one that comes twice on a page": {
			pages: []string{page(`[{"id":"e0"},{"id":"e0","n":5}]`, 3), page(elements(2, 3), 3)},
			want:  rest.Listing{Elements: 2, Pages: 2, Total: 3, Doubt: "an element came twice: e0"}, refs: "e0 e2",
		},
		"several without an id": {
			pages: []string{page(`[{"n":0},{"id":null}]`, 4), page(`[{"id":"e2"},{"n":3}]`, 4)},
			want:  rest.Listing{Elements: 4, Pages: 2, Total: 4}, refs: "  e2 ",
		},
		"equal ones, where there are no ids": {
			pages:  []string{page(`[{"n":0},{"n":0}]`, 2)},
			paging: func(p *rest.Paging) { p.ID = "" },
			want:   rest.Listing{Elements: 2, Pages: 1, Total: 2}, refs: " ",
		},
		"more than is announced": {
			pages: []string{page(elements(0, 2), 1), page("[]", 1)},
			want:  rest.Listing{Elements: 2, Pages: 2, Total: 1, Doubt: "2 elements came, and only 1 are announced"}, refs: "e0 e1",
		},
		"a total that is not told": {
			pages: []string{`{"content":` + elements(0, 2) + `}`, `{"content":[]}`},
			want:  rest.Listing{Elements: 2, Pages: 2, Total: -1, Doubt: "the answer does not tell how many elements there are (page.totalElements)"}, refs: "e0 e1",
		},
		"a total behind the list, in other case": {
			pages:  []string{`{"Items":` + elements(0, 2) + `,"totalhits":2}`},
			paging: func(p *rest.Paging) { p.List, p.Total = "items", "TotalHits" },
			want:   rest.Listing{Elements: 2, Pages: 1, Total: 2}, refs: "e0 e1",
		},
		"no total, until a page is empty": {
			pages:  []string{`{"content":` + elements(0, 2) + `}`, `{"content":` + elements(2, 4) + `}`, `{"content":[]}`},
			paging: func(p *rest.Paging) { p.Total = "" },
			want:   rest.Listing{Elements: 4, Pages: 3, Total: -1}, refs: "e0 e1 e2 e3",
		},
		"bare arrays": {
			pages:  []string{elements(0, 2), elements(2, 3), "[]"},
			paging: func(p *rest.Paging) { p.Total = "" },
			want:   rest.Listing{Elements: 3, Pages: 3, Total: -1}, refs: "e0 e1 e2",
		},
		"null": {
			pages: []string{"null"},
			want:  rest.Listing{Pages: 1, Total: -1, Null: true, Doubt: "the distributor answered null where a list was due"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paging := springPages
			if c.paging != nil {
				c.paging(&paging)
			}
			got, refs, err := readPages(t, paging, c.pages)
			if err != nil {
				t.Fatal(err)
			}
			c.want.Enveloped = strings.HasPrefix(c.pages[0], "{")
			if diff := cmp.Diff(c.want, got); diff != "" || refs != c.refs {
				t.Errorf("elements %q, want %q (-want +got):\n%s", refs, c.refs, diff)
			}
		})
	}
}

func TestPagesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pages []string
		part  string
	}{
		"the page's number is ignored":  {[]string{page(elements(0, 2), 4), page(elements(0, 2), 4)}, "page 1 begins like an earlier page"},
		"the second page is cut":        {[]string{page(elements(0, 2), 4), page(elements(2, 4), 4)[:60]}, "ends in the middle"},
		"the second page holds no list": {[]string{page(elements(0, 2), 4), `{"page":{},"items":[]}`}, "without a list under content"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := readPages(t, springPages, c.pages)
			wantError(t, err, sdk.ClassSchema, c.part)
		})
	}
}

func TestPagesAreAskedForAsTheDistributorWants(t *testing.T) {
	t.Parallel()
	var asked []string
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		answer(fmt.Sprintf(`{"Items":[{"id":"e%d"}],"TotalHits":2}`, len(asked)))(w, r)
	})
	paging := rest.Paging{Param: "pageNumber", First: 1, SizeParam: "pageSize", Size: 50, Total: "TotalHits"}
	read := rest.Read(http.MethodGet, "/list", nil).WithQuery("status", "all")
	if _, err := newClient(t, a.options()).ListPages(t.Context(), read, paging, func(rest.Value) error { return nil }); err != nil {
		t.Fatal(err)
	}
	want := []string{"pageNumber=1&pageSize=50&status=all", "pageNumber=2&pageSize=50&status=all"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// readPages reads a list whose pages are given, and gives the ids that came.
func readPages(t *testing.T, paging rest.Paging, pages []string) (rest.Listing, string, error) {
	t.Helper()
	a := newAPI(t, func(w http.ResponseWriter, r *http.Request) {
		number, err := strconv.Atoi(r.URL.Query().Get("page"))
		if err != nil || number >= len(pages) {
			status(http.StatusBadRequest, "application/json", `{"message":"no such page"}`)(w, r)
			return
		}
		answer(pages[number])(w, r)
	})
	var refs []string
	listing, err := newClient(t, a.options()).ListPages(t.Context(), rest.Read(http.MethodGet, "/list", nil), paging, func(v rest.Value) error {
		refs = append(refs, v.Object().Text("id"))
		return nil
	})
	return listing, strings.Join(refs, " "), err
}

// TestAfterAPage: behind a page the client is free, even one that sends a single request at a time.
func TestAfterAPage(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if number, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
			fmt.Fprint(w, page(elements(2*number, min(2*number+2, 3)), 3))
			return
		}
		fmt.Fprintf(w, `{"name":%q}`, r.URL.Path)
	}))
	t.Cleanup(server.Close)
	client, err := rest.New(rest.Options{BaseURL: server.URL, MaxParallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	var got, kept []string
	paging := springPages
	paging.After = func() error {
		for _, id := range kept {
			v, err := client.Get(t.Context(), rest.Read("GET", "/{id}", rest.Vars{"id": id}))
			if err != nil {
				return err
			}
			got = append(got, v.Object().Text("name"))
		}
		got, kept = append(got, "end"), nil
		return nil
	}
	listing, err := client.ListPages(t.Context(), rest.Read("GET", "/list", nil), paging, func(v rest.Value) error {
		kept = append(kept, v.Object().Text("id"))
		return nil
	})
	if want := "/e0 /e1 end /e2 end"; err != nil || strings.Join(got, " ") != want || listing.Doubt != "" {
		t.Errorf("read %q (%v, %+v), want %q", got, err, listing, want)
	}
	enough := errors.New("enough")
	paging.After = func() error { return enough }
	if listing, err := client.ListPages(t.Context(), rest.Read("GET", "/list", nil), paging, func(rest.Value) error { return nil }); err != enough || listing.Pages != 1 { //nolint:errorlint // passed on as it is
		t.Errorf("the list ends with %v after %d pages", err, listing.Pages)
	}
}

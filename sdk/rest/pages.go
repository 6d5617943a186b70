// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"strconv"
	"strings"
)

// Listing says how a list was read.
type Listing struct {
	// Elements is how many elements were given to each, over all pages.
	Elements int
	// Pages is how many answers it took.
	Pages int
	// Enveloped: the list came within an object, so it may have pages.
	Enveloped bool
	// Null: the distributor answered null where a list was due.
	Null bool
	// Total is how many elements the distributor announced last; -1 if it announced nothing.
	Total int
	// Doubt says why the list may not be whole although every page could be read: what it held moved while it was read,
	// or another number came than was announced. Empty: nothing speaks against it. A scope read with a doubt is partial.
	Doubt string
}

// Paging says how the pages of a list are asked for, and by what it is known to be whole.
type Paging struct {
	// Param is the query parameter of the page's number. Default "page".
	Param string
	// First is the number of the first page.
	First int
	// SizeParam is the query parameter of the page's size. Empty: none is sent.
	SizeParam string
	// Size is how many elements are asked for. What a page really holds is taken as it comes.
	Size int
	// List is the name of the list in the envelope, in any case: "content". Default: Records, Items, Data or value.
	List string
	// Total is the dotted path of the number of all elements: "page.totalElements". Empty: none is announced, and a list
	// ends with an empty page.
	Total string
	// ID is the dotted path of an element's id: "id". An element that comes again, on the same page or the next, is given
	// once. Default: elements are the same if every byte is, and are looked for on the next page only.
	ID string
	// After is called behind each page, when nothing of the list is under way, so it may send requests with the same
	// client. What it needs of the page's elements, each must have cloned. Its error ends the list and is passed on. Optional.
	After func() error
}

// maxPages ends a listing whose pages never do.
const maxPages = 100_000

// List reads a list element by element, without holding it: a bare array, or an object with the array under Records,
// Items, Data or value. The pages of the latter are followed by the query parameter page, from 1, until one is empty or
// repeats an earlier one.
//
// An answer that is cut short, is no list, or goes on behind its end is an error, however many elements were given to
// each before. An error of each ends the list and is passed on. each must not send requests with the same client: the list
// keeps its place among Options.MaxParallel until it is read.
func (c *Client) List(ctx context.Context, r Request, each func(Value) error) (Listing, error) {
	p := c.newPages(r, Paging{First: 1}, each)
	p.bare = true
	return p.read(ctx)
}

// ListPages reads a list as List does, page by page in the distributor's manner. It ends when as many elements came as are
// announced, or with an empty page. A page that begins like an earlier one is an error.
func (c *Client) ListPages(ctx context.Context, r Request, paging Paging, each func(Value) error) (Listing, error) {
	return c.newPages(r, paging, each).read(ctx)
}

// pages is a list that is being read.
type pages struct {
	client  *Client
	request Request
	paging  Paging
	each    func(Value) error
	// bare: a list without an envelope has no pages, and the first page is asked for without a number.
	bare    bool
	listing Listing
	// came counts the elements, those that came again included.
	came int
	seed maphash.Seed
	// firsts and wholes are hashes of each page's first element and of its whole; before is those of the elements of the
	// page before, now those of this one.
	firsts, wholes map[uint64]bool
	before, now    map[uint64]bool
}

func (c *Client) newPages(r Request, paging Paging, each func(Value) error) *pages {
	setDefault(&paging.Param, "page")
	return &pages{
		client: c, request: r, paging: paging, each: each, seed: maphash.MakeSeed(), listing: Listing{Total: -1},
		firsts: map[uint64]bool{}, wholes: map[uint64]bool{}, before: map[uint64]bool{}, now: map[uint64]bool{},
	}
}

func (p *pages) read(ctx context.Context) (Listing, error) {
	for p.listing.Pages < maxPages {
		more, err := p.page(ctx)
		if err != nil || !more {
			return p.listing, err
		}
	}
	return p.listing, p.client.pageError(p.request, "the list has more than "+strconv.Itoa(maxPages)+" pages")
}

// page reads the next page and tells whether there may be another.
func (p *pages) page(ctx context.Context) (more bool, err error) {
	var whole maphash.Hash
	whole.SetSeed(p.seed)
	elements, repeats := 0, false
	reader := &listReader{names: listNames, each: func(v Value) error {
		if elements == 0 {
			first := maphash.Bytes(p.seed, v.raw)
			repeats = p.firsts[first]
			p.firsts[first] = true
		}
		elements++
		_, _ = whole.Write(v.raw)
		_ = whole.WriteByte(',')
		if repeats {
			return nil
		}
		return p.element(v)
	}}
	if p.paging.List != "" {
		reader.names = []string{p.paging.List}
	}
	head, _, _ := strings.Cut(p.paging.Total, ".")
	reader.tell = head
	request, number := p.next()
	err = p.client.list(ctx, request, reader)
	p.listing.Enveloped = p.listing.Enveloped || reader.enveloped
	// A later page of null is an empty one.
	p.listing.Null = p.listing.Null || reader.null && p.listing.Pages == 0
	p.listing.Pages++
	if err != nil {
		return false, err
	}
	if repeats && (p.listing.Total >= 0 || !p.wholes[whole.Sum64()]) {
		return false, p.client.pageError(p.request, fmt.Sprintf("page %d begins like an earlier page", number))
	}
	if p.paging.After != nil {
		if err := p.paging.After(); err != nil {
			return false, err
		}
	}
	if repeats {
		p.doubt("page %d is an earlier page again: the distributor does not page as it is asked to, or a page was lost", number)
	}
	p.wholes[whole.Sum64()] = true
	p.before, p.now = p.now, p.before
	clear(p.now)
	ends := elements == 0 || repeats || p.bare && !p.listing.Enveloped
	return p.count(reader.told, ends), nil
}

// next gives the request of the next page, and its number.
func (p *pages) next() (Request, int) {
	number := p.paging.First + p.listing.Pages
	request := p.request
	if p.listing.Pages > 0 || !p.bare {
		request = request.WithQuery(p.paging.Param, strconv.Itoa(number))
	}
	if p.paging.SizeParam != "" {
		request = request.WithQuery(p.paging.SizeParam, strconv.Itoa(p.paging.Size))
	}
	return request, number
}

// element gives an element to each, unless it came before, on the page before or, with an id, on this one. What has no id is
// none that came before.
func (p *pages) element(v Value) error {
	p.came++
	id := v
	if p.paging.ID != "" {
		if id = at(v, p.paging.ID); id.IsNull() {
			p.listing.Elements++
			return p.each(v)
		}
	}
	key := maphash.Bytes(p.seed, id.raw)
	twice := p.before[key] || p.now[key] && p.paging.ID != ""
	p.now[key] = true
	if twice {
		p.doubt("an element came twice: %s", clip(clean(id.Text()), maxErrorText))
		return nil
	}
	p.listing.Elements++
	return p.each(v)
}

// count holds what came against what is announced, and tells whether more is to come.
func (p *pages) count(told Value, ends bool) (more bool) {
	if p.listing.Null {
		p.doubt("the distributor answered null where a list was due")
		return false
	}
	if p.paging.Total == "" {
		return !ends
	}
	_, path, _ := strings.Cut(p.paging.Total, ".")
	total, ok := at(told, path).Int()
	if !ok || total < 0 {
		p.doubt("the answer does not tell how many elements there are (%s)", p.paging.Total)
		return !ends
	}
	if before := p.listing.Total; before >= 0 && before != int(total) {
		p.doubt("while it was read, the number of elements went from %d to %d", before, total)
	}
	p.listing.Total = int(total)
	switch {
	case p.came > int(total):
		p.doubt("%d elements came, and only %d are announced", p.came, total)
		return !ends
	case p.came == int(total):
		return false
	case ends:
		p.doubt("%d of %d elements came", p.came, total)
		return false
	default:
		return true
	}
}

func (p *pages) doubt(format string, args ...any) {
	if p.listing.Doubt == "" {
		p.listing.Doubt = fmt.Sprintf(format, args...)
	}
}

// at gives what stands at a dotted path. The empty path is the value itself.
func at(v Value, path string) Value {
	for name := range strings.SplitSeq(path, ".") {
		if name != "" {
			v = v.Object().Get(name)
		}
	}
	return v
}

func (c *Client) pageError(r Request, text string) error {
	target, err := r.url(c.base)
	if err != nil {
		return err
	}
	e := c.schemaError(&call{method: r.method, target: target, redact: c.Redact}, &http.Response{StatusCode: http.StatusOK}, errors.New(text))
	e.Hint = "The list changed while it was read. Try again; if it stays, the distributor's paging works in another way."
	return e
}

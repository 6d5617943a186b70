// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tallymanhq/tallyman/sdk"
	"github.com/tallymanhq/tallyman/sdk/rest"
)

// organization is one of the partner's own companies: the part of Cloud-iQ that is read as a whole.
type organization struct{ id, name string }

func (o organization) title() string {
	if o.name == "" {
		return "organisation " + o.id
	}
	return "organisation " + o.name + " (" + o.id + ")"
}

// maxOrganizations bounds how many of them there may be; a partner has a few.
const maxOrganizations = 10_000

// usable tells whether its id can be one: it names scopes. Cloud-iQ's are numbers.
func (o organization) usable() bool {
	const longest = 256
	return len(o.id) <= longest && !strings.Contains(o.id, "/") && !strings.EqualFold(o.id, doubted)
}

// start gives the beginning of a text that may be of any length, for a message.
func start(text string) string {
	const enough = 40
	for i := range text {
		if i >= enough {
			return text[:i] + "…"
		}
	}
	return text
}

// ref keeps an organisation's id apart from that of a customer tenant; both are small numbers.
func (o organization) ref() string { return "organization-" + o.id }

// organizations are those to read, with what speaks against their being all.
type organizations struct {
	list  []organization
	doubt string
}

// readOrganizations reads the organisations that the user can see, as far as the settings want them.
func (c *connection) readOrganizations(ctx context.Context) (organizations, error) {
	var all organizations
	seen := map[string]bool{}
	listing, err := c.readPages(ctx, rest.Read("GET", organizationsPath, nil), func(v rest.Value) error {
		o := v.Object()
		found := organization{id: trimmed(o, "Id"), name: trimmed(o, "Name")}
		key := strings.ToLower(found.id)
		switch {
		case found.id == "":
			all.doubt = "an element of the list of organisations has no Id"
		case !found.usable():
			all.doubt = fmt.Sprintf("the Id of an organisation cannot be one, so it is not read: it has %d bytes and begins %q (name %q)",
				len(found.id), start(found.id), start(found.name))
		case seen[key]:
			all.doubt = "organisation " + found.id + " is listed twice"
		case len(all.list) == maxOrganizations:
			return sdk.Errorf(sdk.ClassSchema, "Cloud-iQ lists more than %d organisations", maxOrganizations)
		default:
			seen[key] = true
			all.list = append(all.list, found)
		}
		return nil
	}, nil)
	if err == nil {
		err = nullList(listing, "organisations")
	}
	if err != nil {
		return all, err
	}
	if all.doubt == "" {
		all.doubt = listing.Doubt
	}
	return c.chosen(all)
}

// chosen narrows the organisations to those the settings name.
func (c *connection) chosen(all organizations) (organizations, error) {
	if len(c.settings.OrganizationIDs) == 0 {
		if len(all.list) == 0 {
			return all, &sdk.Error{
				Class: sdk.ClassPermission, Origin: sdk.OriginDistributor, Message: "the user can see no organisation", Hint: permissionHint,
			}
		}
		return all, nil
	}
	named := organizations{doubt: all.doubt}
	for _, id := range c.settings.OrganizationIDs {
		id = strings.TrimSpace(id)
		at := slices.IndexFunc(all.list, func(o organization) bool { return o.id == id })
		switch {
		case at < 0 && all.doubt != "":
			return named, sdk.Errorf(sdk.ClassTransient, "organisation %s is not among those that were read, which may not be all: %s", id, all.doubt)
		case at < 0:
			return named, &sdk.Error{
				Class: sdk.ClassSettings, Origin: sdk.OriginPlugin, Field: "organization_ids",
				Message: "organisation " + id + " is not among those the user can see",
				Hint:    "Take it out of organization_ids, or give the API's user access to it.",
			}
		case slices.Contains(named.list, all.list[at]):
		default:
			named.list = append(named.list, all.list[at])
		}
	}
	return named, nil
}

// whose gives the organisation that a record belongs to, among those that are read: the one it names, or else the one it
// was listed for. Whether the list of an organisation holds those of the organisations below it is not documented.
func (all organizations) whose(o rest.Object, listedFor organization) organization {
	id := trimmed(o.Get("Organization").Object(), "Id")
	for _, one := range all.list {
		if one.id == id {
			return one
		}
	}
	return listedFor
}

// doubted is the scope that stands for organisations that may be missing; a listing without them is not complete.
const doubted = "organizations"

const doubtedName = "the list of organisations"

// nullList makes an error of null where a list was due: it may as well be a fault.
func nullList(l rest.Listing, what string) error {
	if !l.Null {
		return nil
	}
	return &sdk.Error{
		Class: sdk.ClassSchema, Origin: sdk.OriginDistributor, Message: "Cloud-iQ answered null where a list of " + what + " was due",
		Hint: "Try again later. If it stays, report it to Crayon.",
	}
}

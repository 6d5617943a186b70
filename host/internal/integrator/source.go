// SPDX-License-Identifier: Apache-2.0

package integrator

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/tallymanhq/tallyman/host/internal/pluginhost"
)

// Source is a distributor as a run reads it: a plugin process, started and configured for one module.
type Source interface {
	Info() Info
	// ListCustomers and ListSubscriptions read all, or what belongs to the given distributor customers. lastComplete is when
	// the last complete reading of all subscriptions began; zero: there was none.
	ListCustomers(ctx context.Context, refs []string) (Listing, error)
	ListSubscriptions(ctx context.Context, refs []string, lastComplete time.Time) (Listing, error)
	// Crash gives the record of the process's death, or nil if it lives or ended as asked.
	Crash() json.RawMessage
	// Close ends the process, within a time of its own even when ctx is over.
	Close(ctx context.Context) error
}

// Info is what a run needs to know about a plugin.
type Info struct {
	// Distributor is the display name that every subscription shows.
	Distributor string
	// Version and SHA256 of the plugin's binary, for the record.
	Version, SHA256 string
	// RefsIgnoreCase: ids that differ only in case are the same.
	RefsIgnoreCase bool
	// AbsenceMeansEnded: a record missing from a complete scope has ended.
	AbsenceMeansEnded bool
	// Sharing are other modules that use the same account of the distributor, which counts their requests together.
	Sharing []Module
	// Warnings about the plugin itself, such as a binary that was not checked.
	Warnings []string
}

// Listing is one reading. Next gives events until io.EOF; whatever the plugin did wrong has by then been turned into
// scopes that are not complete. Any other error means the listing as a whole cannot be trusted.
type Listing interface {
	Next() (pluginhost.Event, error)
	Result() pluginhost.Result
	Close()
}

// FromProcess makes a running, configured plugin a Source. See Info.Sharing.
func FromProcess(p *pluginhost.Process, sharing ...Module) Source { return process{p, sharing} }

type process struct {
	*pluginhost.Process
	sharing []Module
}

func (p process) Info() Info {
	d := p.Description()
	return Info{
		Distributor: cmp.Or(d.DisplayName, d.Name), Version: d.Version, SHA256: p.SHA256(),
		RefsIgnoreCase: d.RefsIgnoreCase(), AbsenceMeansEnded: d.AbsenceMeansEnded(),
		Sharing: p.sharing, Warnings: p.Warnings(),
	}
}

func (p process) ListCustomers(ctx context.Context, refs []string) (Listing, error) {
	return p.Process.ListCustomers(ctx, refs)
}

func (p process) ListSubscriptions(ctx context.Context, refs []string, lastComplete time.Time) (Listing, error) {
	return p.Process.ListSubscriptions(ctx, refs, lastComplete)
}

func (p process) Crash() json.RawMessage {
	if crash := p.Process.Crash(); crash != nil {
		return jsonText(crash)
	}
	return nil
}

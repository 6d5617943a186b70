// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Host is a program that runs modules by itself.
type Host struct {
	bun.BaseModel `json:"-" bun:"table:hosts"`

	// ID is one that no other program has; Name is how people know it: machine and process.
	ID        int64     `bun:",pk" json:"-"`
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started"`
	SeenAt    time.Time `json:"seen"`
}

const (
	// HostSilence is how long a host that lives may say nothing.
	HostSilence = time.Minute
	// hostMemory is how long one that said nothing more is remembered.
	hostMemory = 7 * 24 * time.Hour
)

// Alive reports whether the host has been seen lately.
func (h *Host) Alive(now time.Time) bool { return now.Sub(h.SeenAt) < HostSilence }

// SeeHost notes that a host is there. Its SeenAt is the store's time. Hosts that died long ago are forgotten.
func (s *Store) SeeHost(ctx context.Context, host Host) error {
	cleanAll(&host.Name, &host.Version)
	return s.change(ctx, "note that this host is there", func(ctx context.Context, tx bun.Tx) error {
		host.StartedAt, host.SeenAt = stored(host.StartedAt), s.now()
		_, err := tx.NewInsert().Model(&host).Returning("NULL").On("CONFLICT (id) DO UPDATE").Set("seen_at = EXCLUDED.seen_at").Exec(ctx)
		if err != nil {
			return err
		}
		_, err = tx.NewDelete().Model((*Host)(nil)).Where("seen_at < ?", stored(host.SeenAt.Add(-hostMemory))).Exec(ctx)
		return err
	})
}

// LeaveHost notes that a host has ended.
func (s *Store) LeaveHost(ctx context.Context, id int64) error {
	return s.change(ctx, "note that this host ends", func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*Host)(nil)).Where("id = ?", id).Exec(ctx)
		return err
	})
}

// Hosts gives the hosts that are there, or were not seen to end, the one that was seen last first.
func (s *Store) Hosts(ctx context.Context) ([]Host, error) {
	var list []Host
	err := s.read.NewSelect().Model(&list).OrderExpr("seen_at DESC, id").Scan(ctx)
	return list, s.fail(ctx, "list the hosts", err)
}

// ClockAhead gives by how much the database server's clock is ahead of this machine's, to within the time that the answer took.
// False: the database has no clock of its own.
func (s *Store) ClockAhead(ctx context.Context) (time.Duration, bool, error) {
	const op = "ask the database for the time"
	if _, server := s.dialect.(*postgres); !server {
		return 0, false, nil
	}
	var there time.Time
	asked := s.clock()
	if err := s.read.NewRaw("SELECT clock_timestamp()").Scan(ctx, &there); err != nil {
		return 0, true, s.fail(ctx, op, err)
	}
	took := s.clock().Sub(asked)
	return there.Sub(asked.Add(took / 2)), true, nil
}

// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// Incident is what is not as it should be with a module, from the first time until it is over.
type Incident struct {
	bun.BaseModel `json:"-" bun:"table:incidents"`

	ID       int64 `bun:",pk,autoincrement" json:"id"`
	TenantID int64 `json:"tenant_id"`
	ModuleID int64 `json:"module_id"`
	// Kind and Cause tell the open incidents of a module apart.
	Kind     string `json:"kind"`
	Cause    string `json:"cause"`
	Severity string `json:"severity"`
	// Summary says in one line what happened.
	Summary  string    `json:"summary"`
	RunID    *int64    `json:"run_id,omitempty"`
	OpenedAt time.Time `json:"opened_at"`
	// ToldAt is when somebody was last told of it; nil: not yet.
	ToldAt   *time.Time `json:"told_at,omitempty"`
	ClosedAt *time.Time `json:"closed_at,omitempty"`
}

// Mute keeps a tenant's, or one module's, messages back until a time.
type Mute struct {
	bun.BaseModel `json:"-" bun:"table:mutes"`

	ID       int64 `bun:",pk,autoincrement" json:"id"`
	TenantID int64 `json:"tenant_id"`
	// ModuleID is nil if all modules of the tenant are meant.
	ModuleID  *int64    `json:"module_id,omitempty"`
	Until     time.Time `json:"until"`
	Reason    string    `json:"reason"`
	Who       string    `json:"who"`
	CreatedAt time.Time `json:"created_at"`
}

// Of reports whether the mute is for a module.
func (m Mute) Of(tenantID, moduleID int64) bool {
	return m.TenantID == tenantID && (m.ModuleID == nil || *m.ModuleID == moduleID)
}

// Message is a message to one channel, on its way or past.
type Message struct {
	bun.BaseModel `json:"-" bun:"table:messages"`

	ID int64 `bun:",pk,autoincrement" json:"id"`
	// TenantID is nil if it is about several tenants.
	TenantID *int64 `json:"tenant_id,omitempty"`
	Channel  string `json:"channel"`
	// Ref is the same for one message on all its channels. A second one of the same ref and channel is not kept.
	Ref       string          `json:"ref"`
	Kind      string          `json:"kind"`
	Body      json.RawMessage `bun:"type:text" json:"body"`
	CreatedAt time.Time       `json:"created_at"`
	// NextAt is when it may be sent.
	NextAt   time.Time  `json:"next_at"`
	Attempts int        `json:"attempts"`
	Error    string     `json:"error"`
	SentAt   *time.Time `json:"sent_at,omitempty"`
	FailedAt *time.Time `json:"failed_at,omitempty"`
}

// StepAction is what a Step does to its incidents.
type StepAction int

// The actions of a step.
const (
	// StepOpen writes an incident that is new.
	StepOpen StepAction = iota
	// StepTell notes that somebody is told, first or again. ToldAt of its incidents is when somebody was told before.
	StepTell
	// StepClose ends incidents.
	StepClose
)

// Step is something that becomes of incidents, and the messages about it.
type Step struct {
	Action    StepAction
	Incidents []Incident
	Messages  []Message
	// At is when it is told, for StepTell.
	At time.Time
}

// TakeSteps takes steps in one transaction. A step that another program has taken already, or that does not fit what it has
// made of the incidents meanwhile, does nothing and its messages are not kept: that is how one of several programs tells. It
// gives how many steps were taken.
func (s *Store) TakeSteps(ctx context.Context, steps []Step) (taken int, err error) {
	if len(steps) == 0 {
		return 0, nil
	}
	err = s.change(ctx, "keep incidents", func(ctx context.Context, tx bun.Tx) error {
		taken = 0
		for _, step := range steps {
			changed := int64(0)
			for _, incident := range step.Incidents {
				n, err := s.takeStep(ctx, tx, step, incident)
				if err != nil {
					return err
				}
				changed += n
			}
			if changed == 0 {
				continue
			}
			taken++
			if err := s.addMessages(ctx, tx, step.Messages); err != nil {
				return err
			}
		}
		return nil
	})
	return taken, err
}

func (s *Store) takeStep(ctx context.Context, tx bun.Tx, step Step, row Incident) (int64, error) {
	if step.Action == StepOpen {
		cleanAll(&row.Kind, &row.Cause, &row.Severity, &row.Summary)
		s.orNow(&row.OpenedAt)
		row.ToldAt = storedOrNil(row.ToldAt)
		result, err := tx.NewInsert().Model(&row).ExcludeColumn("id").Returning("NULL").On("CONFLICT DO NOTHING").Exec(ctx)
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	}
	update := tx.NewUpdate().Model((*Incident)(nil)).Where("id = ?", row.ID).Where("closed_at IS NULL")
	if step.Action == StepClose {
		update.Set("closed_at = ?", s.now())
	} else {
		update.Set("told_at = ?", stored(step.At)).Set("summary = ?", clean(row.Summary))
		if row.ToldAt == nil {
			update.Where("told_at IS NULL")
		} else {
			update.Where("told_at = ?", stored(*row.ToldAt))
		}
	}
	result, err := update.Exec(ctx)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// AddMessages keeps messages that are about no incident, as far as their refs are new.
func (s *Store) AddMessages(ctx context.Context, messages []Message) error {
	return s.change(ctx, "keep messages", func(ctx context.Context, tx bun.Tx) error { return s.addMessages(ctx, tx, messages) })
}

func (s *Store) addMessages(ctx context.Context, tx bun.Tx, messages []Message) error {
	for _, row := range messages {
		cleanAll(&row.Channel, &row.Ref, &row.Kind, &row.Error)
		row.Body = cleanJSON(row.Body)
		s.orNow(&row.CreatedAt, &row.NextAt)
		if _, err := tx.NewInsert().Model(&row).ExcludeColumn("id").Returning("NULL").On("CONFLICT (ref, channel) DO NOTHING").Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// HasMessage reports whether there is, or was lately, a message of a ref.
func (s *Store) HasMessage(ctx context.Context, ref string) (bool, error) {
	found, err := s.read.NewSelect().Model((*Message)(nil)).Where("ref = ?", clean(ref)).Exists(ctx)
	return found, s.fail(ctx, "look for a message", err)
}

const undelivered = "sent_at IS NULL AND failed_at IS NULL"

// ClaimMessages takes messages to these channels that are due, at most limit of them, for so long: until then nobody else
// gets them. Attempts counts this time.
func (s *Store) ClaimMessages(ctx context.Context, channels []string, limit int, hold time.Duration) ([]Message, error) {
	const op = "take messages"
	if len(channels) == 0 {
		return nil, nil
	}
	due := func(db bun.IDB, list *[]Message) error {
		return db.NewSelect().Model(list).Where(undelivered).Where("next_at <= ?", s.now()).
			Where("channel IN (?)", bun.List(channels)).Order("next_at", "id").Limit(int64(limit)).Scan(ctx)
	}
	var list, claimed []Message
	if err := due(s.read, &list); err != nil || len(list) == 0 {
		return nil, s.fail(ctx, op, err)
	}
	err := s.change(ctx, op, func(ctx context.Context, tx bun.Tx) error {
		list, claimed = nil, nil
		if err := due(tx, &list); err != nil {
			return err
		}
		until := stored(s.now().Add(hold))
		for _, row := range list {
			result, err := tx.NewUpdate().Model((*Message)(nil)).Set("next_at = ?", until).Set("attempts = attempts + 1").
				Where("id = ?", row.ID).Where(undelivered).Where("attempts = ?", row.Attempts).Exec(ctx)
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			if n == 1 {
				row.NextAt, row.Attempts = until, row.Attempts+1
				claimed = append(claimed, row)
			}
		}
		return nil
	})
	return claimed, err
}

// PostponeMessage gives a message back that was claimed and not tried, until a time.
func (s *Store) PostponeMessage(ctx context.Context, id int64, until time.Time) error {
	return s.change(ctx, "postpone a message", func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewUpdate().Model((*Message)(nil)).Set("next_at = ?", stored(until)).Set("attempts = attempts - 1").
			Where("id = ?", id).Exec(ctx)
		return oneRow(result, err, fmt.Sprintf("message %d", id))
	})
}

// MessageSent notes that a message has arrived.
func (s *Store) MessageSent(ctx context.Context, id int64) error {
	return s.endMessage(ctx, id, "sent_at = ?", s.now(), "")
}

// MessageFailed notes why a message could not be sent, and when to try again; with a zero time it is given up.
func (s *Store) MessageFailed(ctx context.Context, id int64, reason string, next time.Time) error {
	if next.IsZero() {
		return s.endMessage(ctx, id, "failed_at = ?", s.now(), reason)
	}
	return s.endMessage(ctx, id, "next_at = ?", stored(next), reason)
}

func (s *Store) endMessage(ctx context.Context, id int64, set string, at time.Time, reason string) error {
	return s.change(ctx, "note what became of a message", func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewUpdate().Model((*Message)(nil)).Set(set, at).Set("error = ?", clean(reason)).
			Where("id = ?", id).Exec(ctx)
		return oneRow(result, err, fmt.Sprintf("message %d", id))
	})
}

// Undelivered gives the messages that were not sent, oldest first: those on their way and those that were given up. Those of
// a tenant, or all if tenantID is zero.
func (s *Store) Undelivered(ctx context.Context, tenantID int64) ([]Message, error) {
	var list []Message
	query := s.read.NewSelect().Model(&list).Where("sent_at IS NULL").Order("id")
	whereID(query, "message.tenant_id", tenantID)
	err := query.Scan(ctx)
	return list, s.fail(ctx, "list messages", err)
}

// PruneNotifications removes messages that were made, and incidents and mutes that ended, before a time.
func (s *Store) PruneNotifications(ctx context.Context, before time.Time) error {
	const op = "remove old notifications"
	before = stored(before)
	old := map[any]string{
		(*Message)(nil): "created_at < ?", (*Incident)(nil): "closed_at < ?", (*Mute)(nil): "until < ?",
	}
	for model, where := range old {
		found, err := s.read.NewSelect().Model(model).Where(where, before).Exists(ctx)
		if err == nil && !found {
			continue
		}
		if err == nil {
			err = s.change(ctx, op, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewDelete().Model(model).Where(where, before).Exec(ctx)
				return err
			})
		}
		if err != nil {
			return s.fail(ctx, op, err)
		}
	}
	return nil
}

// OpenIncidents gives the incidents that are not over, oldest first: those of a tenant and a module, or all if these are zero.
func (s *Store) OpenIncidents(ctx context.Context, tenantID, moduleID int64) ([]Incident, error) {
	var list []Incident
	query := s.read.NewSelect().Model(&list).Where("closed_at IS NULL").Order("id")
	whereID(query, "incident.tenant_id", tenantID)
	whereID(query, "incident.module_id", moduleID)
	err := query.Scan(ctx)
	return list, s.fail(ctx, "list incidents", err)
}

// AddMute keeps messages back. One that is for the same tenant and module is replaced.
func (s *Store) AddMute(ctx context.Context, mute Mute) error {
	cleanAll(&mute.Reason, &mute.Who)
	mute.Until = stored(mute.Until)
	s.orNow(&mute.CreatedAt)
	return s.change(ctx, "mute", func(ctx context.Context, tx bun.Tx) error {
		if _, err := unmute(ctx, tx, mute.TenantID, mute.ModuleID); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&mute).ExcludeColumn("id").Returning("NULL").Exec(ctx)
		return err
	})
}

// RemoveMute ends the mute of a tenant, or of a module, and reports whether there was one.
func (s *Store) RemoveMute(ctx context.Context, tenantID int64, moduleID *int64) (found bool, err error) {
	err = s.change(ctx, "unmute", func(ctx context.Context, tx bun.Tx) (err error) {
		found, err = unmute(ctx, tx, tenantID, moduleID)
		return err
	})
	return found, err
}

func unmute(ctx context.Context, tx bun.Tx, tenantID int64, moduleID *int64) (bool, error) {
	query := tx.NewDelete().Model((*Mute)(nil)).Where("tenant_id = ?", tenantID)
	if moduleID == nil {
		query.Where("module_id IS NULL")
	} else {
		query.Where("module_id = ?", *moduleID)
	}
	result, err := query.Exec(ctx)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// Mutes gives the mutes that have not ended: those of a tenant, or all if tenantID is zero.
func (s *Store) Mutes(ctx context.Context, tenantID int64) ([]Mute, error) {
	var list []Mute
	query := s.read.NewSelect().Model(&list).Where("until > ?", s.now()).Order("until", "id")
	whereID(query, "mute.tenant_id", tenantID)
	err := query.Scan(ctx)
	return list, s.fail(ctx, "list mutes", err)
}

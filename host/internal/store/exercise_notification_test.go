// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// step gives a step about an incident with a message to a channel.
func step(action StepAction, incident Incident, key string) Step {
	message := Message{TenantID: &incident.TenantID, Channel: "ops", Ref: key, Kind: "failed", Body: json.RawMessage(`{}`)}
	return Step{Action: action, Incidents: []Incident{incident}, Messages: []Message{message}}
}

// keys gives the keys of messages.
func keys(list []Message) string {
	texts := make([]string, len(list))
	for i, m := range list {
		texts[i] = m.Ref
	}
	return strings.Join(texts, " ")
}

func exerciseIncidents(t *testing.T, fresh newDatabase) {
	var minutes atomic.Int64
	clock := func() time.Time { return time.Date(2026, 3, 1, 0, int(minutes.Load()), 0, 0, time.UTC) }
	s := fresh(t)(Options{Now: clock})
	ctx := t.Context()
	_, m := addModule(t, s, "acme", "rhipe")
	_, other := addModule(t, s, "other", "rhipe")
	failed := Incident{TenantID: m.TenantID, ModuleID: m.ID, Kind: "failed", Cause: "run.failed", Severity: "error", Summary: "one\x00"}
	take := func(want int, steps ...Step) {
		t.Helper()
		taken, err := s.TakeSteps(ctx, steps)
		must(t, err)
		if taken != want {
			t.Errorf("%d steps were taken, want %d", taken, want)
		}
	}
	again, elsewhere := failed, failed
	again.Cause, elsewhere.ModuleID, elsewhere.TenantID = "distributor.auth", other.ID, other.TenantID
	take(1, step(StepOpen, failed, "a"), step(StepOpen, failed, "b"))
	take(2, step(StepOpen, failed, "c"), step(StepOpen, again, "d"), step(StepOpen, elsewhere, "e"))
	open, err := s.OpenIncidents(ctx, m.TenantID, m.ID)
	must(t, err)
	if len(open) != 2 || open[0].Summary != "one" || open[0].ToldAt != nil {
		t.Fatalf("open are %+v", open)
	}
	tell := step(StepTell, open[0], "f")
	tell.At = clock().Add(123456789)
	take(1, tell)
	tell.Messages[0].Ref = "g"
	take(0, tell)
	open, err = s.OpenIncidents(ctx, m.TenantID, m.ID)
	must(t, err)
	tell.Incidents[0], tell.At, tell.Messages[0].Ref = open[0], clock().Add(time.Hour), "g"
	take(1, tell)
	tell.At, tell.Messages[0].Ref = clock().Add(2*time.Hour), "x"
	take(0, tell)
	take(1, step(StepClose, open[0], "h"))
	take(0, step(StepClose, open[0], "i"), step(StepTell, open[0], "j"))
	take(1, step(StepOpen, failed, "k"))
	list, err := s.Undelivered(ctx, m.TenantID)
	must(t, err)
	if got := keys(list); got != "a d f g h k" {
		t.Errorf("messages of the steps that were taken: %s", got)
	}
	if all, _ := s.OpenIncidents(ctx, 0, 0); len(all) != 3 {
		t.Errorf("%d incidents are open in all, want 3", len(all))
	}

	mute := func(module *int64, until time.Duration) {
		t.Helper()
		must(t, s.AddMute(ctx, Mute{TenantID: m.TenantID, ModuleID: module, Until: clock().Add(until), Reason: "works", Who: "me"}))
	}
	mute(&m.ID, time.Hour)
	mute(&m.ID, 2*time.Hour)
	mute(nil, time.Minute)
	if mutes, _ := s.Mutes(ctx, m.TenantID); len(mutes) != 2 || !mutes[0].Of(m.TenantID, m.ID) || mutes[0].Of(other.TenantID, other.ID) {
		t.Errorf("mutes are %+v", mutes)
	}
	minutes.Store(5)
	if mutes, _ := s.Mutes(ctx, 0); len(mutes) != 1 || *mutes[0].ModuleID != m.ID {
		t.Errorf("mutes after five minutes are %+v", mutes)
	}
	for _, want := range []bool{true, false} {
		found, err := s.RemoveMute(ctx, m.TenantID, &m.ID)
		if err != nil || found != want {
			t.Errorf("removing the mute: %v, %v", found, err)
		}
	}
	must(t, s.PruneNotifications(ctx, clock()))
	if list, _ := s.Undelivered(ctx, 0); len(list) != 0 {
		t.Errorf("left are %s", keys(list))
	}
	if all, _ := s.OpenIncidents(ctx, 0, 0); len(all) != 3 {
		t.Errorf("after pruning %d incidents are open", len(all))
	}
}

func exerciseMessages(t *testing.T, fresh newDatabase) {
	var minutes atomic.Int64
	clock := func() time.Time { return time.Date(2026, 3, 1, 0, int(minutes.Load()), 0, 0, time.UTC) }
	open := fresh(t)
	s := open(Options{Now: clock})
	ctx := t.Context()
	add := func(channel, key string) {
		t.Helper()
		must(t, s.AddMessages(ctx, []Message{{Channel: channel, Ref: key, Kind: "digest", Body: json.RawMessage(`{"a":1}`)}}))
	}
	claim := func(s *Store) []Message {
		t.Helper()
		list, err := s.ClaimMessages(ctx, []string{"ops", "chat"}, 100, 5*time.Minute)
		must(t, err)
		return list
	}
	for range 2 {
		add("ops", "digest 1")
		add("chat", "digest 1")
		add("gone", "digest 1")
	}
	if found, _ := s.HasMessage(ctx, "digest 1"); !found {
		t.Error("the message is not found by its key")
	}
	first := claim(s)
	if keys(first) != "digest 1 digest 1" || string(first[0].Body) != `{"a":1}` || first[0].Attempts != 1 {
		t.Fatalf("claimed are %+v", first)
	}
	if list := claim(s); len(list) != 0 {
		t.Errorf("claimed twice: %s", keys(list))
	}
	must(t, s.MessageSent(ctx, first[0].ID))
	must(t, s.MessageFailed(ctx, first[1].ID, "nobody\x00 answers", clock().Add(10*time.Minute)))
	minutes.Store(6)
	if list := claim(s); len(list) != 0 {
		t.Errorf("claimed before its time: %s", keys(list))
	}
	minutes.Store(10)
	late := claim(s)
	if len(late) != 1 || late[0].Error != "nobody answers" || late[0].Attempts != 2 {
		t.Fatalf("claimed at its time: %+v", late)
	}
	minutes.Store(15) // whoever claimed it is dead
	if list := claim(s); len(list) != 1 || list[0].Attempts != 3 {
		t.Errorf("claimed after its holder died: %+v", list)
	}
	must(t, s.MessageFailed(ctx, late[0].ID, "given up", time.Time{}))
	minutes.Store(60)
	if list := claim(s); len(list) != 0 {
		t.Errorf("claimed after it was given up: %s", keys(list))
	}
	list, err := s.Undelivered(ctx, 0)
	must(t, err)
	if len(list) != 2 || list[0].FailedAt == nil || list[1].Channel != "gone" {
		t.Errorf("undelivered are %+v", list)
	}

	for i := range 40 {
		add("ops", fmt.Sprint("many ", i))
	}
	var mu sync.Mutex
	var hosts sync.WaitGroup
	times := map[int64]int{}
	for range 4 {
		host := open(Options{Now: clock})
		hosts.Go(func() {
			for {
				list, err := host.ClaimMessages(ctx, []string{"ops"}, 3, 5*time.Minute)
				if err != nil {
					t.Error(err)
				}
				if len(list) == 0 {
					left, err := host.ClaimMessages(ctx, []string{"ops"}, 100, 5*time.Minute)
					if err != nil || len(left) == 0 {
						return
					}
					list = left
				}
				mu.Lock()
				for _, m := range list {
					times[m.ID]++
				}
				mu.Unlock()
			}
		})
	}
	hosts.Wait()
	if len(times) != 40 {
		t.Errorf("%d of 40 messages were claimed", len(times))
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("message %d was claimed %d times", id, n)
		}
	}
}

-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- Runs that are old are found by these, and whether another run approved what they held.
CREATE INDEX runs_started ON runs (module_id, started_at);
CREATE INDEX runs_approves ON runs (approves_run_id) WHERE approves_run_id IS NOT NULL;

-- +goose Down
DROP INDEX runs_approves;
DROP INDEX runs_started;

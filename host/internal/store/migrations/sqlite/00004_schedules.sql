-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- When a module is run by itself. The rows follow the configuration; when a module is due follows from them and its runs.
CREATE TABLE schedules (
    module_id INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    -- The schedule in words; with other words it begins anew.
    spec      TEXT NOT NULL,
    -- What was due before counts as done.
    since     TIMESTAMP NOT NULL,
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id)
);

-- +goose Down
DROP TABLE schedules;

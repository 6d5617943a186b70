-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- A run that a person asked for, to be made once by whichever host is free. The row goes with the end of that run.
CREATE TABLE wishes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id INTEGER NOT NULL,
    module_id INTEGER NOT NULL,
    entities  TEXT NOT NULL,
    who       TEXT NOT NULL,
    asked_at  TIMESTAMP NOT NULL,
    -- When a host began the run. If that host died, another makes it.
    begun_at  TIMESTAMP,
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id)
);
CREATE UNIQUE INDEX wishes_module ON wishes (module_id);

-- What is not run by itself until somebody resumes it, or it ends: a module, a tenant, or all where tenant_id is NULL.
CREATE TABLE pauses (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id INTEGER REFERENCES tenants (id),
    module_id INTEGER,
    who       TEXT NOT NULL,
    reason    TEXT NOT NULL,
    since     TIMESTAMP NOT NULL,
    ends_at   TIMESTAMP,
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id)
);

-- The programs that run modules by themselves. Each says again and again that it is there.
CREATE TABLE hosts (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    version    TEXT NOT NULL,
    started_at TIMESTAMP NOT NULL,
    seen_at    TIMESTAMP NOT NULL
);

-- +goose Down
DROP TABLE hosts;
DROP TABLE pauses;
DROP TABLE wishes;

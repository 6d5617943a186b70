-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- What is not as it should be with a module, from the first time until it is over.
CREATE TABLE incidents (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id INTEGER NOT NULL,
    module_id INTEGER NOT NULL,
    -- failed, held, warning, stale, stopped, expiring
    kind      TEXT NOT NULL,
    -- What tells two incidents of a kind apart, such as an error's code
    cause     TEXT NOT NULL DEFAULT '',
    severity  TEXT NOT NULL,
    -- What happened, in one line
    summary   TEXT NOT NULL DEFAULT '',
    run_id    INTEGER,
    opened_at TIMESTAMP NOT NULL,
    -- When somebody was last told of it; NULL: not yet
    told_at   TIMESTAMP,
    closed_at TIMESTAMP,
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id)
);
CREATE UNIQUE INDEX incidents_open ON incidents (module_id, kind, cause) WHERE closed_at IS NULL;
CREATE INDEX incidents_closed ON incidents (closed_at) WHERE closed_at IS NOT NULL;

-- What nobody is told of, until a time.
CREATE TABLE mutes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  INTEGER NOT NULL REFERENCES tenants (id),
    -- NULL: all modules of the tenant
    module_id  INTEGER,
    until      TIMESTAMP NOT NULL,
    reason     TEXT NOT NULL DEFAULT '',
    who        TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP NOT NULL,
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id)
);
CREATE INDEX mutes_tenant ON mutes (tenant_id, until);

-- Messages on their way. Whoever is to send one puts next_at into the future first, so that nobody else does.
CREATE TABLE messages (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- NULL: it is about several tenants
    tenant_id  INTEGER REFERENCES tenants (id),
    channel    TEXT NOT NULL,
    -- The same for one message on all its channels
    ref        TEXT NOT NULL,
    kind       TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    next_at    TIMESTAMP NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    error      TEXT NOT NULL DEFAULT '',
    sent_at    TIMESTAMP,
    -- When it was given up
    failed_at  TIMESTAMP,
    UNIQUE (ref, channel)
);
CREATE INDEX messages_waiting ON messages (next_at) WHERE sent_at IS NULL AND failed_at IS NULL;

-- +goose Down
DROP TABLE messages;
DROP TABLE mutes;
DROP TABLE incidents;

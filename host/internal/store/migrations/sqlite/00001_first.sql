-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

CREATE TABLE tenants (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL DEFAULT '',
    created_at   TIMESTAMP NOT NULL
);

CREATE TABLE modules (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id   INTEGER NOT NULL REFERENCES tenants (id),
    name        TEXT NOT NULL,
    plugin      TEXT NOT NULL,
    distributor TEXT NOT NULL DEFAULT '',
    created_at  TIMESTAMP NOT NULL,
    UNIQUE (tenant_id, name),
    UNIQUE (id, tenant_id)
);

-- A module is run by at most one holder at a time. A row whose time is over is free.
CREATE TABLE leases (
    module_id   INTEGER PRIMARY KEY,
    tenant_id   INTEGER NOT NULL,
    holder      TEXT NOT NULL,
    purpose     TEXT NOT NULL DEFAULT '',
    acquired_at TIMESTAMP NOT NULL,
    expires_at  TIMESTAMP NOT NULL,
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id)
);

CREATE TABLE top_levels (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id  INTEGER NOT NULL REFERENCES tenants (id),
    name       TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    UNIQUE (tenant_id, name),
    UNIQUE (id, tenant_id)
);

CREATE TABLE customers (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id    INTEGER NOT NULL REFERENCES tenants (id),
    name         TEXT NOT NULL,
    active       BOOLEAN NOT NULL DEFAULT TRUE,
    top_level_id INTEGER,
    -- Display name of the distributor that created it, "import", or empty.
    created_by   TEXT NOT NULL DEFAULT '',
    created_at   TIMESTAMP NOT NULL,
    updated_at   TIMESTAMP NOT NULL,
    UNIQUE (id, tenant_id),
    FOREIGN KEY (top_level_id, tenant_id) REFERENCES top_levels (id, tenant_id)
);
CREATE INDEX customers_name ON customers (tenant_id, name);

CREATE TABLE sites (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id    INTEGER NOT NULL,
    customer_id  INTEGER NOT NULL,
    name         TEXT NOT NULL,
    main         BOOLEAN NOT NULL DEFAULT FALSE,
    line1        TEXT NOT NULL DEFAULT '',
    line2        TEXT NOT NULL DEFAULT '',
    line3        TEXT NOT NULL DEFAULT '',
    city         TEXT NOT NULL DEFAULT '',
    region       TEXT NOT NULL DEFAULT '',
    postal_code  TEXT NOT NULL DEFAULT '',
    country_code TEXT NOT NULL DEFAULT '',
    country      TEXT NOT NULL DEFAULT '',
    updated_at   TIMESTAMP NOT NULL,
    FOREIGN KEY (customer_id, tenant_id) REFERENCES customers (id, tenant_id)
);
CREATE INDEX sites_customer ON sites (customer_id);
CREATE UNIQUE INDEX sites_one_main ON sites (customer_id) WHERE main;

CREATE TABLE runs (
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id              INTEGER NOT NULL,
    module_id              INTEGER NOT NULL,
    -- sync, plan, mappings
    mode                   TEXT NOT NULL,
    -- command, approve, schedule
    trigger                TEXT NOT NULL,
    who                    TEXT NOT NULL DEFAULT '',
    -- customers, subscriptions, or both, comma-separated
    entities               TEXT NOT NULL,
    -- Ids of the customers the run was narrowed to, comma-separated; empty: all
    customers              TEXT NOT NULL DEFAULT '',
    -- empty while running; no_change, succeeded, warning, held, failed, cancelled
    outcome                TEXT NOT NULL DEFAULT '',
    holder                 TEXT NOT NULL DEFAULT '',
    plugin_version         TEXT NOT NULL DEFAULT '',
    plugin_sha256          TEXT NOT NULL DEFAULT '',
    -- The listing was complete: the run's picture of that entity can be trusted
    customers_complete     BOOLEAN NOT NULL DEFAULT FALSE,
    subscriptions_complete BOOLEAN NOT NULL DEFAULT FALSE,
    -- JSON: numbers by name
    counts                 TEXT NOT NULL DEFAULT '{}',
    -- JSON: warnings, the first of them, and scopes with their outcome
    report                 TEXT NOT NULL DEFAULT '{}',
    -- Why it failed: a code in dotted words and a message
    error_code             TEXT NOT NULL DEFAULT '',
    error                  TEXT NOT NULL DEFAULT '',
    -- JSON: exit code or signal, panic, last lines, the call it was in
    crash                  TEXT,
    approves_run_id        INTEGER,
    started_at             TIMESTAMP NOT NULL,
    finished_at            TIMESTAMP,
    UNIQUE (id, tenant_id),
    FOREIGN KEY (approves_run_id, tenant_id) REFERENCES runs (id, tenant_id),
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id)
);
CREATE INDEX runs_module ON runs (module_id, id);

CREATE TABLE distributor_customers (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id           INTEGER NOT NULL,
    module_id           INTEGER NOT NULL,
    ref                 TEXT NOT NULL,
    ref_key             TEXT NOT NULL,
    name                TEXT NOT NULL,
    lifecycle           TEXT NOT NULL,
    is_partner          BOOLEAN NOT NULL DEFAULT FALSE,
    -- JSON: the rest of what the distributor said
    record              TEXT NOT NULL,
    fingerprint         INTEGER NOT NULL,
    -- Since when it has been missing from complete listings
    gone_at             TIMESTAMP,
    -- The customer its subscriptions were last put on
    placed_customer_id  INTEGER,
    created_at          TIMESTAMP NOT NULL,
    updated_at          TIMESTAMP NOT NULL,
    UNIQUE (module_id, ref_key),
    UNIQUE (id, tenant_id, module_id),
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id),
    FOREIGN KEY (placed_customer_id, tenant_id) REFERENCES customers (id, tenant_id)
);

-- One distributor customer is never mapped twice; several may be mapped to one customer.
CREATE TABLE mappings (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id               INTEGER NOT NULL,
    module_id               INTEGER NOT NULL,
    distributor_customer_id INTEGER NOT NULL UNIQUE,
    customer_id             INTEGER NOT NULL,
    -- name, created, manual
    origin                  TEXT NOT NULL,
    who                     TEXT NOT NULL DEFAULT '',
    created_at              TIMESTAMP NOT NULL,
    FOREIGN KEY (distributor_customer_id, tenant_id, module_id)
        REFERENCES distributor_customers (id, tenant_id, module_id),
    FOREIGN KEY (customer_id, tenant_id) REFERENCES customers (id, tenant_id)
);
CREATE INDEX mappings_customer ON mappings (customer_id);

CREATE TABLE scopes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id INTEGER NOT NULL,
    module_id INTEGER NOT NULL,
    ref       TEXT NOT NULL,
    name      TEXT NOT NULL DEFAULT '',
    UNIQUE (module_id, ref),
    UNIQUE (id, tenant_id, module_id),
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id)
);

CREATE TABLE subscriptions (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id         INTEGER NOT NULL,
    customer_id       INTEGER NOT NULL,
    module_id         INTEGER NOT NULL,
    -- Display name of the distributor
    distributor       TEXT NOT NULL,
    ref               TEXT NOT NULL,
    name              TEXT NOT NULL,
    -- Decimal text; null where counting means nothing
    quantity          TEXT,
    unit              TEXT NOT NULL DEFAULT '',
    active            BOOLEAN NOT NULL DEFAULT TRUE,
    -- pending, active, suspended, cancelled, expired, converted, failed, deleted, unknown
    state             TEXT NOT NULL,
    -- The state as the distributor spells it
    status            TEXT NOT NULL DEFAULT '',
    -- recurring, one_time, usage, unknown
    charge            TEXT NOT NULL DEFAULT '',
    -- P1M, P1Y, one_time, usage, none, or empty
    billing_term      TEXT NOT NULL DEFAULT '',
    commitment_term   TEXT NOT NULL DEFAULT '',
    started_on        TEXT NOT NULL DEFAULT '',
    commitment_end    TEXT NOT NULL DEFAULT '',
    cancellable_until TEXT NOT NULL DEFAULT '',
    auto_renew        BOOLEAN,
    trial             BOOLEAN,
    sku               TEXT NOT NULL DEFAULT '',
    vendor            TEXT NOT NULL DEFAULT '',
    vendor_ref        TEXT NOT NULL DEFAULT '',
    parent_ref        TEXT NOT NULL DEFAULT '',
    -- Decimal text; null: not told
    customer_price    TEXT,
    partner_cost      TEXT,
    list_price        TEXT,
    currency          TEXT NOT NULL DEFAULT '',
    deactivated_at    TIMESTAMP,
    created_at        TIMESTAMP NOT NULL,
    updated_at        TIMESTAMP NOT NULL,
    UNIQUE (id, tenant_id, module_id),
    FOREIGN KEY (customer_id, tenant_id) REFERENCES customers (id, tenant_id),
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id)
);
CREATE INDEX subscriptions_customer ON subscriptions (customer_id);
-- Every run counts them, to know what share of them it would deactivate.
CREATE INDEX subscriptions_active ON subscriptions (module_id, active) WHERE active;

CREATE TABLE distributor_subscriptions (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id       INTEGER NOT NULL,
    module_id       INTEGER NOT NULL,
    ref             TEXT NOT NULL,
    ref_key         TEXT NOT NULL,
    key_hash        INTEGER NOT NULL,
    fingerprint     INTEGER NOT NULL,
    customer_key    TEXT NOT NULL,
    scope_id        INTEGER NOT NULL,
    -- Bits: 1 gone, 2 our record is not yet what the distributor says, 4 missing from some complete reading
    flags           INTEGER NOT NULL DEFAULT 0,
    -- In how many complete readings in a row it was missing
    missing         INTEGER NOT NULL DEFAULT 0,
    -- JSON: what the distributor said
    record          TEXT NOT NULL,
    -- Null while its customer is not mapped
    subscription_id INTEGER UNIQUE,
    created_at      TIMESTAMP NOT NULL,
    updated_at      TIMESTAMP NOT NULL,
    UNIQUE (module_id, ref_key),
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id),
    FOREIGN KEY (scope_id, tenant_id, module_id) REFERENCES scopes (id, tenant_id, module_id),
    FOREIGN KEY (subscription_id, tenant_id, module_id) REFERENCES subscriptions (id, tenant_id, module_id)
);
-- One pass over this index is all that an unchanged reading costs.
CREATE INDEX distributor_subscriptions_scan
    ON distributor_subscriptions (module_id, id, key_hash, fingerprint, scope_id, flags, subscription_id);
CREATE INDEX distributor_subscriptions_customer ON distributor_subscriptions (module_id, customer_key, id);

CREATE TABLE changes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id   INTEGER NOT NULL REFERENCES tenants (id),
    module_id   INTEGER,
    run_id      INTEGER,
    -- customer, site, mapping, distributor_customer, subscription, top_level
    entity      TEXT NOT NULL,
    entity_id   INTEGER,
    -- The distributor's id of what is changed, or another stable name
    entity_key  TEXT NOT NULL DEFAULT '',
    -- What a person calls it
    name        TEXT NOT NULL DEFAULT '',
    customer_id INTEGER,
    -- create, update, deactivate, reactivate, map, unmap, move, rename, flag
    kind        TEXT NOT NULL,
    -- applied, held, approved, rejected, superseded
    status      TEXT NOT NULL,
    -- The guard that held it
    guard       TEXT NOT NULL DEFAULT '',
    -- JSON objects with only the fields that differ
    before      TEXT,
    after       TEXT,
    reason      TEXT NOT NULL DEFAULT '',
    who         TEXT NOT NULL DEFAULT '',
    created_at  TIMESTAMP NOT NULL,
    -- Who approved or rejected what was held, and when
    decided_by  TEXT NOT NULL DEFAULT '',
    decided_at  TIMESTAMP,
    FOREIGN KEY (module_id, tenant_id) REFERENCES modules (id, tenant_id),
    FOREIGN KEY (run_id, tenant_id) REFERENCES runs (id, tenant_id),
    FOREIGN KEY (customer_id, tenant_id) REFERENCES customers (id, tenant_id)
);
CREATE INDEX changes_run ON changes (run_id, id);
CREATE INDEX changes_entity ON changes (entity, entity_id);
CREATE INDEX changes_held ON changes (module_id, id) WHERE status = 'held';

-- +goose Down
DROP TABLE changes;
DROP TABLE distributor_subscriptions;
DROP TABLE subscriptions;
DROP TABLE scopes;
DROP TABLE mappings;
DROP TABLE distributor_customers;
DROP TABLE runs;
DROP TABLE sites;
DROP TABLE customers;
DROP TABLE top_levels;
DROP TABLE leases;
DROP TABLE modules;
DROP TABLE tenants;

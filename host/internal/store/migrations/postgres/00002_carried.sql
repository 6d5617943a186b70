-- SPDX-License-Identifier: Apache-2.0
-- +goose Up

-- The subscription that this distributor subscription had until it was carried over to another module. As long as it is
-- set, flags has the bit 8, and the distributor subscription gets no subscription again.
ALTER TABLE distributor_subscriptions ADD COLUMN carried_as BIGINT REFERENCES subscriptions (id);
CREATE INDEX distributor_subscriptions_carried ON distributor_subscriptions (module_id, carried_as) WHERE carried_as IS NOT NULL;

-- +goose Down
DROP INDEX distributor_subscriptions_carried;
ALTER TABLE distributor_subscriptions DROP COLUMN carried_as;

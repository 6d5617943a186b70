# SPDX-License-Identifier: Apache-2.0

GO      ?= go
VERSION ?= 0.1.0-dev
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 30s
CHAOSTIME ?= 5m
# Tools have modules of their own under .tools/, so that their dependencies are not the product's. BUF is run in proto/.
BUF  := $(GO) tool -modfile=../.tools/buf/go.mod buf
LINT := $(GO) tool -modfile=.tools/lint/go.mod golangci-lint
# A folder of plugins/ is a plugin; the example is for reading.
PLUGINS := $(filter-out example,$(patsubst plugins/%/main.go,%,$(wildcard plugins/*/main.go)))
# Run without the race detector, which would see nothing in them that smaller tests do not show: a million subscriptions, hundreds of
# random histories, and what is done by programs of their own: plugins, and all that the tests of the program start.
LONG := '^(TestAMillionSubscriptions|TestARunIsWhatTheDesignSays|TestAMoveNeverChangesAnID)$$|^TestConformance$$/^process$$'
# The tests of the run once more, on PostgreSQL.
ONPOSTGRES := TALLYMAN_TEST_DATABASE=postgres $(GO) test -count=1 -timeout 28m ./host/internal/integrator
HELP_ALIGN := awk -F'|' '{ printf "%-15s %s\n", $$1, $$2 }'
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help

## help: show this
help:
	@for target in run build test check; do sed -n "s/^## $$target: /$$target|/p" $(MAKEFILE_LIST); done | $(HELP_ALIGN)
	@sed -n 's/^## \([a-z-]*\): /\1|/p' $(MAKEFILE_LIST) | grep -Ev '^(run|build|test|check)\|' | $(HELP_ALIGN)

## run: three days in a tenant's life, against the bundled simulator of PRISM
run: build
	$(GO) build -o bin/prismsim ./plugins/rhipe/prismsim/cmd/prismsim
	$(GO) build -o bin/tallyman-demo ./host/cmd/tallyman-demo
	@bin/tallyman-demo

## build: build tallyman and its plugins into bin/
build:
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/tallyman ./host/cmd/tallyman
	$(foreach p,$(PLUGINS),$(GO) build -ldflags '$(LDFLAGS)' -o bin/plugins/tallyman-plugin-$(p) ./plugins/$(p) &&) true

## postgres: install PostgreSQL, which the tests start by themselves, where it is missing and apt-get can
postgres:
	@command -v initdb > /dev/null || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || { \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get update -qq && apt-get install -y -qq postgresql; } || \
		{ echo 'the tests need the programs of PostgreSQL 13 or later: apt-get install postgresql, or brew install postgresql'; exit 1; }; }

## test: run all tests
# Go's test cache does not know the programs that tests build and run, so it is not asked (-shuffle does without it, too).
test: postgres
	$(GO) test -count=1 ./...
	$(ONPOSTGRES)

## race: run all tests with the race detector, in random order (needs a C compiler)
race: postgres
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -p 2 -timeout 28m -skip $(LONG) $$($(GO) list ./... | grep -v /host/cmd/tallyman$$)
	$(GO) test -shuffle=on -timeout 28m ./host/cmd/tallyman
	$(GO) test -count=1 -p 2 -run $(LONG) ./plugins/... ./host/internal/integrator
	$(ONPOSTGRES)

## chaos: kill hosts, cut connections and crash the database server for CHAOSTIME (5m), with 200 tenants
chaos: postgres
	TALLYMAN_TEST_CHAOS=$(CHAOSTIME) $(GO) test -count=1 -v -timeout 60m -run '^(TestHostsOnOneDatabaseSurviveAnything|TestServeKilledAtAnyInstant)$$' ./host/cmd/tallyman

## bench: what a run costs, as ratios to the floors of this machine (several minutes)
bench: build
	$(GO) build -o bin/tallyman-bench ./host/cmd/tallyman-bench
	bin/tallyman-bench -rhipe bin/plugins/tallyman-plugin-rhipe $(BENCHFLAGS)

## bench-scale: what runs of 1,000 tenants cost, on SQLite and on PostgreSQL with one host and with three (half an hour)
bench-scale: postgres
	$(GO) build -o bin/tallyman-bench ./host/cmd/tallyman-bench
	bin/tallyman-bench -scale 100,1000 $(BENCHFLAGS)

## cover: run all tests and print how much of each package any of them reaches (processes of their own do not count)
cover: postgres
	@out=$$($(GO) test -coverpkg=./... -coverprofile=coverage.out ./... 2>&1) || { echo "$$out"; exit 1; }
	@awk -F'[ ]' 'NR > 1 && $$1 !~ /\.pb\.go:|testplugin/ { size[$$1] = $$2; if ($$3) hit[$$1] = 1 } \
	END { for (b in size) { p = b; sub(/\/[^\/]*$$/, "", p); all[p] += size[b]; if (b in hit) got[p] += size[b] } \
	for (p in all) printf "%6.1f %%  %s\n", 100 * got[p] / all[p], p }' coverage.out | sort -k3

## fuzz: run each fuzz target for FUZZTIME (30s)
fuzz:
	@out=$$($(GO) test -list '^Fuzz' ./... 2>&1) || { echo "$$out"; exit 1; }; \
	echo "$$out" | awk '/^Fuzz/ { names[++n] = $$1 } /^ok/ { for (i = 1; i <= n; i++) print $$2, names[i]; n = 0 }' | \
	while read -r package name; do \
		echo "$$package $$name"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzzminimizetime 20x -fuzztime $(FUZZTIME) "$$package" < /dev/null || exit 1; \
	done

## vet: the compiler's own checks, which are fast; lint has them too
vet:
	$(GO) vet ./...

## lint: the walls between packages, the style and the format
lint:
	$(LINT) run
	@find host plugins proto sdk -name '*.go' -exec awk 'FNR == 1 && $$0 != "// SPDX-License-Identifier: Apache-2.0" { \
		print FILENAME ":1: the first line must be // SPDX-License-Identifier: Apache-2.0"; bad = 1 } END { exit bad }' {} +

## fmt: format the code
fmt:
	$(LINT) fmt

## tidy: fail if go.mod or go.sum would be changed by "go mod tidy"
tidy:
	@out=$$($(GO) mod tidy -diff) || { echo "$$out" | head -40; echo 'go.mod or go.sum is not tidy: run "go mod tidy"'; exit 1; }

## generate: make the Go code of the contract anew
generate:
	cd proto && $(BUF) generate

## generated: fail if the contract's Go code is not what the contract says
generated:
	@dir=$$(mktemp -d) && cd proto && $(BUF) generate -o "$$dir" && \
	for f in distributor/v1/*.pb.go; do cmp "$$f" "$$dir/$$f" || exit 1; done && rm -rf "$$dir" && echo "generated code is current"

## proto-lint: check the contract's style
proto-lint:
	cd proto && $(BUF) lint

## proto-breaking: fail if the contract breaks what proto/baseline.binpb promised to plugins
proto-breaking:
	cd proto && $(BUF) breaking --against baseline.binpb

## proto-baseline: promise the contract as it is now; with a release, never to silence proto-breaking
proto-baseline:
	cd proto && $(BUF) build --exclude-source-info -o baseline.binpb

## check: everything CI checks
check: build lint generated proto-lint proto-breaking race tidy

## clean: remove what was built
clean:
	rm -rf bin coverage.out

.PHONY: help run bench bench-scale build postgres test chaos race cover fuzz vet lint fmt tidy generate generated proto-lint proto-breaking proto-baseline check clean

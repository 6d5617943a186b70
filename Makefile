# SPDX-License-Identifier: Apache-2.0

GO      ?= go
VERSION ?= 0.1.0-dev
LDFLAGS := -s -w -X main.version=$(VERSION)
# Tools have modules of their own under .tools/, so that their dependencies are not the product's. From proto/.
BUF := $(GO) tool -modfile=../.tools/buf/go.mod buf
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help

## help: show this
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## run: three days in a tenant's life, against the bundled simulator of PRISM
run: build
	$(GO) build -o bin/prismsim ./plugins/rhipe/prismsim/cmd/prismsim
	$(GO) build -o bin/tallyman-demo ./host/cmd/tallyman-demo
	@bin/tallyman-demo

## build: build tallyman and its plugins into bin/
build:
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/tallyman ./host/cmd/tallyman
	$(GO) build -ldflags '$(LDFLAGS)' -o bin/plugins/tallyman-plugin-rhipe ./plugins/rhipe

## test: run all tests
test:
	$(GO) test ./...

## race: run all tests with the race detector, in random order (needs a C compiler)
race:
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -p 2 -timeout 20m ./...

## bench: what a run costs, as ratios to the floors of this machine (several minutes)
bench: build
	$(GO) build -o bin/tallyman-bench ./host/cmd/tallyman-bench
	bin/tallyman-bench -rhipe bin/plugins/tallyman-plugin-rhipe $(BENCHFLAGS)

## vet: the compiler's own checks
vet:
	$(GO) vet ./...

## fmt: format the code
fmt:
	gofmt -w host plugins proto sdk

## fmt-check: fail if anything is not formatted
fmt-check:
	@out=$$(gofmt -l host plugins proto sdk); test -z "$$out" || { echo "not formatted: $$out"; exit 1; }

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
check: build vet fmt-check proto-lint proto-breaking generated race

## clean: remove what was built
clean:
	rm -rf bin

.PHONY: help run bench build test race vet fmt fmt-check generate generated proto-lint proto-breaking proto-baseline check clean

# neargate: Fargate you run yourself.
#
#   make demo      build, start, deploy a sample service; leaves it running
#   make down      stop it; what it knows stays for the next start
#   make build sandboxes   only the programs, in bin/; bin/neargate up -h says how to run them
#   make test      everything CI checks, installing what it needs
#   make check     the quick part: vet, staticcheck, architecture, unit tests
#   make thorough  the unit tests that take longer, such as those of namespaces and sandboxes
#   make e2e       stories with the real clients against a real daemon
#   make conformance   the OCI Distribution Specification's suite against the registry
#   make generate  rewrite aws/ and docs/coverage.md from models/
#   make bench     measure beside a peer or the kernel's floor; prints ratios

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
export CGO_ENABLED := 0

GO ?= go
BIN := bin

.PHONY: build
build: $(BIN)/neargate

.PHONY: $(BIN)/neargate
$(BIN)/neargate:
	$(GO) build -trimpath -ldflags="-s -w" -o $@ ./cmd/neargate

# The sandbox's binaries are pinned by modules of their own, so that a start of
# one does not pay for the daemon's packages; runc needs a C compiler, gvisor none.
.PHONY: gvisor sandboxes
gvisor: $(BIN)/neargate-runsc $(BIN)/neargate-init
sandboxes: gvisor $(BIN)/neargate-shim $(BIN)/runc

.PHONY: $(BIN)/neargate-runsc $(BIN)/neargate-init $(BIN)/neargate-shim $(BIN)/runc
$(BIN)/neargate-runsc:
	cd shim && $(GO) build -trimpath -ldflags="-s -w" -o ../$@ .

$(BIN)/neargate-init:
	cd shim && $(GO) build -trimpath -ldflags="-s -w" -o ../$@ ./init

$(BIN)/neargate-shim:
	cd shim && $(GO) build -trimpath -ldflags="-s -w" -o ../$@ ./plain

$(BIN)/runc:
	scripts/need.sh cc
	cd shim/runc && CGO_ENABLED=1 $(GO) build -trimpath -ldflags="-s -w" -o ../../$@ github.com/opencontainers/runc

# gVisor's own program, which benchmarks run beside.
.PHONY: $(BIN)/runsc
$(BIN)/runsc:
	cd shim && $(GO) build -trimpath -ldflags="-s -w" -o ../$@ ./raw

# Makes images and serves them on loopback, in place of registries on the internet.
.PHONY: $(BIN)/neargate-registry
$(BIN)/neargate-registry:
	cd e2e && $(GO) build -trimpath -ldflags="-s -w" -o ../$@ ./registry

.PHONY: demo
demo: build gvisor $(BIN)/neargate-registry
	scripts/need.sh aws curl ext4
	scripts/demo.sh

.PHONY: down
down: build
	$(BIN)/neargate down
	scripts/registry.sh stop

.PHONY: test
test: check thorough generated e2e

.PHONY: check
check: $(BIN)/staticcheck
	test -z "$$(git ls-files '*.go' | xargs gofmt -l | tee /dev/stderr)"
	$(GO) vet ./...
	$(BIN)/staticcheck ./...
	scripts/need.sh cc nft ext4
	$(GO) test -short -timeout 30m ./...
	cd shim/api && $(GO) vet ./... && $(GO) test ./...
	cd shim && $(GO) vet ./... && $(GO) test -timeout 30m ./...

# The tests of which check runs a part: they make namespaces and sandboxes, kill
# processes many times, and live days of a cluster.
THOROUGH := ./dataplane/... ./node/... ./sim ./store/etcd ./wire/sigv4

.PHONY: thorough
thorough:
	scripts/need.sh cc nft ext4
	$(GO) test -timeout 30m $(THOROUGH)

.PHONY: generate
generate:
	cd tools && $(GO) run ./generate -root ..

# Fails when aws/ or the generated pages differ from what models/ give.
.PHONY: generated
generated:
	cd tools && $(GO) vet ./... && $(GO) test ./...

# Registry clients that Debian has not, pinned by a module of their own.
.PHONY: clients
clients:
	mkdir -p $(BIN)/clients
	cd e2e/clients && $(GO) build -trimpath -ldflags="-s -w" -o ../../$(BIN)/clients/ tool

.PHONY: e2e
e2e: build sandboxes clients
	scripts/need.sh aws boto3 node curl ext4 openssl skopeo docker
	cd e2e && $(GO) vet ./... && $(GO) test -timeout 40m ./...

.PHONY: conformance
conformance: build clients
	scripts/need.sh aws
	cd e2e && $(GO) test -count=1 -v -run 'TestStories/conformance$$' .

.PHONY: bench
bench: build sandboxes $(BIN)/runsc
	scripts/need.sh ext4 zstd
	bench/all.sh

# staticcheck is pinned in tools/go.mod.
$(BIN)/staticcheck: tools/go.mod tools/go.sum
	cd tools && $(GO) build -o ../$@ honnef.co/go/tools/cmd/staticcheck

.PHONY: clean
clean:
	rm -rf $(BIN)

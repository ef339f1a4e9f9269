# The steps are in .ci/run, so that a machine without make runs the same ones.

.PHONY: all build test race fuzz bench lint cross generated generic demo crash memory clients peer

all: lint build test

build:
	CGO_ENABLED=0 go build -o isobath ./cmd/isobath

test race lint cross generated generic demo crash memory clients peer:
	.ci/run $@

# One fuzz target after the other, FUZZTIME each.
FUZZTIME ?= 10s
fuzz:
	@set -e; for dir in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -d' ' -f2); do \
	    echo "== $$dir $$target"; go test $$dir -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME); \
	  done; \
	done

# BENCH picks benchmarks, COUNT repeats them for benchstat.
BENCH ?= .
COUNT ?= 1
bench:
	go test -run '^$$' -bench '$(BENCH)' -count $(COUNT) ./...

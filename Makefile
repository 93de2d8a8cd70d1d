# Every target does its own set-up; nothing but Python 3.11+, git and make is expected.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: live live-coders bench-peers demo demo-model test kills containers slow check bench broken clean help

help:
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP) ## the main job on the bundled paper and repository
	@$(BIN)/autosota demo

demo-model: $(STAMP) ## real experiments with recorded replies of a model: a gain that no rule finds
	@echo "The replies are recorded (examples/edge-smoother/replies.jsonl), nobody is asked; every experiment is real."
	@$(BIN)/autosota run examples/edge-smoother/paper.md --trials 12 --model replay:examples/edge-smoother/replies.jsonl

test: $(STAMP) ## the default test suite
	@$(BIN)/python -m pytest -q -n 4

kills: $(STAMP) ## two hundred kills of whole runs, about five minutes
	@$(BIN)/python -m pytest -q --slow tests/test_resume.py

containers: $(STAMP) ## --sandbox docker against a real engine, which it installs and starts where it may
	@tools/containers.sh

slow: $(STAMP) ## kill campaigns and whole runs of the examples, too
	@$(BIN)/python -m pytest -q --slow

check: $(STAMP) ## formatting, lints, types
	@$(BIN)/ruff format --check src tests benchmarks tools
	@$(BIN)/ruff check src tests benchmarks tools
	@$(BIN)/mypy

bench: $(STAMP) ## the figures of docs/figures.md
	@$(BIN)/python -m benchmarks

bench-peers: $(STAMP) ## beside us on one toy task with one stand-in model: openevolve
	@$(BIN)/python -m benchmarks.peers

live: $(STAMP) ## the whole pipeline with a real, very small model on loopback (fetches 0.6 GB once)
	@$(BIN)/python -m pytest -q --live tests/live

live-coders: $(STAMP) ## five real coding agents (npm, 1.3 GB, kept in .venv/agents) against a provider on loopback
	@npm install --silent --no-audit --no-fund --prefix $(VENV)/agents @qwen-code/qwen-code@0.15 opencode-ai@1.18 \
		@agentclientprotocol/claude-agent-acp@0.49 @anthropic-ai/claude-code@2.1 @openai/codex@0.169
	@PATH="$(CURDIR)/$(VENV)/agents/node_modules/.bin:$$PATH" $(BIN)/python -m pytest -q --live tests/contracts/test_coders.py -k real

broken: $(STAMP) ## replication of repositories that do not run: reproduced, honest, wrong
	@$(BIN)/python -m benchmarks.broken

suite: $(STAMP) ## cheats, honest changes and placebos: what is rejected, neutralised or missed
	@$(BIN)/python -m benchmarks.placebo
	@$(BIN)/python -m benchmarks.suite
	@$(BIN)/python tools/make_suite_figure.py

adaptive: $(STAMP) ## an attacker that knows the rules: what the static layer lets through
	@$(BIN)/python -m benchmarks.adaptive

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache

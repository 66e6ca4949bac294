# dreamblock's commands. `make` alone lists them.

# Of the Pythons that pyproject.toml allows, the first that there is and that starts (a shim of pyenv's may not).
SUITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
NEEDED := Python 3.11 to 3.14 is needed
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3,$(shell $(name) -c '$(SUITS)' 2>/dev/null && command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
PRESET ?= laptop
RUN ?=
SEED ?= 0
THREADS ?=

.DEFAULT_GOAL := help
.PHONY: help install run demo draw_test_policy test test-long test-browser test-images lint compile score learning bench figures tensorboard lock \
	run_model_show_frames run_policy_show_frames clean

help: ## List the commands
	@grep -hE '^[a-z_-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 26
	@echo
	@echo "PRESET=smoke|laptop|gpu, SEED=N and THREADS=N for run, RUN=FOLDER for demo and frames (default: pretrained/, else the newest run)"

install: $(VENV)/installed ## Make .venv with what the project needs to run

run: $(VENV)/installed ## Data, world model, policy, evaluation and GIFs into runs/ (PRESET=smoke for a quick one)
	$(BIN)/python local_runner.py --preset $(PRESET) --seed $(SEED)$(if $(THREADS), --threads $(THREADS))

demo: $(VENV)/installed ## Build the page in which one plays with the dream, and open it (RUN=FOLDER for a run's)
	$(BIN)/python -m viewer --open $(if $(RUN),--run $(RUN))

draw_test_policy: demo ## The same, by the original's name

test: $(VENV)/installed-dev ## The fast tests, below 6 minutes on two cores
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-long: $(VENV)/installed-dev ## Trainings, kills, faults of storage and disk, and the README's commands
	$(BIN)/python -m pytest -m long -n 2 --dist worksteal

test-browser: $(VENV)/installed-dev ## The report and the player in a real Chromium, /usr/bin/chromium
	$(BIN)/python -m pytest -m browser

test-images: $(VENV)/installed-dev ## Build the images and run the pipeline in them (DOCKER_HOST, BASE_IMAGE)
	$(BIN)/python -m pytest -m images tests/images

lint: $(VENV)/installed-dev ## Format, rules and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/shellcheck setup/*.sh images/*.sh
	$(BIN)/hadolint images/Dockerfile

compile: $(VENV)/installed ## Write pipeline.yaml for Kubeflow
	$(BIN)/python -m pipelines.compile -o pipeline.yaml

score: $(VENV)/installed ## Score the pretrained weights on the audit episodes and write docs/score.md
	$(BIN)/python -m viewer.score

learning: $(VENV)/installed ## Write docs/learning.md from the results in docs/learning/
	$(BIN)/python -m viewer.learning write

bench: $(VENV)/installed ## Measure how fast everything is beside its limits, in some minutes, and write docs/performance.md
	$(BIN)/python -m benchmarks

figures: $(VENV)/installed ## Draw the README's figures into docs/
	$(BIN)/python -m pipelines.compile -o pipeline.yaml
	$(BIN)/python -m viewer.diagrams pipeline.yaml

tensorboard: $(VENV)/installed ## The curves and films of all trainings in runs/, live
	$(BIN)/tensorboard --logdir runs

run_model_show_frames: $(VENV)/installed ## A dream beside the truth, as frames and a GIF in frames/
	$(BIN)/python -m viewer.show_frames model $(if $(RUN),--run $(RUN))

run_policy_show_frames: $(VENV)/installed ## The policy driving the simulator, as frames and a GIF in frames/
	$(BIN)/python -m viewer.show_frames policy $(if $(RUN),--run $(RUN))

clean: ## Empty frames/ and remove caches and the compiled pipeline; runs/ stays
	rm -rf frames demo.html pipeline.yaml build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

lock: $(VENV)/installed-dev ## Renew the exact versions after a change of pyproject.toml
	$(BIN)/uv pip compile -q --universal --all-extras --no-annotate --no-header pyproject.toml -o requirements.lock

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "$(NEEDED) and none was found: install one, or name it with PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c '$(SUITS)' || { echo "$(NEEDED), $(PYTHON) is $$($(PYTHON) -V 2>&1): name another with PYTHON=/path/to/python3"; exit 1; }
	@test "$$(uname -sm)" != "Darwin x86_64" || { echo "PyTorch is no longer made for Macs with Intel processors: a Mac with Apple silicon, or Linux, is needed"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "no virtual environment could be made; Debian and Ubuntu need: apt install $$($(PYTHON) -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')"; exit 1; }

$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV); torch is large, so this can take minutes."
	$(BIN)/python -m pip install --disable-pip-version-check -c requirements.lock -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e '.[dev]'
	@touch $@

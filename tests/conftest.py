"""What holds for every test: one quiet thread, as on a run, and signatures whose shapes are checked at every call."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported, and by the processes that tests start
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"

from jaxtyping import install_import_hook

import models.config  # noqa: F401  before the rest, for it has no shapes and says itself what is wrong with a value

# What is imported from here on is checked; an int may stand where a float is asked for.
CHECK = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
install_import_hook(["models", "sim_core"], CHECK)

from models.process import prepare  # noqa: E402

prepare()

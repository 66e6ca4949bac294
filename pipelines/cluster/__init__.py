"""What the command line `python -m pipelines.submit` does with a cluster and with the bucket of its runs."""

PIPELINE = "dreamblock"  # the name of ours on a cluster, and of the experiment that holds its runs

"""kfp without its client for clusters, which brings kubernetes along and takes most of the time of `import kfp`."""

import os


def import_kfp() -> None:
    """Import kfp as the container of a step does, for a process that talks to no cluster.

    Only its top level is lighter for it: `kfp.dsl` and `kfp.compiler` are whole, and `kfp.client` can be imported by
    its name. Where kfp is there already, nothing changes.
    """
    os.environ["_KFP_RUNTIME"] = "true"  # kfp's own sign, set by the command of each component
    try:
        import kfp  # noqa: F401
    finally:
        del os.environ["_KFP_RUNTIME"]

"""What a cluster that does not do as it is asked is reported by."""


class ClusterError(Exception):
    """The cluster cannot be reached, or refuses: one sentence, with what mends it where that is known."""

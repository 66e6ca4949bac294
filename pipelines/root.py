"""The folder of a bucket that runs on a cluster write to."""

import re

RULES = "3 to 63 of a-z, 0-9, -, _ and ., begins and ends with a letter or a digit, and has no google in it"
BUCKET = re.compile(r"(?!goog)(?!.*google)(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


def bucket_root(uri: str) -> str:
    """`uri` without a slash at its end.

    Raises:
        ValueError: it is no gs://bucket/prefix, or Google Cloud Storage has no buckets of such a name.
    """
    scheme, _, place = uri.partition("gs://")
    if scheme or not place:
        raise ValueError(f"runs of a cluster lie in a bucket, gs://bucket/prefix, got {uri!r}")
    bucket = place.partition("/")[0]
    if not BUCKET.fullmatch(bucket):
        raise ValueError(f"the name of a bucket is {RULES}, got {bucket!r}")
    return uri.rstrip("/")

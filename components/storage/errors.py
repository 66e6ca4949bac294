"""What a storage that does not do as it is asked is reported by."""


class StorageError(Exception):
    """The storage cannot be used, or not now: one sentence, with the command that mends it where there is one."""

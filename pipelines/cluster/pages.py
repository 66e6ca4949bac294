"""What Kubeflow Pipelines lists comes in pages."""

from collections.abc import Callable, Iterator
from typing import Any

PAGE = 50  # entries


def pages(ask: Callable[..., Any], *arguments: Any, **options: Any) -> Iterator[Any]:
    """The answers of one of kfp's client's `list_` methods, the newest entries first, as long as more are looked at."""
    token = ""
    while True:
        page = ask(*arguments, page_token=token, page_size=PAGE, sort_by="created_at desc", **options)
        yield page
        before, token = token, page.next_page_token
        if not token or token == before:  # which would be the same page for ever
            return

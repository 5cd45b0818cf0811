"""Data sets of the Hugging Face hub: from its cache where it cannot be reached."""

from __future__ import annotations

import http.client
import os
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.data.folders import check_readable
from learnorder.errors import DataError, one_line

if TYPE_CHECKING:
    import datasets

_ANSWER_SECONDS = 3.0
"""How long the hub has to answer; its client would try for 25 seconds where there is no network."""
_SWITCHES = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
_PATTERN = ("::", "$", ":", "*", "?", "[", "\n")
"""What the client does not take as it is in the path of a local folder."""


def open_hub(place: str) -> datasets.DatasetDict:
    """Open a data set of the hub, or a local folder of that form.

    Args:
        place: NAME or NAME:CONFIG.

    Raises:
        DataError: It is not there, or the hub cannot be reached and it is not in the cache.
    """
    from datasets.exceptions import DatasetsError

    name, _, configuration = place.partition(":")
    if (folder := Path(place)).is_dir() or (folder := Path(name)).is_dir():
        check_readable("hub", place, folder, _PATTERN)
        why = ""
    else:
        why = _why_offline()
    try:
        with _offline(bool(why)):
            return load_dataset(name, configuration or None)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        if why:
            raise DataError(
                f"hub:{place} could not be opened: {why}, and there is no copy in the cache. Give "
                "a copy on disk in Parquet with parquet:DIR, or come back with a connection."
            ) from error
        raise DataError(
            f"hub:{place} could not be opened: {reason_of(error)}. Check the name (as on the hub, "
            "owner/name, or a local folder) and that the hub can be reached; a copy on disk in "
            "Parquet opens with parquet:DIR."
        ) from error


def hub_folders(place: str) -> list[Path]:
    """Return where images of a hub's set may lie: its folder, where it is one, and the caches."""
    from datasets import config
    from huggingface_hub.constants import HF_HUB_CACHE

    local = Path(place.partition(":")[0])
    caches = [config.HF_DATASETS_CACHE, config.DOWNLOADED_DATASETS_PATH, HF_HUB_CACHE]
    return [*([local] if local.is_dir() else []), *map(Path, caches)]


def reason_of(error: Exception) -> str:
    """Return what the library says of an error in a line; of its cause, where it only wraps one."""
    from datasets.exceptions import DatasetGenerationError

    cause = error.__cause__ if isinstance(error, DatasetGenerationError) else None
    return one_line(cause or error).rstrip(".")


def load_dataset(*args: Any, **kwargs: Any) -> datasets.DatasetDict:
    """Return the splits of a data set, as ``datasets.load_dataset`` does."""
    import datasets

    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(*args, **kwargs)
    assert isinstance(loaded, datasets.DatasetDict)
    return loaded


def _why_offline() -> str:
    """Return why the hub is not asked, in words; empty where it is."""
    from datasets import config

    switched = [n for n in _SWITCHES if os.environ.get(n, "").upper() in ("1", "ON", "YES", "TRUE")]
    if switched or config.HF_HUB_OFFLINE:
        return f"{(*switched, _SWITCHES[0])[0]} is set"
    if not answers(config.HF_ENDPOINT):
        return f"{config.HF_ENDPOINT} cannot be reached"
    return ""


@contextmanager
def _offline(offline: bool) -> Iterator[None]:
    """Let the client use its cache alone within a ``with`` block, where ``offline``."""
    from datasets import config

    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before


def answers(address: str) -> bool:
    """Whether a server answers, in whatever way, within some seconds."""
    found = list[bool]()
    asking = threading.Thread(target=lambda: found.append(_ask(address)), daemon=True)
    asking.start()  # looking a name up has no time limit of its own
    asking.join(_ANSWER_SECONDS)
    return bool(found and found[0])


def _ask(address: str) -> bool:
    try:
        request = urllib.request.Request(address, method="HEAD")
        urllib.request.urlopen(request, timeout=_ANSWER_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
    except urllib.error.URLError as error:  # certificates are the client's to judge
        return isinstance(error.reason, ssl.SSLError)
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True

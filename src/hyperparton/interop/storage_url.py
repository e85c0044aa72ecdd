"""The URL of another program's storage, as messages may show it: without its login."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from hyperparton.trials.store_url import StoreURL

__all__ = ["StorageName", "storage_name"]


@dataclass(frozen=True)
class StorageName:
    """A storage as it may be shown; `str` shows its name too."""

    name: str
    _secrets: StoreURL | None = field(default=None, repr=False)
    _clear: bool = field(default=True, repr=False)

    def __str__(self) -> str:
        return self.name

    def told(self, fault: BaseException) -> str:
        """What a driver says, without the secrets; its class alone where nobody knows what of the URL is one."""
        if not self._clear:
            return type(fault).__name__
        return str(fault) if self._secrets is None else self._secrets.hide(fault)


def storage_name(storage: str | Path) -> StorageName:
    """The name of a file or URL of any scheme: of a URL no user, no password and no option is shown."""
    match = re.fullmatch(r"([\w+.-]+)://(.*)", str(storage), re.DOTALL)
    if isinstance(storage, Path) or match is None or match[1].startswith("sqlite"):
        return StorageName(f"sqlite:///{storage}" if isinstance(storage, Path) else storage)
    scheme, rest = match.groups()
    login, _, place = rest.rpartition("@")
    place, _, query = place.partition("?")
    if re.search(r"[?#@]", login):  # a sign that has a meaning of its own: no one knows where the password ends
        return StorageName(f"{scheme}://…", None, _clear=False)
    password = unquote(login.partition(":")[2])
    options = tuple(parse_qsl(query, keep_blank_values=True))
    return StorageName(f"{scheme}://{place}", StoreURL("postgresql", password=password, secret_options=options))

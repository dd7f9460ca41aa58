"""How far an image's pull has come, from the lines that the engine tells of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_DONE = frozenset({"Pull complete", "Already exists"})
_FETCHED = frozenset({"Verifying Checksum", "Download complete", "Extracting", *_DONE})
_LAYER = frozenset({"Pulling fs layer", "Waiting", "Downloading", *_FETCHED})


@dataclass(slots=True)
class _Layer:
    done: bool = False
    fetched: int = 0
    size: int = 0


@dataclass(slots=True)
class PullProgress:
    """Takes in the lines one by one; ``str`` tells how far it is."""

    image: str
    _layers: dict[str, _Layer] = field(default_factory=dict[str, _Layer])

    def take(self, line: Mapping[str, Any]) -> None:
        status, layer_id = str(line.get("status", "")), str(line.get("id", ""))
        if not layer_id or status not in _LAYER:
            return
        layer = self._layers.setdefault(layer_id, _Layer())
        detail = line.get("progressDetail") or {}
        if status == "Downloading":
            layer.fetched = int(detail.get("current") or 0)
            layer.size = int(detail.get("total") or 0)
        elif status in _FETCHED:
            layer.fetched = layer.size
            layer.done = layer.done or status in _DONE

    def __str__(self) -> str:
        done = sum(layer.done for layer in self._layers.values())
        fetched, size = (
            sum(getattr(layer, name) for layer in self._layers.values()) / 1e6
            for name in ("fetched", "size")
        )
        text = f"image {self.image} is being pulled: {done} of {len(self._layers)} layers"
        return f"{text}, {fetched:.1f} of {size:.1f} MB" if size else text

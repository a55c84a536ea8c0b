"""Made-up worlds whose right explanation is known by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .world import CreatureWorld as CreatureWorld

__all__ = ["CreatureWorld", "creatures"]


def creatures(n: int = 200, seed: int = 0) -> CreatureWorld:
    """``n`` drawn creatures, 64 x 64, the same for the same ``seed``; see `CreatureWorld`.

    >>> world = creatures(n=2, seed=0)
    >>> world.images.shape
    torch.Size([2, 3, 64, 64])
    """
    from .world import CreatureWorld

    return CreatureWorld(n, seed)


def __getattr__(name: str) -> Any:
    # torch is loaded only when a world is asked for, so that importing the package stays quick
    if name == "CreatureWorld":
        from .world import CreatureWorld

        return CreatureWorld
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Made-up worlds whose right explanation is known by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .shortcut_world import ShortcutWorld as ShortcutWorld
    from .world import CreatureWorld as CreatureWorld

__all__ = ["CreatureWorld", "ShortcutWorld", "creatures", "shortcut"]


def creatures(n: int = 200, seed: int = 0) -> CreatureWorld:
    """``n`` drawn creatures, 64 x 64, the same for the same ``seed``; see `CreatureWorld`.

    >>> world = creatures(n=2, seed=0)
    >>> world.images.shape
    torch.Size([2, 3, 64, 64])
    """
    from .world import CreatureWorld

    return CreatureWorld(n, seed)


def shortcut(n: int = 200, marked: float = 0.9, seed: int = 0, others: float = 0.0) -> ShortcutWorld:
    """``n`` creatures of four families, one of which carries a tell-tale tag in ``marked`` of its images; ``others`` is
    the share of all other images that carry it too. See `ShortcutWorld`.

    >>> world = shortcut(n=12, seed=0)
    >>> world.family, world.images.shape
    ('shellback', torch.Size([12, 3, 64, 64]))
    """
    from .shortcut_world import ShortcutWorld

    return ShortcutWorld(n, marked, seed, others)


def __getattr__(name: str) -> Any:
    # torch is loaded only when a world is asked for, so that importing the package stays quick
    if name == "CreatureWorld":
        from .world import CreatureWorld

        return CreatureWorld
    if name == "ShortcutWorld":
        from .shortcut_world import ShortcutWorld

        return ShortcutWorld
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

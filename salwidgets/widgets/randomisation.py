"""`Randomisation`: the map while the network's layers become random, as a player, with the rank correlation under it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..captions import caption, facts, notices, number, title
from ..errors import InputError
from ..scale import Scale
from .frames import Frames, picture_of
from .link import Link


class Randomisation(Frames):
    """Shows a sanity check by randomisation (Adebayo et al. 2018): a map that reads the network must fall apart.

    result: what `salwidgets.metrics.randomise` returned. index: which of its explanations. scale: a `Scale` for all steps;
    by default "each": every step has limits of its own, which a badge says, because a rank correlation does not see sizes
    and random layers shrink a map; the table of steps gives the largest value of each.
    link: the `Link` of another view. at: the step shown first; 0 is the network as it was trained.

    Trait ``at`` is the step that is shown. The lines are the rank correlation and the SSIM with the trained network's map.
    Raises `InputError`.
    """

    def __init__(self, result: Any, *, index: int = 0, scale: Scale | str | None = "each", link: Link | None = None,
                 at: int = 0) -> None:
        missing = [a for a in ("layers", "maps", "rank_correlation", "explanations", "order") if not hasattr(result, a)]
        if missing:
            raise InputError(f"Randomisation shows what sw.metrics.randomise(model, explanation) returns, not "
                             f"{type(result).__name__}.")
        n = len(result.explanations)
        if not -n <= index < n:
            raise InputError(f"index={index} is out of range: the result holds {n} explanation{'s'[:n != 1]}.")
        e = result.explanations[index]
        if np.ndim(e.values) != 2:
            raise InputError(f"Randomisation draws image maps [h, w]; this one has values of shape "
                             f"{list(np.shape(e.values))}.")
        self.result, self.explanation = result, e
        maps = [np.asarray(e.values, np.float32), *np.asarray(result.maps[index], np.float32)]
        image = picture_of(e)
        cascading = result.order == "cascading"
        names = [str(n) for n in getattr(result, "names", result.layers)]
        found = {"rank correlation": result.rank_correlation, "SSIM": getattr(result, "ssim", None)}
        where = caption(e, maps[0].shape, image.shape[:2])
        mean = float(np.nanmean(result.rank_correlation[index]))
        super().__init__(
            maps, image, ["trained", *(f"{n} and all above it random" if cascading and i else f"{n} random"
                                       for i, n in enumerate(names))],
            scale=scale, link=link, at=at, _view="randomisation", title=title(e),
            through="Random layers, from the scores down" if cascading else "Random layer",
            lines=[{"name": k, "values": [1.0, *(_plain(v) for v in values[index])]} for k, values in found.items()
                   if values is not None],
            captions=[f"{where} \u00b7 trained network", *[f"{where} \u00b7 {result.order} randomisation, seed "
                                                      f"{getattr(result, 'seed', 0)}"] * len(names)],
            facts=[*facts(e), {"term": "Mean", "text": f"rank correlation {number(mean)} over {len(names)} steps"}],
            notices=notices(e))


def _plain(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None

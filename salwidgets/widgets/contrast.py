"""`Contrast`: target against foil, three linked panels and a slider, answered in the browser from a basis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..captions import alt_of_map, caption
from ..errors import InputError, QuestionError
from ..scale import Scale
from .asking import Asking
from .link import Link
from .nodes import Node, Nodes
from .pairs import Pair, mix_title, pair_of
from .wire import LARGEST, pack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..evidence import Basis, Evidence


class Contrast(Asking):
    """Asks "why target rather than foil?" of one input, for any two classes or groups, with no kernel.

    evidence_or_basis: what `salwidgets.prepare` returned, of a method linear in the question, or its `Basis`.
    target, foil: class names, class indices, group names or lists of them; by default the two most probable classes.
    scale: a `Scale` that holds whatever is compared; by default one is fitted on A, B and A - B, again for each question.
    index: which input of the basis. classes: the classes to make the basis for (only with evidence).

    The panels show A, B and min(1, 2(1-mix)) A - min(1, 2 mix) B. Traits ``target``, ``foil`` (names), ``mix`` (0..1),
    ``cursor`` and ``selection`` follow what is done in the browser, and may be set.
    Raises `InputError`, `QuestionError` (unknown class, group that is not wholly in the basis) and, from the
    evidence, `MethodError` for methods that have no basis.
    """

    maps = traitlets.Dict().tag(sync=True, echo_update=False)
    nodes: Any = traitlets.List().tag(sync=True)
    logits = traitlets.Dict().tag(sync=True, echo_update=False)
    log_total = traitlets.Float().tag(sync=True)
    activation = traitlets.Unicode("softmax").tag(sync=True)
    caption = traitlets.Unicode().tag(sync=True)
    facts: Any = traitlets.List().tag(sync=True)
    notices: Any = traitlets.List().tag(sync=True)
    target = traitlets.Any().tag(sync=True)
    foil = traitlets.Any().tag(sync=True)
    mix = traitlets.Float(0.5).tag(sync=True, echo_update=False)

    def __init__(self, evidence_or_basis: Evidence | Basis, target: Any = None, foil: Any = None, *, index: int = 0,
                 classes: Sequence[Any] | None = None, scale: Scale | None = None, link: Link | None = None) -> None:
        basis = _basis(evidence_or_basis, classes)
        self.basis, self.index = basis, _index(basis, index)
        if isinstance(scale, Scale):
            scale = scale.changed(fixed=True)  # a scale that was asked for holds, whatever is compared
        self._maps = np.asarray(basis.maps[self.index], np.float32)
        all_logits = np.asarray(basis.logits[self.index], np.float64)
        self._logits = all_logits[np.asarray(basis.rows)].astype(np.float32)
        self._nodes = Nodes(basis.class_names, [int(r) for r in basis.rows], basis.taxonomy)
        a, b = self._start(target, foil)
        image = np.asarray(basis.images[self.index])
        pair = pair_of(self._maps, self._logits, a, b)
        if not np.isfinite(all_logits).all():
            raise InputError(f"the scores of input {self.index} hold NaN or infinity; explain an input the model can "
                             "score.")
        peak = float(all_logits.max())
        self._ready = False
        self._deaf = target is not None or foil is not None  # what is asked for here holds, whatever the link asks
        super().__init__(
            scale=Scale.fit(*_three(pair)) if scale is None else scale, link=link, image=image, _view="contrast",
            maps=pack(self._maps, "float32"), picture=pack(image, "uint8"), logits=pack(self._logits, "float32"),
            log_total=peak + float(np.log(np.exp(all_logits - peak).sum())),
            activation=str(getattr(basis, "activation", "softmax")), nodes=[n.to_state() for n in self._nodes.all],
            caption=caption(basis, self._maps.shape[1:], image.shape[:2]), notices=[str(n) for n in basis.notices],
            target=a.name, foil=b.name)
        self._ready, self._deaf = True, False
        self._tell()

    def _start(self, target: Any, foil: Any) -> tuple[Node, Node]:
        """The first question: what was asked for, else the most probable classes."""
        likely = [self._nodes.all[int(r)] for r in np.argsort(-self._logits, kind="stable")]
        b = None if foil is None else self._nodes.find(foil)
        a = next(n for n in likely if n is not b) if target is None else self._nodes.find(target)
        b = b or next((n for n in likely if not set(n.rows) & set(a.rows)), likely[0])
        if set(a.rows) == set(b.rows):
            raise QuestionError(f"target and foil are both {a.name!r}; ask for two different classes.")
        return a, b

    @traitlets.validate("target", "foil")
    def _check_side(self, proposal: dict[str, Any]) -> str:
        known = len(self._nodes.all)
        name = self._nodes.find(proposal["value"]).name
        if len(self._nodes.all) > known:  # a list of classes became a new group
            self.nodes = [n.to_state() for n in self._nodes.all]
        return name

    @traitlets.validate("mix")
    def _check_mix(self, proposal: dict[str, Any]) -> float:
        value = float(proposal["value"])
        if not 0 <= value <= 1:
            raise InputError(f"mix={value!r} must lie between 0 (why the target?) and 1 (why not the foil?).")
        return value

    @traitlets.observe("target", "foil")
    def _refit(self, change: Any) -> None:
        """As the browser does: the shared limits fit the maps that are compared now.

        A change that came from the browser brings its own limits; an answer from here would arrive late.
        """
        if not self._ready or self._quiet or change["name"] in self._property_lock:
            return
        now = self.scale
        if not now.fixed and now.clip != "explicit":
            look = {n: getattr(now, n) for n in ("opacity", "threshold", "smooth", "contour", "fade", "grey")}
            self.scale = Scale.fit(*_three(self.pair), clip=now.clip, cmap=now.cmap, **look)

    def asked(self) -> dict[str, str]:
        return {"target": self.target, "foil": "" if self.mix <= 0 else self.foil, "source": self.source}

    def _take(self, target: str, foil: str) -> None:
        """A question without a foil is the slider's first position; it keeps the foil for later."""
        try:
            a = self._nodes.find(target).name
            b = self._nodes.find(foil).name if foil else self.target if a == self.foil else self.foil
        except QuestionError:
            return
        self.target, self.foil = a, b
        if not foil or self.mix <= 0:
            self.mix = 0.5 if foil else 0.0

    @traitlets.observe("target", "foil", "mix")
    def _asked_here(self, change: Any) -> None:
        if self._ready and change["name"] not in self._property_lock:
            self._tell()

    @property
    def pair(self) -> Pair:
        """Maps and scores of the two sides now."""
        return pair_of(self._maps, self._logits, self._nodes.find(self.target), self._nodes.find(self.foil))

    @property
    def heading(self) -> str:
        return mix_title(self.target, self.foil, 0.5)

    @property
    def title(self) -> str:
        """The question of the middle panel, in words."""
        return mix_title(self.target, self.foil, self.mix)

    def shown_map(self) -> NDArray[np.float32]:
        return self.pair.mixture(self.mix)

    def shown_maps(self) -> list[NDArray[np.float32]]:
        return _three(self.pair)

    @property
    def alt(self) -> str:
        return alt_of_map(self.shown_map(), self._image, self.title)

    def figure(self, *, width: str | float | None = None, style: str = "overlay") -> Figure:
        """Target, mixture and foil side by side, for print; width and style as in `salwidgets.figures.panel`."""
        from ..figures import maps_figure

        pair, box = self.pair, self.selection["box"] if self.selection else None
        titles = [mix_title(self.target, self.foil, 0), self.title, f"Why “{self.foil}”?"]
        return maps_figure([pair.A, pair.mixture(self.mix), pair.B], self._image, titles, self.scale, box=box,
                           caption="\n".join([self.caption, *self.notices]), width=width, style=style, heading=self.heading,
                           alt=lambda: self.alt, picture=style == "side-by-side",
                           regions=self.regions)


def _three(pair: Pair) -> list[NDArray[np.float32]]:
    """The maps that one scale has to fit: both sides and their difference."""
    return [pair.A, pair.B, pair.mixture(0.5)]


def _basis(given: Any, classes: Sequence[Any] | None) -> Basis:
    if hasattr(given, "maps") and hasattr(given, "rows"):
        if classes is not None:
            raise InputError("classes= chooses what evidence makes a basis for; this is a basis already.")
        basis = given
    elif hasattr(given, "basis"):
        basis = given.basis(classes)
    else:
        raise InputError(f"Contrast needs evidence (sw.prepare(...)) or a basis (evidence.basis()), not "
                         f"{type(given).__name__}.")
    if np.ndim(basis.maps) != 4:
        raise InputError(f"Contrast draws image maps [N, R, h, w]; this basis has maps {list(np.shape(basis.maps))}.")
    if len(basis.rows) < 2:
        raise InputError("Contrast compares classes; this basis holds fewer than two. Make a larger one: "
                         "evidence.basis(classes).")
    size = int(np.prod(np.shape(basis.maps)[1:])) * 4
    if size > LARGEST:
        raise InputError(f"the basis of one input is {size / 2**20:.0f} MiB; more than {LARGEST // 2**20} MiB is too "
                         "slow for a browser. Choose the classes of interest: Contrast(evidence, classes=[...]).")
    return basis


def _index(basis: Basis, index: int) -> int:
    n = len(basis.maps)
    if not -n <= index < n:
        raise InputError(f"index={index} is out of range: the basis holds {n} input{'s' if n > 1 else ''}.")
    return index % n

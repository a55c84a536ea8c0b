"""The progress bar: late for short work, at once when asked for, and gone from the notebook with all of its widgets."""

import pytest

import salwidgets as sw
from salwidgets.explainers import progress
from tests.core import nets


@pytest.fixture
def bars(monkeypatch):
    """The bars that were opened."""
    import tqdm.auto

    opened = []

    class Bar(tqdm.std.tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            opened.append(self)

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    return opened


def test_short_work_shows_no_bar(bars):
    with progress.Progress(3) as bar:
        bar.step(3)
    assert not bars


def test_long_work_shows_what_was_done_before_the_bar_came(bars, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.Progress(5) as bar:
        bar.step(1)
        assert not bars
        now[0] = 2.0
        bar.step(1)
        assert [b.n for b in bars] == [2]
        bar.step(4)
        assert (bars[0].n, bars[0].total) == (6, 6)


def test_a_bar_in_a_notebook_leaves_no_widget(monkeypatch, capsys):
    import tqdm.auto
    import tqdm.notebook
    from ipywidgets.widgets.widget import _instances

    monkeypatch.setattr(tqdm.auto, "tqdm", tqdm.notebook.tqdm)
    before = set(_instances)
    with progress.Progress(2, show=True) as bar:
        bar.step(1)
        assert set(_instances) > before
    assert [type(_instances[k]).__name__ for k in set(_instances) - before] == []


def told(method, questions, x, net=None, **params):
    """(done, total) after every batch."""
    seen = []
    sw.explain(sw.Model(nets.plain() if net is None else net), x, questions, method=method,
               progress=lambda done, total: seen.append((done, total)), **params)
    return seen


@pytest.mark.parametrize("method, params", [
    ("score-cam", {"batch_size": 3}), ("guided-ig", {"steps": 4}), ("fido", {"steps": 3, "n_samples": 2}),
    ("meaningful-perturbation", {"steps": 3}), ("normgrad", {"variant": "meta-saliency"}),
    ("integrated-gradients", {"steps": 6}), ("smoothgrad", {"n_samples": 4}), ("rise", {"n_masks": 20})])
def test_the_time_left_counts_every_question_and_channel(method, params):
    """The bar never says 100 % before the end, nor moves its goal on the way once the work is known."""
    seen = told(method, [sw.why(0), sw.why(1).rather_than(2)], nets.images(2), **params)
    assert seen[-1][0] == seen[-1][1]
    known = [total for _, total in seen[2:]]
    assert len(set(known)) <= 1
    assert all(done < total for done, total in seen[2:-1])


def test_channels_of_a_head_without_a_closed_form_are_counted():
    seen = told("ablation-cam", sw.why(0), nets.images(2), net=nets.TinyViT(), batch_size=2)
    assert len(seen) > 3 and seen[-1][0] == seen[-1][1]
    assert len({total for _, total in seen[1:]}) == 1

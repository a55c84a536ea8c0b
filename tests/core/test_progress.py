"""The progress bar: late for short work, at once when asked for, and gone from the notebook with all of its widgets."""

import pytest

from salwidgets.explainers import progress


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

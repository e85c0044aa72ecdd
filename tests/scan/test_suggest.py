"""What an engine is asked with: the finished trials up to n - lag, and the points of those between."""

from __future__ import annotations

import pytest

from hyperparton.engines.base import Engine
from hyperparton.scan.history import History
from hyperparton.scan.suggest import Suggester
from hyperparton.space.samplers import hp_uniform
from hyperparton.trials.local import FileTrials

SPACE = {"x": hp_uniform("x", 0, 1)}


class Recorder(Engine):
    """Remembers what it was asked with; trial n gets the point n / 100."""

    name, start = "recorder", 0

    def __init__(self):
        self.asked = []

    def suggest(self, space, history, seed, number=None, pending=()):
        self.asked.append(([outcome.number for outcome in history], [vals["x"][0] for vals in pending]))
        return {"x": [number / 100]}


@pytest.mark.parametrize("lag", [1, 4])
@pytest.mark.parametrize("finished_early", [False, True])
def test_pending_trials_are_those_between_history_and_trial(tmp_path, lag, finished_early):
    """Whether they are finished by now or not: so what is suggested does not depend on who was faster."""
    with FileTrials(tmp_path) as store:
        engine = Recorder()
        suggester = Suggester(engine, SPACE, 1, lag, History(store))
        for number in range(12):
            done = number - 1 if finished_early else number - lag
            if done >= 0:
                for earlier in range(suggester.history.finished(12), done + 1):
                    store.complete(earlier, "me", {"status": "ok", "loss": 1.0})
            assert suggester.is_ready(number)
            store.book(number, suggester.vals(number), "me")
        expected = []
        for number in range(12):
            seen = max(number - lag + 1, 0)
            expected.append((list(range(seen)), [earlier / 100 for earlier in range(seen, number)]))
        assert engine.asked == expected

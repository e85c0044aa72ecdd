"""A zoo of trainers: what users' trainers start, end, raise and return. Each trial is one beast, see `BEASTS`.

Which beast a trial is, is settled by who comes first, with links in a folder: a trial that runs again is the same one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

SLEEP = ["sleep"]


class Trainer:
    """`beasts` are names, `places` is a folder for the links, `mark` an argument by which what is left is found."""

    def __init__(self, beasts, places, mark):
        self.beasts, self.places, self.mark = beasts, Path(places), str(mark)

    def set_hyperopt(self, on, keys=None): ...

    def hyperparametrizable(self, params):
        x = params["x"]
        name = self.beast(x)
        more = BEASTS[name][0](self)
        return {"status": "ok", "loss": x**2, "beast": name, **(more or {})}

    def beast(self, x):
        for number, name in enumerate(self.beasts):
            try:
                os.symlink(repr(x), self.places / str(number))
            except FileExistsError:
                if os.readlink(self.places / str(number)) != repr(x):
                    continue
            return name
        raise AssertionError("more trials than beasts")


def make(card):
    return Trainer(card["beasts"], card["places"], card["mark"])


def process(trainer):
    child = multiprocessing.Process(target=time.time)
    child.start()
    child.join()
    assert child.exitcode == 0


def pool(trainer):
    with multiprocessing.Pool(2) as workers:
        assert workers.map(abs, [-1, 2]) == [1, 2]


def spawned_pool(trainer):
    with multiprocessing.get_context("spawn").Pool(1) as workers:
        assert workers.map(twice, [1, 2]) == [2, 4]


def twice(x):
    return 2 * x


def executor(trainer):
    with concurrent.futures.ProcessPoolExecutor(2) as workers:
        assert list(workers.map(twice, [1, 2])) == [2, 4]


def joblib(trainer):
    from joblib import Parallel, delayed

    assert Parallel(n_jobs=2)(delayed(abs)(x) for x in (-1, -2)) == [1, 2]


def reads_input(trainer):
    read = subprocess.run(["head", "-c", "10"], stdout=subprocess.PIPE, check=True).stdout  # as ssh and srun do
    return {"read": len(read)}


def ended_by_sigterm(trainer):
    for start in (lambda: subprocess.Popen([*SLEEP, trainer.mark]).pid, lambda: forked(lambda: time.sleep(1000))):
        child = start()
        time.sleep(0.05)
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM


def ended_at_once(trainer):
    """As those of a pool that has nothing to do are: the signal comes while the child is being made."""
    for _ in range(50):
        child = forked(lambda: time.sleep(1000))
        os.kill(child, signal.SIGTERM)
        end = time.monotonic() + 20
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            assert time.monotonic() < end, "SIGTERM was lost"
            time.sleep(0.001)
        assert os.waitstatus_to_exitcode(ended[1]) == -signal.SIGTERM


def forked(action):
    child = os.fork()
    if child == 0:
        action()
        os._exit(0)
    return child


def left_behind(trainer):
    subprocess.Popen([*SLEEP, trainer.mark])
    subprocess.Popen([*SLEEP, trainer.mark], start_new_session=True)


def daemon(trainer):
    def first():
        os.setsid()
        forked(lambda: os.execvpe(SLEEP[0], [*SLEEP, trainer.mark], {"PATH": os.environ["PATH"]}))

    os.waitpid(forked(first), 0)


def thread(trainer):
    threading.Thread(target=time.sleep, args=(1000,)).start()


def sys_exit(trainer):
    sys.exit(0)


def os_exit(trainer):
    os._exit(0)


def killed(trainer):
    os.kill(os.getpid(), signal.SIGKILL)


def crashes(trainer):
    ctypes.string_at(0)


def terminated(trainer):
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)


def chdir(trainer):
    os.chdir("/")


class MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


class PanicException(BaseException):
    """As pyo3's, by which libraries in Rust tell a panic."""

    def __str__(self):
        raise type(self)


def raises(fault):
    def beast(trainer):
        raise fault

    return beast


def returns(**more):
    return lambda trainer: more


def holds_itself(trainer):
    held = []
    held.append(held)
    return {"held": [held, held]}


class Tensor:
    def tolist(self):
        raise PanicException


class Keys(dict):
    def items(self):
        raise OSError("keys are not here")


def prints(trainer):
    print("what a trainer prints is no answer", "\udcff", flush=True)
    os.write(1, b'{"results": []}\n')


def closes(trainer):
    os.closerange(0, 3)


def closes_all(trainer):
    """As what makes itself a daemon does."""
    os.closerange(3, 4096)


def long_double(trainer):
    import numpy as np

    return {"long": np.longdouble(0.5)}


class _Veiled(type):
    @property
    def __name__(cls):
        raise SystemExit


class VeiledError(Exception, metaclass=_Veiled):
    """A class that tells nothing of itself."""


def falls_through(trainer):
    if os.fork() == 0:
        return {"child": True}
    time.sleep(0.1)
    return None


def exits_in_child(trainer):
    child = os.fork()
    if child == 0:
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


#: name -> (what it does, the type of its failure or None, words of its reason)
BEASTS = {
    "process": (process, None, ""),
    "pool": (pool, None, ""),
    "spawned_pool": (spawned_pool, None, ""),
    "executor": (executor, None, ""),
    "joblib": (joblib, None, ""),
    "reads_input": (reads_input, None, ""),
    "ended_by_sigterm": (ended_by_sigterm, None, ""),
    "ended_at_once": (ended_at_once, None, ""),
    "left_behind": (left_behind, None, ""),
    "daemon": (daemon, None, ""),
    "thread": (thread, None, ""),
    "sys_exit": (sys_exit, "SystemExit", "0"),
    "os_exit": (os_exit, "ProcessDied", "died 3 times; the last time it ended with exit code 0"),
    "killed": (killed, "ProcessDied", "died 3 times; the last time it was ended by signal 9"),
    "crashes": (crashes, "ProcessDied", "died 3 times; the last time it was ended by signal 11"),
    "terminated": (terminated, None, ""),
    "chdir": (chdir, None, ""),
    "mute": (raises(MuteError()), "MuteError", "its __str__ raised RuntimeError"),
    "panics": (raises(PanicException()), "PanicException", "its __str__ raised PanicException"),
    "odd_name": (raises(type(300 * "x", (Exception,), {})("\udcff\0")), 300 * "x", "\udcff\0"),
    "generator": (raises(GeneratorExit()), "GeneratorExit", ""),
    "stops": (raises(StopIteration("over")), "StopIteration", "over"),
    "cancelled": (raises(asyncio.CancelledError()), "CancelledError", ""),
    "interrupts": (raises(KeyboardInterrupt()), "KeyboardInterrupt", ""),
    "huge": (returns(loss=10**400), "InvalidResult", r"result['loss'] is an integer larger than a float can be"),
    "huge_seed": (returns(seeds=[1, 10**5000]), "InvalidResult", r"result['seeds'][1] is an integer larger"),
    "infinite": (returns(loss=float("inf")), "InfiniteLoss", "given inf"),
    "holds_itself": (holds_itself, "InvalidResult", "does it hold itself?"),
    "object": (returns(made=object()), "InvalidResult", r"result['made'] is of type object"),
    "tensor": (returns(made=Tensor()), "InvalidResult", "its __str__ raised"),
    "keys": (returns(made=Keys(a=1)), "InvalidResult", "keys are not here"),
    "nearly": (returns(fails_below={"x": "much"}), "InvalidResult", "must be a dictionary of finite numbers, given {"),
    "bytes": (returns(made=b"\xff"), "InvalidResult", r"result['made'] is of type bytes"),
    "no_name": (returns(made={float("nan"): 1, b"\xff": 2, None: 3, "\udcff": "\udcff"}), None, ""),
    "own_failure": (returns(status="fail", loss=None, failure={"type": 300 * "\udcff\0"}), 300 * "\udcff\0", ""),
    "prints": (prints, None, ""),
    "closes": (closes, None, ""),
    "closes_all": (closes_all, "ProcessDied", "died 3 times; the last time it ended with exit code 1"),
    "long_double": (long_double, None, ""),
    "veiled": (raises(VeiledError("no name")), "VeiledError", "no name"),
    "steers": (raises(ValueError("\x1b[2J\x07\r\n\x9b31mred")), "ValueError", "\x1b[2J\x07\r\n\x9b31mred"),
    "falls_through": (falls_through, None, ""),
    "exits_in_child": (exits_in_child, None, ""),
    "large": (lambda trainer: {"large": [x / 7 for x in range(400_000)]}, None, ""),
}

#: what ends the process: each is three processes
DEADLY = ("os_exit", "killed", "crashes", "closes_all")

#: what cannot be mended where a trainer runs in the scan's own process
NOT_HERE = (*DEADLY, "ended_by_sigterm", "left_behind", "daemon", "terminated", "interrupts", "closes", "thread")

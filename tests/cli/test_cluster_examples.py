"""The examples for batch systems: what they would submit. `benchmarks` and the manual say how they were run."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (
            ["--queue", "short", "--walltime", "01:00:00"],
            ["#SBATCH -p short", "#SBATCH --mem=2G", "#SBATCH -t 01:00:00"],
        ),
        (["--htcondor"], ["RequestCpus = MY.DaskWorkerCores", "RequestMemory"]),
    ],
)
def test_jobs_of_dask_jobqueue(options, lines):
    command = [sys.executable, EXAMPLES / "slurm_dask.py", "card.yml", "--show", "--interface", "lo", *options]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in lines:
        assert line in shown
    assert "distributed.cli.dask_worker" in shown
    assert "--nthreads 1" in shown


def test_the_job_array_is_a_shell_script():
    subprocess.run(["sh", "-n", EXAMPLES / "slurm_array.sh"], check=True)

"""A scan on the workers of a Dask cluster whose jobs SLURM runs; needs `pip install 'hyperparton[cluster]'`.

    python slurm_dask.py CARD --jobs 50 --trials 2000 --lag 100 [options of hyperparton scan]

Runs on a machine that may submit jobs, for as long as the scan takes. `--htcondor` submits to HTCondor instead.
"""

import argparse
import subprocess
import sys

from dask_jobqueue import HTCondorCluster, SLURMCluster

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("card")
parser.add_argument("--jobs", type=int, default=2)
parser.add_argument("--memory", default="2GB")
parser.add_argument("--walltime", default="12:00:00", help="of a job, for SLURM")
parser.add_argument("--queue", help="SLURM's partition")
parser.add_argument("--interface", help="the network interface that jobs reach this machine by, as ib0")
parser.add_argument("--htcondor", action="store_true")
parser.add_argument("--show", action="store_true", help="print the job and submit nothing")
given, options = parser.parse_known_args()

# one trial at a time in each job
job = {"cores": 1, "memory": given.memory, "interface": given.interface}
if given.htcondor:
    cluster = HTCondorCluster(disk="4GB", **job)
else:
    cluster = SLURMCluster(walltime=given.walltime, queue=given.queue, **job)
with cluster:
    if given.show:
        print(cluster.job_script())
        sys.exit()
    cluster.scale(jobs=given.jobs)
    # --workers: the scan starts with the first job and uses those that come later
    command = ["hyperparton", "scan", given.card, *options, "--workers", str(given.jobs)]
    sys.exit(subprocess.run([*command, "--scheduler", cluster.scheduler_address]).returncode)

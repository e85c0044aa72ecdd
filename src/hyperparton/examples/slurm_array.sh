#!/bin/sh
# Jobs that join one scan: sbatch --array=1-50 slurm_array.sh CARD --trials 2000 --lag 100 --store URL
#
# Each job works until the scan has all its trials or its time is nearly over; then it releases the trials that it
# runs and goes into the queue again. If a job is killed or loses its node, the others take over its trials.
#SBATCH --cpus-per-task=1 --time=12:00:00 --signal=B:TERM@120 --requeue --open-mode=append

job=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}
left=$(squeue --noheader --jobs "$job" --format %L)
case $left in [0-9]*) set -- "$@" --walltime "$left" ;; esac
hyperparton scan "$@" --output "scan-$SLURM_ARRAY_TASK_ID" &
scan=$!
trap 'kill -TERM $scan' TERM
wait $scan
code=$?
# the signal ends this wait first: the scan releases its trials, and its own exit code comes then
[ $code -gt 128 ] && kill -0 $scan 2>/dev/null && { wait $scan; code=$?; }
# 4: the walltime is over, 143: SIGTERM; the next run of this job takes the trials that are left
case $code in 4 | 143) scontrol requeue "$job" ;; esac
exit $code

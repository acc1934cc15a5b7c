# A job reads this with `.` once its environment is set up: it starts the models of INFERENCE_SERVE (serve_models.py
# says what that holds) and goes on when all of them serve. If they cannot, the job ends, with the reason in its log.
#
# INFERENCE_FOLDER  where this file is
# INFERENCE_LOG_DIR    the folder that gets <job id>.log, which says how the models are, and <job id>-<port>.txt, what
#                   their servers print

mkdir -p "$INFERENCE_LOG_DIR" || exit 1
inference_status=$INFERENCE_LOG_DIR/${PBS_JOBID:-${SLURM_JOB_ID:-local-$$}}.log
rm -f "$inference_status"

python3 "$INFERENCE_FOLDER/serve_models.py" --with-job --status-file "$inference_status" "$INFERENCE_SERVE" &
inference_pid=$!
until grep -qsx 'All models started successfully.' "$inference_status"; do
    kill -0 "$inference_pid" 2>/dev/null || exit 1
    sleep 1
done

# A job reads this with `.` once its environment is set up: it starts the models of INFERENCE_SERVE (serve_models.py
# says what that holds) and goes on when all of them serve, or when it is known that they cannot.
#
# INFERENCE_FOLDER    where this file is
# INFERENCE_LOG_DIR   the folder that gets <job id>.log, which says how the models are, and <job id>-<port>.txt, what
#                     their servers print
# INFERENCE_REFUSE_S  how long a job whose models cannot serve goes on refusing calls; 60

mkdir -p "$INFERENCE_LOG_DIR" || exit 1
inference_status=$INFERENCE_LOG_DIR/${PBS_JOBID:-${SLURM_JOB_ID:-local-$$}}.log
rm -f "$inference_status"

python3 "$INFERENCE_FOLDER/serve_models.py" --with-job --status-file "$inference_status" "$INFERENCE_SERVE" &
inference_pid=$!
until grep -qsx 'All models started successfully.' "$inference_status"; do
    if ! kill -0 "$inference_pid" 2>/dev/null; then
        # Nobody can take back the calls that wait: job after job would be started for them. So this one takes them,
        # answers that nobody serves, and ends.
        echo 'serve.sh: the models do not serve; calls that wait are answered so, then the job ends' >&2
        (sleep "${INFERENCE_REFUSE_S:-60}"; kill -TERM 0) &
        break
    fi
    sleep 1
done

#!/bin/sh
# The container's command: static files for nginx, then the documented gunicorn command. Its argument is the address.
set -eu

python manage.py collectstatic --noinput --verbosity 0
exec gunicorn inference_gateway.asgi:application \
    -k uvicorn.workers.UvicornWorker \
    -b "$1" \
    --workers "${WEB_CONCURRENCY:-1}" \
    --log-level info

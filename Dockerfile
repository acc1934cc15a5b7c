# The gateway and, with another command, its controller. Tags are pinned; whoever wants more pins digests:
#   docker buildx imagetools inspect python:3.11.13-slim-bookworm

FROM python:3.11.13-slim-bookworm AS build

# tracing: what OpenTelemetry needs beside it.
ARG REQUIREMENTS=runtime

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements/ requirements/
RUN python -m venv /venv \
    && /venv/bin/pip install --no-deps --require-hashes --requirement "requirements/${REQUIREMENTS}.txt" \
    && /venv/bin/pip uninstall --yes pip


FROM python:3.11.13-slim-bookworm

RUN groupadd --system --gid 10001 gateway \
    && useradd --system --uid 10001 --gid gateway --no-create-home --home-dir /nonexistent gateway \
    && install --directory --owner gateway --group gateway /var/lib/inference-gateway /app/static

COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py gunicorn.conf.py ./
COPY inference_gateway/ inference_gateway/
COPY resource_server/ resource_server/
COPY fixtures/ fixtures/
COPY deploy/docker/ deploy/docker/

# HOME: the Globus SDKs look for files there; the file system may be read-only, but for /tmp.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    GATEWAY_DATA_DIR=/var/lib/inference-gateway

USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "deploy/docker/health.py", "8000"]
CMD ["sh", "deploy/docker/start.sh", "0.0.0.0:8000"]

# syntax=docker/dockerfile:1
# The API, and workers for ingest and export: no PyTorch. Dockerfile.gpu makes the image of workers that propagate.

FROM python:3.11-slim-trixie AS build
RUN python -m venv /opt/posetween
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
# What the code needs, without the code: this layer stays when the code changes.
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/posetween/bin/pip install --constraint constraints.txt '.[server,formats]'
COPY pose pose
COPY posetween posetween
COPY formats formats
COPY models models
COPY app app
COPY worker worker
COPY cli cli
COPY migrations migrations
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/posetween/bin/pip install --force-reinstall --no-deps .

FROM python:3.11-slim-trixie
LABEL org.opencontainers.image.title="Posetween" \
      org.opencontainers.image.description="The API, and workers for ingest and export" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# For 'posetween db backup' and 'restore'; not older than the server in docker-compose.yml. Debian keeps only the latest
# version of a package, so one that is pinned here could soon not be had any more.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 posetween \
    && useradd --uid 10001 --gid 10001 --no-log-init --home-dir /data --shell /usr/sbin/nologin posetween \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
COPY --from=build /opt/posetween /opt/posetween
ENV PATH=/opt/posetween/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    POSETWEEN_DATA_DIR=/data \
    POSETWEEN_HOST=0.0.0.0 \
    POSETWEEN_PORT=8000
USER 10001:10001
WORKDIR /data
# All that is written to; the rest may be mounted read-only.
VOLUME ["/data", "/tmp"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"POSETWEEN_PORT\"]}/readyz', timeout=4)"]
CMD ["posetween", "serve"]

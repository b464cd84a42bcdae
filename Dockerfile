# Two images: `web` (pages, API, stream, beat) without training libraries, and `worker` with them.
# docker build --target web . / docker build --target worker . ; with --build-arg SCORER=finbert the worker scores texts
# with FinBERT and downloads its weights once into /data, unless HINDCAST_FINBERT_MODEL names a folder there.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY requirements/base.txt /requirements/
RUN /venv/bin/pip install --require-hashes -r /requirements/base.txt

FROM build AS build-worker
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG SCORER=lexicon
COPY requirements/torch.txt requirements/ml.txt requirements/finbert.txt /requirements/
RUN /venv/bin/pip install --index-url "$TORCH_INDEX" -r /requirements/torch.txt \
 && /venv/bin/pip install --require-hashes -r /requirements/ml.txt \
 && if [ "$SCORER" = finbert ]; then /venv/bin/pip install --require-hashes -r /requirements/finbert.txt; fi

FROM python:3.11-slim-bookworm AS runtime
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 \
    DJANGO_SETTINGS_MODULE=config.settings.production HINDCAST_DATA_DIR=/data
RUN useradd --system --uid 10001 --home-dir /data hindcast && install -d -o hindcast -g hindcast /data
WORKDIR /app

FROM runtime AS web
COPY --from=build /venv /venv
COPY . /app
# Collecting static files needs no secret; these values only let the settings load.
ENV HINDCAST_STATIC_DIR=/app/.collected
RUN HINDCAST_ALLOWED_HOSTS=localhost DATABASE_URL=postgres://build@127.0.0.1:1/none \
    REDIS_URL=redis://127.0.0.1:1/0 HINDCAST_SECRET_KEY=only-for-collecting-static-files-while-the-image-is-built \
    python manage.py collectstatic --noinput
USER hindcast
EXPOSE 8000 8001
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--respawn-interval", "15", "--workers-kill-timeout", "30", \
     "--blocking-threads", "4", "--no-ws", "--http", "1", "--http1-buffer-size", "65536", \
     "--http1-header-read-timeout", "10000", "config.wsgi:application"]

FROM runtime AS worker
# numba and XGBoost need OpenMP.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY --from=build-worker /venv /venv
COPY . /app
ENV HF_HOME=/data/huggingface
USER hindcast
CMD ["celery", "-A", "config.celery", "worker", "-P", "threads", "-c", "8", "-Q", "work"]

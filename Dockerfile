# The web server and the worker run from this one image; see docker-compose.yml.
ARG PYTHON_VERSION=3.11
FROM python:${PYTHON_VERSION}-slim-bookworm

RUN useradd --create-home --uid 10001 backend
WORKDIR /app

COPY requirements-pip.lock requirements-cuda.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-pip.lock \
    && pip install --no-cache-dir --require-hashes -r requirements.lock

COPY backend backend
COPY converters converters
COPY label_config label_config

# Model versions and the SQLite database: a volume both processes share.
RUN mkdir /data && chown backend /data
VOLUME /data
ENV MODEL_DIR=/data/models \
    DATABASE_URL=sqlite:////data/backend.sqlite3 \
    PYTHONUNBUFFERED=1

USER backend
EXPOSE 9090
ENTRYPOINT ["python", "-m", "backend"]
CMD ["serve"]

# Two stages: the first installs what pyproject.toml asks for at run time, by the hashes of
# requirements.lock (without the development tools in it); the second runs it, not as root.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock pyproject.toml ./
RUN python -m venv /tools \
 && /tools/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock \
 && python -m venv --without-pip /opt/finderfee \
 && /tools/bin/uv pip install --no-cache --compile-bytecode --python /opt/finderfee/bin/python \
    --require-hashes -r pyproject.toml -c requirements.lock

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin finderfee \
 && install -d -m 0700 -o finderfee -g finderfee /data
COPY --from=build /opt/finderfee /opt/finderfee
WORKDIR /app
COPY alembic.ini ./
COPY migrations migrations
COPY app app
# /data holds the click journals and the links' replica: a local disk that outlives the container.
ENV PATH=/opt/finderfee/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    FINDERFEE_DATA_DIR=/data \
    FINDERFEE_HOST=0.0.0.0 \
    PORT=8000
USER finderfee
VOLUME /data
EXPOSE 8000 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/livez', timeout=4)"]
# Needs DATABASE_URL and FINDERFEE_SECRET_KEYS.
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]

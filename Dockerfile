# The image of `ticketing`: `docker build -t isp-ticketing .`, then `docker run isp-ticketing --help`.

FROM python:3.13.9-slim-trixie AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /tools && python -m venv --without-pip /app
# Every file is checked against the lock's hash; the image then takes from them what it needs.
COPY requirements.lock ./
RUN pip download --quiet --require-hashes --only-binary :all: --dest /wheels --requirement requirements.lock
RUN /tools/bin/pip install --quiet --no-index --find-links /wheels hatchling
COPY pyproject.toml LICENSE ./
COPY consumer consumer
COPY handlers handlers
COPY schemas schemas
COPY db db
COPY migrations migrations
RUN /tools/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
 && pip --python /app/bin/python install --quiet --no-index --find-links /wheels isp-ticketing

FROM python:3.13.9-slim-trixie
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin ticketing
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 TICKETING_HTTP_HOST=0.0.0.0
USER 10001
WORKDIR /app
EXPOSE 8080
# /livez is about the process alone: an outage of Kafka or PostgreSQL never makes it unhealthy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('TICKETING_HTTP_PORT', '8080') + '/livez', timeout=4)"]
ENTRYPOINT ["python", "-m", "consumer"]
CMD ["run"]

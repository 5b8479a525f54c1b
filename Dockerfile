# The daemon, built in two stages: wheels are installed in the first, the second holds no compiler,
# no cache and no secret. It runs as nobody's user and needs to write only to /data and /tmp:
#   docker run --read-only --tmpfs /tmp -v photos:/data -v ./listing-photos.toml:/etc/listing-photos.toml ...
FROM python:3.13.9-slim-trixie AS build
COPY requirements.txt .
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.13.9-slim-trixie
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin photos \
 && install -d -o photos -g photos /data
COPY --from=build /opt/venv /opt/venv
COPY parsers /app/parsers
COPY service /app/service
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER photos
VOLUME /data
STOPSIGNAL SIGTERM
# Unhealthy when a feed had no success for three of its intervals.
HEALTHCHECK --interval=60s --timeout=20s --start-period=30s \
  CMD ["python", "-m", "service", "status", "--check", "--config", "/etc/listing-photos.toml"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["run", "--config", "/etc/listing-photos.toml"]

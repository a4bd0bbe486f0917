# The service without the embedded MongoDB: `docker build -t entitled .`, then MONGODB_URI names a replica set.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/entitled
COPY requirements.lock ./
RUN /opt/entitled/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY sync sync
RUN /opt/entitled/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
COPY --from=build /opt/entitled /opt/entitled
ENV PATH=/opt/entitled/bin:$PATH PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=8080
# A number, so that a cluster can see that it is not root.
USER 10001:10001
EXPOSE 8080
# Alive, not ready: a process that is still loading, or has lost its MongoDB and answers from RAM, is not to be ended.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=3); c.request('GET', '/livez'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["entitled"]
CMD ["serve"]

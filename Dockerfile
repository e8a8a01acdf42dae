# The page and its server, for a CPU. How to build and run it: docs/deployment.md
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
# Extras of setup.cfg; postgres keeps profiles in PostgreSQL.
ARG EXTRAS=postgres
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/musicrec
WORKDIR /source
# PyTorch first, in a layer that changes of the code leave as it is.
COPY constraints.txt .
RUN /opt/musicrec/bin/pip install --constraint constraints.txt torch torchaudio
COPY . .
RUN /opt/musicrec/bin/pip install --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}" \
 && /opt/musicrec/bin/pip uninstall --yes pip setuptools

FROM ${BASE}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin musicrec \
 && mkdir --mode=0755 /data /models /music \
 && chown musicrec:musicrec /data /models
COPY --from=build /opt/musicrec /opt/musicrec
ENV PATH=/opt/musicrec/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/data \
    XDG_CACHE_HOME=/data/cache \
    MUSICREC_LIBRARY=/data/library.sqlite \
    MUSICREC_MODELS=/models \
    MUSICREC_HOST=0.0.0.0 \
    MUSICREC_PORT=8765 \
    MUSICREC_JSON_LOGS=1
USER musicrec
WORKDIR /data
VOLUME ["/data", "/models"]
EXPOSE 8765
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python3", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ['MUSICREC_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["musicrec"]
CMD ["serve", "--no-open"]

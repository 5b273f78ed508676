# The connector as an image: not root, nothing in it that builds, and all that it writes is on the volume /data.
#   docker build --tag cogny-source .
#   docker run --rm --env-file cogny.env --volume cogny:/data --read-only --tmpfs /tmp cogny-source
# docs/schedules.md tells how to run it by a schedule.

# The Python that the requirements are pinned for, which is that of Debian trixie.
FROM python:3.13-slim-trixie AS build
WORKDIR /build
# Without pip: the environment is filled from outside, and nothing in it can install more.
RUN python -m venv --without-pip /opt/cogny
COPY deploy/requirements.txt deploy/
RUN pip --python /opt/cogny install --no-cache-dir --no-compile --no-deps --require-hashes --only-binary :all: \
    --requirement deploy/requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY cogny_source cogny_source/
# A process that may not write into /opt would compile the thousand modules of dlt at each start. The byte code is never
# compared with the sources' times, which some builders change.
RUN pip --python /opt/cogny install --no-cache-dir --no-compile --no-deps . \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/cogny/lib

FROM python:3.13-slim-trixie
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cogny-source" \
    org.opencontainers.image.description="Syncs the Cogny API into DuckDB, BigQuery, Parquet or Delta" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/cogny /opt/cogny
# For any other uid too, as long as its group is 0, as some clusters have it.
RUN install --directory --owner=10001 --group=0 --mode=0770 /data
ENV PATH=/opt/cogny/bin:$PATH \
    HOME=/data \
    DLT_DATA_DIR=/data/dlt \
    COGNY_DATABASE=/data/cogny.duckdb
WORKDIR /data
VOLUME /data
USER 10001:10001
# For a container that lives on between syncs; one that only syncs is gone before the first check.
HEALTHCHECK --interval=30m --timeout=2m --retries=2 CMD ["cogny", "status", "--max-age", "3h"]
ENTRYPOINT ["cogny"]
CMD ["sync", "duckdb"]

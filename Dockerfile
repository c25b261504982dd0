# syntax-free on purpose: the BuildKit that comes with the daemon is enough, no front end is fetched.
#
# Two images from one file:
#   docker build --target operator   -t tracejob/operator:dev   .
#   docker build --target node-agent -t tracejob/node-agent:dev .
# Behind a proxy with its own certificate authority: --secret id=ca,src=/path/to/ca-bundle.pem
ARG BASE=debian:bookworm-slim

# ---- Python packages, built where pip is, copied to where it isn't. One layer per deployable; sources come last.
FROM ${BASE} AS build
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-pip ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/ requirements/

FROM build AS operator-packages
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    pip install --quiet --no-cache-dir --no-compile --require-hashes --target /opt/tracejob -r requirements/operator.txt \
    && find /opt/tracejob -depth \( -name tests -o -name test -o -name __pycache__ \) -type d -exec rm -rf {} +
# Byte code of what the operator imports, and of nothing else: made once here, not at every start.
RUN PYTHONPATH=/opt/tracejob python3 -c "import kopf, kubernetes.aio.client, kubernetes.aio.config"

FROM build AS agent-packages
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    pip install --quiet --no-cache-dir --no-compile --require-hashes --target /opt/tracejob -r requirements/agent.txt \
    && find /opt/tracejob -depth \( -name tests -o -name test -o -name __pycache__ \) -type d -exec rm -rf {} +

# ---- The operator: an API client, no root, no BPF.
FROM ${BASE} AS operator
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
# kopf asks who it runs as.
RUN echo 'tracejob:x:65532:65532:tracejob:/tmp:/usr/sbin/nologin' >>/etc/passwd
COPY --from=operator-packages /opt/tracejob /opt/tracejob
COPY crds/tracejob_api /opt/tracejob/tracejob_api
COPY node-agent/tracelang /opt/tracejob/tracelang
COPY operator/tracejob_operator /opt/tracejob/tracejob_operator
ENV PYTHONPATH=/opt/tracejob PYTHONUNBUFFERED=1 HOME=/tmp
RUN python3 -m compileall -q /opt/tracejob/tracejob_api /opt/tracejob/tracelang /opt/tracejob/tracejob_operator
USER 65532:65532
ENTRYPOINT ["python3", "-m", "tracejob_operator"]

# ---- The agent: compiles (LLVM comes with bcc), loads, reads. It runs as root, and holds no API client.
FROM ${BASE} AS node-agent
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-bpfcc \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
COPY --from=agent-packages /opt/tracejob /opt/tracejob
COPY crds/tracejob_api /opt/tracejob/tracejob_api
COPY node-agent/tracelang /opt/tracejob/tracelang
COPY node-agent/tracejob_agent /opt/tracejob/tracejob_agent
COPY node-agent/start/tracejob-agent /opt/tracejob/bin/tracejob-agent
# Byte code is made here, once, so that an agent's start isn't spent on it.
RUN python3 -m compileall -q /opt/tracejob
# What the launcher itself does, without its shell: see docs/decisions/0002-direct-start.md.
ENTRYPOINT ["/usr/bin/python3", "-I", "-S", "/opt/tracejob/bin/tracejob-agent"]

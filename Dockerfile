# nodetool in a container: a server, or with another command a worker.
#
#   docker build -t nodetool .                        for processors
#   docker build -t nodetool --build-arg DEVICE=cuda . for NVIDIA cards
FROM python:3.11-slim
ARG DEVICE=cpu
WORKDIR /app

# torch by itself first: it is the largest part, and changes least. pip's own choice of it is the CUDA build; the index of
# the others has not all that it needs, which comes with the rest.
COPY constraints.txt ./
RUN if [ "$DEVICE" = cpu ]; then \
        pip install --no-cache-dir --no-deps -c constraints.txt torch --index-url https://download.pytorch.org/whl/cpu; \
    else \
        pip install --no-cache-dir -c constraints.txt torch; \
    fi
COPY pyproject.toml README.md LICENSE ./
COPY nodetool_core nodetool_core
COPY nodes nodes
COPY graphs graphs
RUN pip install --no-cache-dir -c constraints.txt '.[serve,mcp,worker,postgres,s3,heic]'

RUN useradd --create-home --uid 10001 nodetool && install -d -o nodetool -g nodetool /data /models /graphs
USER nodetool
WORKDIR /data
ENV NODETOOL_SERVE_HOST=0.0.0.0 NODETOOL_SERVE_GRAPHS=/graphs NODETOOL_SERVE_DATA=/data/jobs \
    NODETOOL_CACHE_DIR=/data/cache HF_HOME=/models
VOLUME ["/data", "/models"]
EXPOSE 8188
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8188/readyz', timeout=4)"]
CMD ["nodetool", "serve"]

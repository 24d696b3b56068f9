# The GPU box. The host needs NVIDIA's driver and container toolkit; torch's wheel brings CUDA.
#
#   docker build --tag assay .
#   docker run --rm --gpus all --ipc host --volume "$PWD:/assay" assay run
#
# The clone is mounted over the installed sources, so code, parameters and results are the host's.
FROM python:3.11-slim-bookworm

# gcc compiles torch's kernels, git is asked by DVC
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ git \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /assay

WORKDIR /assay
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY flows flows
COPY stages stages
RUN pip install --no-cache-dir --constraint constraints.txt --editable '.[pipeline,train,ray,s3]'

# any --user may write there
ENV HOME=/tmp PYTHONUNBUFFERED=1
ENTRYPOINT ["assay"]
CMD ["--help"]

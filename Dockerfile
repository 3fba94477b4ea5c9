# docker build -t kronosforge .                                                                       CPU
# docker build -t kronosforge --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .        CUDA
# docker run --rm -v "$PWD/work space:/workspace" kronosforge full_pipeline.py --source sandbox --init scratch --size tiny
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
COPY Kronos Kronos
COPY *.py prepare_all_models.sh ./
RUN pip wheel --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt /wheels/
COPY --from=build /wheels/*.whl /wheels/
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" -c /wheels/constraints.txt "$(echo /wheels/*.whl)[train]"
WORKDIR /workspace
# A folder mounted there may be empty; init overwrites nothing.
ENTRYPOINT ["sh", "-c", "kronosforge init . > /dev/null && exec python \"$@\"", "sh"]
CMD ["full_pipeline.py", "--help"]

# docker build -t kronosforge .                                                                       CPU
# docker build -t kronosforge --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .        CUDA
# docker run --rm -v "$PWD/work space:/workspace" kronosforge full_pipeline.py --source sandbox --init scratch --size tiny
FROM python:3.12-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /opt/kronosforge
COPY pyproject.toml constraints.txt README.md LICENSE* ./
COPY src src
COPY Kronos Kronos
COPY *.py prepare_all_models.sh ./
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" -c constraints.txt ".[train]" \
    && kronosforge init /workspace
WORKDIR /workspace
ENTRYPOINT ["python"]
CMD ["full_pipeline.py", "--help"]

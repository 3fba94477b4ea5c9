#!/usr/bin/env bash
# Prepare every model named on the command line, or the two that the guide names. Stops at the first that fails.
set -u
cd "$(dirname "$0")" || exit 1
python=$(command -v python || command -v python3)
[ $# -gt 0 ] && models=("$@") || models=(model_a_4h model_b_1d)

for model in "${models[@]}"; do
    echo "Preparing data for $model..."
    "$python" prepare_kronos_data_simple.py --config "$model" --force
    code=$?
    if [ $code -ne 0 ]; then
        echo "❌ $model data preparation failed" >&2
        exit $code
    fi
    echo "✅ $model data preparation completed"
done
echo "🎉 All model data preparation completed!"

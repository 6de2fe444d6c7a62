#!/usr/bin/env bash
# What only a GPU can show, in about ten minutes: vLLM in rollouts, DDP and FSDP2 steps, on the built-in world.
#   bash benchmarks/gpu.sh
# Exits 0 with one line where there is no GPU, 1 at the first thing that does not hold.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python}
GPUS=$("$PYTHON" -c 'import torch; print(torch.cuda.device_count())')
if [ "$GPUS" = 0 ]; then
    echo "gpu.sh: no GPU here, nothing checked"
    exit 0
fi
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
SETS=(--set "evaluate.arms=[sft, rl]" --set rl.steps=2 --set rl.held_out=0 --set "sft.batch_size=$((8 * GPUS))")

check() { # name, then the command
    echo "== $1"
    shift
    timeout 300 "$@" --root "$WORK/runs" --no-doctor "${SETS[@]}" >"$WORK/log" 2>&1 || {
        tail -n 60 "$WORK/log"
        echo "gpu.sh: failed: $*"
        exit 1
    }
    grep -h -o '"\(loss\|vllm_gap\)": [^,]*' "$WORK"/runs/*/{sft,rl}/metrics.jsonl | tail -n 6
    rm -rf "$WORK/runs"
}

check "one GPU, our sampler" env CUDA_VISIBLE_DEVICES=0 "$PYTHON" -m deliberant run recipes/smoke.yaml
if "$PYTHON" -c 'import vllm' 2>/dev/null; then
    check "one GPU, vLLM draws" env CUDA_VISIBLE_DEVICES=0 "$PYTHON" -m deliberant run recipes/smoke.yaml \
        --set rl.vllm=colocate
else
    echo "== vLLM is not installed: not checked"
fi
check "FSDP2, $GPUS processes" "$PYTHON" -m accelerate.commands.launch --config_file recipes/accelerate/fsdp2.yaml \
    --num_processes "$GPUS" -m deliberant run recipes/smoke.yaml
if [ "$GPUS" -gt 1 ]; then
    check "DDP, $GPUS processes" "$PYTHON" -m torch.distributed.run --standalone --nproc-per-node "$GPUS" \
        --module deliberant run recipes/smoke.yaml
else
    echo "== DDP takes two GPUs: not checked"
fi
echo "gpu.sh: all that could be checked here holds"

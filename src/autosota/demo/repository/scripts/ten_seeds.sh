#!/bin/sh
# One row of Table 1: seeds 0 to 9 of one configuration.
config=${1:-configs/kitchen_sinks.yaml}
for seed in 0 1 2 3 4 5 6 7 8 9; do
    python train.py --config "$config" --seed "$seed"
done | awk -F': ' '
    { sum[$1] += $2; square[$1] += $2 * $2; count[$1]++ }
    END { for (name in sum) { mean = sum[name] / count[name]
          printf "%s: %.4f +- %.4f\n", name, mean, sqrt((square[name] - count[name] * mean * mean) / (count[name] - 1)) } }'

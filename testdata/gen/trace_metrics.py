"""The metrics of a routing trace in numpy. Usage: trace_metrics.py TRACE.safetensors > metrics.json"""
import json, sys
import numpy as np
from safetensors import safe_open

f = safe_open(sys.argv[1], "numpy")
ids, w, l, at = f.get_tensor("topk_ids"), f.get_tensor("topk_weights"), f.get_tensor("router_logits").astype(float), f.get_tensor("seq_offsets")
labels, gates = np.array(json.loads(f.metadata()["labels"])), json.loads(f.metadata()["gate"])
T, L, K = ids.shape
E = gates["0"]["experts"]
label = np.repeat(labels, np.diff(at))
hot = (ids[..., None] == np.arange(E)).any(2)                                       # [T,L,E] who worked
load = hot.sum(0).astype(float)                                                     # [L,E]
p = np.exp(l) / np.exp(l).sum(-1, keepdims=True)
entropy = -(p * np.log(p)).sum(-1).mean(0)                                          # [L]
same = np.delete(ids[1:, :, 0] == ids[:-1, :, 0], at[1:-1] - 1, axis=0).mean(0)     # [L]
together = np.einsum("tli,tlj->lij", hot.astype(float), hot.astype(float)) / np.maximum(load, 1)[..., None]
gini = np.abs(load[:, :, None] - load[:, None, :]).sum((1, 2)) / (2 * E * load.sum(1))
share = {n: hot[label == n].sum(0) / (label == n).sum() / K for n in sorted(set(labels))}
json.dump({"tokens": T, "layers": [{"layer": i, "load": load[i].tolist(), "max_vio": load[i].max() / load[i].mean() - 1,
    "cv": load[i].std() / load[i].mean(), "gini": gini[i], "jain": load[i].sum() ** 2 / (E * (load[i] ** 2).sum()),
    "dead": int((load[i] == 0).sum()), "entropy": entropy[i], "repeat_previous": same[i], "coactivation": together[i].tolist()}
    for i in range(L)], "labels": {n: {"layers": [{"share": s.tolist()} for s in v]} for n, v in share.items()}}, sys.stdout)

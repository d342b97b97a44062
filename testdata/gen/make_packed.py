"""Makes the tiny packed checkpoint of the tests and what numpy reads in it.

  make_packed.py SWITCHYARD OUT    writes OUT/packed (by the program SWITCHYARD) and OUT/packed-numpy.safetensors

A mixture of one layer whose widths fill neither a panel nor a block. Needs: numpy.
"""
import json, os, subprocess, sys, tempfile
import numpy as np

H, I, V, E, D = 48, 40, 70, 3, 24
HEADS, KV = 2, 1
config = dict(model_type="mixtral", vocab_size=V, hidden_size=H, intermediate_size=I, num_hidden_layers=1, num_attention_heads=HEADS,
              num_key_value_heads=KV, head_dim=D, num_local_experts=E, num_experts_per_tok=2, max_position_embeddings=64,
              rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=False, hidden_act="silu", bos_token_id=1, eos_token_id=2)
at = "model.layers.0."
shapes = {"model.embed_tokens.weight": (V, H), "model.norm.weight": (H,), "lm_head.weight": (V, H),
          at + "input_layernorm.weight": (H,), at + "post_attention_layernorm.weight": (H,),
          at + "self_attn.q_proj.weight": (HEADS * D, H), at + "self_attn.k_proj.weight": (KV * D, H),
          at + "self_attn.v_proj.weight": (KV * D, H), at + "self_attn.o_proj.weight": (H, HEADS * D),
          at + "block_sparse_moe.gate.weight": (E, H)}
for e in range(E):
    for name, shape in ("w1", (I, H)), ("w3", (I, H)), ("w2", (H, I)):
        shapes[f"{at}block_sparse_moe.experts.{e}.{name}.weight"] = shape


def main(switchyard, out):
    sys.path.insert(0, os.path.dirname(__file__))
    import read_packed
    rng = np.random.default_rng(7)
    arrays = {n: (np.ones(s) if len(s) == 1 else rng.normal(0, 0.3, s)).astype(np.float32) for n, s in shapes.items()}
    arrays[at + "self_attn.k_proj.weight"][3] = 0      # a row of zeros
    arrays[at + "self_attn.v_proj.weight"][5, 7] = 40  # an outlier
    with tempfile.TemporaryDirectory() as src:
        read_packed.save(f"{src}/model.safetensors", arrays)
        json.dump(config, open(f"{src}/config.json", "w"), indent=1)
        subprocess.run([switchyard, "quantize", src, f"{out}/packed", "--scheme", "mixed"], check=True)
    subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), "read_packed.py"), f"{out}/packed",
                    f"{out}/packed-numpy.safetensors"], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])

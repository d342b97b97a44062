"""What the reference implementation (transformers, float32, eager) says of pruned checkpoints.

Usage: make_prune.py OUT NAME=FOLDER…   FOLDER was made by: switchyard prune -m testdata/goldens/NAME --drop "0:1,3;1:0,7" -o FOLDER
Writes OUT/NAME.safetensors: input_ids I32 [T], logits F32 [T,V]; the metadata has the SHA-256 of the checkpoint that was read.
"""
import hashlib, os, sys, warnings
warnings.filterwarnings("ignore")
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

out = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))
for arg in sys.argv[2:]:
    name, folder = arg.split("=", 1)
    ids = load_file(f"{here}/../goldens/{name}/golden.safetensors")["input_ids"]
    with torch.no_grad():
        m = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        logits = m(input_ids=ids.long()[None], use_cache=False).logits[0].float().contiguous()
    sha = hashlib.sha256(open(f"{folder}/model.safetensors", "rb").read()).hexdigest()
    save_file({"input_ids": ids.int(), "logits": logits}, f"{out}/{name}.safetensors", metadata={"checkpoint_sha256": sha})
    print(name, tuple(logits.shape), sha)

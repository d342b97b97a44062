"""Reads packed checkpoints (docs/packed.md) with nothing but numpy, and says what their matrices are in float32.

  read_packed.py FOLDER OUT.safetensors    dequantises every packed tensor of FOLDER into OUT

Needs: numpy. testdata/packed/golden.safetensors is made from testdata/packed/NAME by it.
"""
import glob, json, os, sys
import numpy as np


def load(path):
    """The tensors of a safetensors file as raw bytes with dtype and shape, and its metadata."""
    data = np.fromfile(path, np.uint8)
    n = int(data[:8].view("<u8")[0])
    head = json.loads(data[8:8 + n].tobytes())
    meta = head.pop("__metadata__", {})
    cut = lambda e: data[8 + n + e["data_offsets"][0]:8 + n + e["data_offsets"][1]]
    return {name: (e["dtype"], e["shape"], cut(e)) for name, e in head.items()}, meta


def q8(panels, cols):
    """[panels, steps·1088] u8 → [16·panels, 64·steps] f32."""
    p = len(panels)
    steps = panels.reshape(p, -1, 1088)
    scale = steps[:, :, :64].copy().view("<f2").reshape(p, -1, 2, 16).astype(np.float32)      # panel, step, block, row
    q = steps[:, :, 64:].reshape(p, -1, 2, 8, 16, 4).astype(np.float32) - np.float32(128)     # …, block, group, row, i
    w = q * scale[:, :, :, None, :, None]
    return w.transpose(0, 4, 1, 2, 3, 5).reshape(16 * p, -1)


def q4(panels, cols):
    """[panels, 128 + steps·576] u8 → [16·panels, 64·steps] f32."""
    p = len(panels)
    head = panels[:, :128].copy().view("<f4").reshape(p, 2, 16)
    steps = panels[:, 128:].reshape(p, -1, 576)
    scale = steps[:, :, :32].reshape(p, -1, 2, 16).astype(np.float32) * head[:, 0][:, None, None, :]
    low = steps[:, :, 32:64].copy().view(np.int8).reshape(p, -1, 2, 16).astype(np.float32) * head[:, 1][:, None, None, :]
    b = steps[:, :, 64:].reshape(p, -1, 2, 4, 16, 4)                                          # …, block, group, row, i
    q = np.stack([b & 15, b >> 4], axis=4).astype(np.float32)                                 # …, block, group, half, row, i
    w = q * scale[:, :, :, None, None, :, None] + low[:, :, :, None, None, :, None]
    return w.transpose(0, 5, 1, 2, 3, 4, 6).reshape(16 * p, -1)


def dequantise(data, shape, note):
    form, size = note.split()
    n, k = map(int, size.split("x"))
    return {"Q8P16": q8, "Q4P16": q4}[form](data.reshape(shape), k)[:n, :k]


def save(path, arrays):
    head, at = {}, 0
    for name, a in arrays.items():
        head[name] = {"dtype": "F32", "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(path, "wb") as f:
        f.write(np.uint64(len(text)).tobytes() + text)
        for a in arrays.values():
            f.write(np.ascontiguousarray(a, "<f4").tobytes())


if __name__ == "__main__":
    folder, out = sys.argv[1:3]
    assert json.load(open(os.path.join(folder, "config.json")))["quantization_config"]["quant_method"] == "switchyard"
    arrays = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.safetensors"))):
        tensors, meta = load(path)
        assert meta.get("format") == "switchyard-packed", path
        for name, (dtype, shape, data) in sorted(tensors.items()):
            if name in meta:
                assert dtype == "U8", name
                arrays[name] = dequantise(data, shape, meta[name])
    save(out, arrays)
    print(out, len(arrays), "matrices")

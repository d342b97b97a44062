package learn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// HeadFile is the file of a classifier's folder that holds the head: F32 tensors "dense" [C,D] and "sparse" [C,buckets] where
// they have columns, "bias" [C], and everything else as JSON in the metadata. Beside it the folder holds the encoder, file
// by file, so that it is the folder of an encoder too.
const HeadFile = "classifier.safetensors"

// headMeta is the JSON in the metadata of HeadFile.
type headMeta struct {
	Labels      []string `json:"labels"`
	Temperature float64  `json:"temperature"`
	Threshold   float64  `json:"threshold"`
	OutOfScope  string   `json:"out_of_scope"`
	NGrams      NGrams   `json:"ngrams"`
	Encoder     string   `json:"encoder,omitempty"` // hash of its weights; empty: none
}

const metaKey = "switchyard.classifier"

// IsClassifier says whether a folder holds a learnt classifier.
func IsClassifier(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, HeadFile))
	return err == nil
}

// Save writes the classifier's folder. encoderDir is where its encoder was opened from, "" where it has none; the
// encoder's files are linked where the file system can, else copied.
func (c *Classifier) Save(dir, encoderDir string) error {
	meta := headMeta{Labels: c.Labels, Temperature: c.Temperature, Threshold: c.Threshold, OutOfScope: c.OutOfScope, NGrams: c.NGrams}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if c.enc != nil {
		meta.Encoder = c.enc.Hash()
		if err := CopyEncoder(dir, encoderDir); err != nil {
			return err
		}
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	return loader.Write(filepath.Join(dir, HeadFile), c.Head.Tensors(""), map[string]string{metaKey: string(text)})
}

// Tensors names a head's parts: prefix and bias, dense, sparse.
func (h *Head) Tensors(prefix string) []loader.Named {
	n := h.Classes()
	list := []loader.Named{{Name: prefix + "bias", Tensor: tensor.FromF32(h.B, n)}}
	if h.W.Cols > 0 {
		list = append(list, loader.Named{Name: prefix + "dense", Tensor: tensor.FromF32(h.W.Data, n, h.W.Cols)})
	}
	if h.S.Cols > 0 {
		list = append(list, loader.Named{Name: prefix + "sparse", Tensor: tensor.FromF32(h.S.Data, n, h.S.Cols)})
	}
	return list
}

// ReadHead reads what Tensors wrote, for so many classes, dense features and buckets; the values are copied and finite.
func ReadHead(f *loader.File, prefix string, classes, dense, buckets int) (*Head, error) {
	h := &Head{}
	for _, p := range []struct {
		name  string
		shape tensor.Shape
		set   func(v []float32)
	}{
		{"bias", tensor.Shape{classes}, func(v []float32) { h.B = v }},
		{"dense", tensor.Shape{classes, dense}, func(v []float32) { h.W = tensor.MatOf(v, classes, dense) }},
		{"sparse", tensor.Shape{classes, buckets}, func(v []float32) { h.S = tensor.MatOf(v, classes, buckets) }},
	} {
		if p.shape[len(p.shape)-1] == 0 {
			continue
		}
		v, err := ReadTensor(f, prefix+p.name, p.shape)
		if err != nil {
			return nil, err
		}
		p.set(v)
	}
	return h, nil
}

// ReadTensor copies an F32 tensor of exactly this shape, all of it finite.
func ReadTensor(f *loader.File, name string, shape tensor.Shape) ([]float32, error) {
	t, ok := f.Tensor(name)
	if !ok || t.DType != tensor.F32 || !t.Shape.Equal(shape) {
		return nil, fmt.Errorf("%w: tensor %s: want F32 %v, found %s", ErrFolder, name, shape, found(t, ok))
	}
	v := append([]float32(nil), t.F32s()...)
	for i, x := range v {
		if x-x != 0 {
			return nil, fmt.Errorf("%w: tensor %s: value %d is %v", ErrFolder, name, i, x)
		}
	}
	return v, nil
}

func found(t *tensor.Tensor, ok bool) string {
	if !ok {
		return "none"
	}
	return fmt.Sprint(t.DType, " ", t.Shape)
}

// OpenClassifier opens a folder that Save wrote. Close the classifier's encoder with Close. Errors: [ErrFolder], what
// model.OpenEncoder and the loader say.
func OpenClassifier(dir string, o model.Options) (*Classifier, error) {
	f, err := loader.OpenFile(filepath.Join(dir, HeadFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var meta headMeta
	if err := json.Unmarshal([]byte(f.Metadata()[metaKey]), &meta); err != nil {
		return nil, fmt.Errorf("%w: %s: metadata %s: %w", ErrFolder, HeadFile, metaKey, err)
	}
	if len(meta.Labels) < 2 || meta.NGrams.Buckets < 1 || meta.NGrams.Buckets > 1<<26 || !(meta.Temperature > 0) {
		return nil, fmt.Errorf("%w: %s: metadata %s: want labels, buckets and a temperature, found %d, %d and %v",
			ErrFolder, HeadFile, metaKey, len(meta.Labels), meta.NGrams.Buckets, meta.Temperature)
	}
	c := &Classifier{Labels: meta.Labels, Temperature: meta.Temperature, Threshold: meta.Threshold, OutOfScope: meta.OutOfScope, NGrams: meta.NGrams}
	dense := 0
	if meta.Encoder != "" {
		if c.enc, err = model.OpenEncoder(dir, o); err != nil {
			return nil, err
		}
		dense = c.enc.Dim()
		if hash := c.enc.Hash(); hash != meta.Encoder {
			return nil, errors.Join(fmt.Errorf("%w: %s was learnt on the encoder %.12s, found %.12s in %s", ErrFolder, HeadFile, meta.Encoder, hash, dir), c.Close())
		}
	}
	if c.Head, err = ReadHead(f, "", len(c.Labels), dense, c.NGrams.Buckets); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close closes the encoder, where the classifier opened one.
func (c *Classifier) Close() error {
	if c.enc == nil {
		return nil
	}
	return c.enc.Close()
}

// encoderFiles are what makes up the folder of an encoder.
var encoderFiles = []string{"config.json", "*.safetensors", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json",
	"modules.json", "sentence_bert_config.json", "*_Pooling/config.json"}

// CopyEncoder puts the files of an encoder into dir.
func CopyEncoder(dir, from string) error {
	fsys := os.DirFS(from)
	for _, pattern := range encoderFiles {
		names, err := fs.Glob(fsys, pattern)
		if err != nil {
			return err
		}
		for _, name := range names {
			if name == HeadFile {
				continue
			}
			if err := linkOrCopy(filepath.Join(dir, name), filepath.Join(from, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func linkOrCopy(dst, src string) error {
	a, errA := os.Stat(dst)
	if b, err := os.Stat(src); err == nil && errA == nil && os.SameFile(a, b) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(src); err == nil && errA != nil && os.Link(real, dst) == nil {
		return nil
	}
	return loader.ReplaceFile(dst, func(w io.Writer) error {
		f, err := os.Open(src)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
}

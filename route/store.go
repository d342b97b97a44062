package route

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// RouterFile is the file of a router's folder: tensors F32, everything else as JSON in the metadata. Beside it stands the
// encoder's folder in encoder/, where the router has one.
const (
	RouterFile = "router.safetensors"
	EncoderDir = "encoder"

	metaKey = "switchyard.router"
)

type routerMeta struct {
	Rows      int           `json:"rows"`
	NGrams    learn.NGrams  `json:"ngrams"`
	Keep      int           `json:"embedding"` // leading columns that are not scaled
	Width     int           `json:"features"`
	Landmarks int           `json:"landmarks"`
	Mean      float64       `json:"mean"`
	Parts     [3][2]float64 `json:"parts"`
	Encoder   bool          `json:"encoder"` // reads with an encoder; else with a local mixture
	Source    string        `json:"source"`  // hash of its weights
	Shape     []string      `json:"shape"`
	Quantiles int           `json:"quantiles"`
}

// Save writes the router's folder; encoderDir is where its encoder was opened from, "" where it reads with a mixture.
func (d *Difficulty) Save(dir, encoderDir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if encoderDir != "" {
		if err := learn.CopyEncoder(filepath.Join(dir, EncoderDir), encoderDir); err != nil {
			return err
		}
	}
	m := routerMeta{Rows: d.rows, NGrams: d.grams, Keep: d.scale.keep, Width: d.landmarks.points.Cols, Landmarks: len(d.landmarks.weight),
		Mean: d.landmarks.mean, Encoder: d.source.Encoder != nil, Source: d.source.hash(), Shape: shapeNames, Quantiles: len(d.quantiles)}
	for i, p := range d.parts {
		m.Parts[i] = [2]float64{p.mean, p.by}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	q := make([]float32, len(d.quantiles))
	for i, v := range d.quantiles {
		q[i] = float32(v)
	}
	p := d.landmarks.points
	list := append(d.embedding.Tensors("embedding."), d.words.Tensors("words.")...)
	list = append(list, loader.Named{Name: "landmarks.points", Tensor: tensor.FromF32(p.Data, p.Rows, p.Cols)},
		loader.Named{Name: "landmarks.weight", Tensor: tensor.FromF32(d.landmarks.weight, p.Rows)},
		loader.Named{Name: "scale.mean", Tensor: tensor.FromF32(d.scale.mean, len(d.scale.mean))},
		loader.Named{Name: "scale.spread", Tensor: tensor.FromF32(d.scale.spread, len(d.scale.spread))},
		loader.Named{Name: "quantiles", Tensor: tensor.FromF32(q, len(q))})
	return loader.Write(filepath.Join(dir, RouterFile), list, map[string]string{metaKey: string(text)})
}

// NeedsEncoder says whether a router's folder reads with an encoder, which then lies in its folder [EncoderDir].
func NeedsEncoder(dir string) (bool, error) {
	f, err := loader.OpenFile(filepath.Join(dir, RouterFile))
	if err != nil {
		return false, err
	}
	defer f.Close()
	m, err := readMeta(f)
	return m.Encoder, err
}

// Open opens a folder that Save wrote, to read with src: the encoder or the mixture that it was trained with. Errors:
// learn.ErrFolder, the loader's.
func Open(dir string, src Source) (*Difficulty, error) {
	f, err := loader.OpenFile(filepath.Join(dir, RouterFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := readMeta(f)
	if err != nil {
		return nil, err
	}
	if hash := src.hash(); hash != m.Source {
		return nil, fmt.Errorf("%w: %s was trained with a model %.12s, found %.12s", learn.ErrFolder, RouterFile, m.Source, hash)
	}
	if m.Keep != src.width() {
		return nil, fmt.Errorf("%w: %s: metadata %s: embedding: want %d columns, found %d (train it again)", learn.ErrFolder, RouterFile, metaKey, src.width(), m.Keep)
	}
	d := &Difficulty{source: src, grams: m.NGrams, rows: m.Rows}
	for i, p := range m.Parts {
		d.parts[i] = spread{p[0], p[1]}
	}
	if d.embedding, err = learn.ReadHead(f, "embedding.", 3, m.Width, 0); err != nil {
		return nil, err
	}
	if d.words, err = learn.ReadHead(f, "words.", 3, 0, m.NGrams.Buckets); err != nil {
		return nil, err
	}
	return d, d.readRest(f, m)
}

func (d *Difficulty) readRest(f *loader.File, m routerMeta) error {
	var points, weight, mean, by, q []float32
	for _, p := range []struct {
		name  string
		shape tensor.Shape
		dst   *[]float32
	}{
		{"landmarks.points", tensor.Shape{m.Landmarks, m.Width}, &points}, {"landmarks.weight", tensor.Shape{m.Landmarks}, &weight},
		{"scale.mean", tensor.Shape{m.Width - m.Keep}, &mean}, {"scale.spread", tensor.Shape{m.Width - m.Keep}, &by},
		{"quantiles", tensor.Shape{m.Quantiles}, &q},
	} {
		v, err := learn.ReadTensor(f, p.name, p.shape)
		if err != nil {
			return err
		}
		*p.dst = v
	}
	e, err := kernels.New(kernels.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer e.Close()
	d.landmarks = newRidge(e.Ops(), tensor.MatOf(points, m.Landmarks, m.Width))
	d.landmarks.weight, d.landmarks.mean = weight, m.Mean
	d.scale = scaler{keep: m.Keep, mean: mean, spread: by}
	for _, v := range q {
		d.quantiles = append(d.quantiles, float64(v))
	}
	return nil
}

func readMeta(f *loader.File) (m routerMeta, err error) {
	if err := json.Unmarshal([]byte(f.Metadata()[metaKey]), &m); err != nil {
		return m, fmt.Errorf("%w: %s: metadata %s: %w", learn.ErrFolder, RouterFile, metaKey, err)
	}
	bad := m.NGrams.Buckets < 1 || m.NGrams.Buckets > 1<<26 || m.Keep < 0 || m.Width-m.Keep < len(shapeNames) || m.Width > 1<<20 ||
		m.Landmarks < 1 || m.Landmarks > 1<<20 || m.Quantiles < 2 || m.Quantiles > 1<<20 || len(m.Shape) != len(shapeNames)
	if bad {
		return m, fmt.Errorf("%w: %s: metadata %s: sizes out of range", learn.ErrFolder, RouterFile, metaKey)
	}
	return m, nil
}

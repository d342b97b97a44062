package model

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// QuantizeOptions of Quantize; Scheme must be set.
type QuantizeOptions struct {
	Scheme   string                  // int8, int4 or mixed
	Level    string                  // as in Options; the bytes written do not depend on it
	Threads  int                     // 0: all cores
	Shard    int64                   // most bytes of a safetensors file, unless one tensor is larger; 0: 5 GB
	Progress func(done, total int64) // told how many bytes have been written; may be nil
}

// Quantize writes the checkpoint in folder src as a packed folder dst, which opens with no work to do: see docs/packed.md.
// It needs memory for some tens of megabytes beside the mapped source. dst must not exist, or be an empty folder; until
// everything is there it stands under a temporary name beside its place, and after an error or a cancelled ctx nothing of
// it is left. The bytes written depend neither on the level nor on the number of threads.
func Quantize(ctx context.Context, src, dst string, o QuantizeOptions) error {
	if err := checkScheme(o.Scheme); err != nil {
		return err
	}
	if err := vacant(dst); err != nil {
		return err
	}
	ckpt, err := loader.Open(src)
	if err != nil {
		return err
	}
	m := &Model{opts: Options{Level: o.Level, Threads: o.Threads}, ckpt: ckpt}
	defer m.Close()
	list, err := m.bindForQuantize()
	if err != nil {
		return err
	}
	q := &quantizer{m: m, ctx: ctx, o: o, list: list, src: src}
	return q.folder(dst)
}

// vacant refuses a place that holds something.
func vacant(dst string) error {
	entries, err := os.ReadDir(dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: want a new or empty folder: %w", dst, pathCause(err))
	case len(entries) > 0:
		return fmt.Errorf("%w: %s: want a new or empty folder, found %q in it", ErrOption, dst, entries[0].Name())
	}
	return nil
}

func pathCause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// bindForQuantize binds everything that a model has, so that nothing unfit is written.
func (m *Model) bindForQuantize() ([]weight, error) {
	packed, err := packedScheme(m.ckpt)
	if err != nil {
		return nil, err
	}
	if packed != "" {
		return nil, fmt.Errorf("%w: %s: want an unquantised checkpoint, found one that is packed as %s", ErrOption, m.ckpt.Dir(), packed)
	}
	list, err := m.bind("", true)
	if err != nil {
		return nil, err
	}
	return list, m.start()
}

// quantizer writes one packed folder.
type quantizer struct {
	m      *Model
	ctx    context.Context
	o      QuantizeOptions
	list   []weight
	src    string
	pack   *packer
	buf    []byte
	shards []*shard
	done   int64 // bytes written
	total  int64
}

// folder writes everything beside dst and renames.
func (q *quantizer) folder(dst string) (err error) {
	dst = filepath.Clean(dst)
	if real, err := filepath.EvalSymlinks(dst); err == nil {
		dst = real // the temporary folder has to be on the same disk
	}
	tmp := filepath.Join(filepath.Dir(dst), fmt.Sprintf(".switchyard-%d-%d.tmp", os.Getpid(), time.Now().UnixNano()))
	if err := os.Mkdir(tmp, 0o777); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", dst, pathCause(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	if err := q.fill(tmp); err != nil {
		return fmt.Errorf("%s: %w", dst, err)
	}
	if err := q.ctx.Err(); err != nil {
		return err
	}
	_ = os.Remove(dst) // an empty folder: not every system renames over one
	if err := os.Rename(tmp, dst); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", dst, err)
	}
	return nil
}

func (q *quantizer) fill(dir string) error {
	if err := q.plan(); err != nil {
		return err
	}
	q.pack = newPacker(q.ctx, q.m.eng, q.m.ckpt, nil)
	q.buf = loader.Aligned(q.bufSize())
	for i, s := range q.shards {
		if err := q.shard(filepath.Join(dir, q.shardName(i)), s); err != nil {
			return err
		}
	}
	for _, write := range []func(string) error{q.writeIndex, q.writeConfig, q.copyOthers} {
		if err := write(dir); err != nil {
			return err
		}
	}
	return nil
}

// shard is the content of one safetensors file.
type shard struct {
	plan   []loader.Planned
	meta   map[string]string
	packed []*packedWeight
	kept   []string
	size   int64
}

// packedWeight is a weight with its place in the panels of a file.
type packedWeight struct {
	*weight
	dtype         tensor.DType
	panels, bytes int // how many, and bytes of each
}

// plan spreads all tensors over shards, layer by layer as the model binds them.
func (q *quantizer) plan() error {
	for i := range q.list {
		w := &q.list[i]
		size, err := w.packedSize(q.o.Scheme)
		if err != nil {
			return err
		}
		panels := panelsOf(w.rows)
		s := q.room(size)
		s.packed = append(s.packed, &packedWeight{w, packedDType(q.o.Scheme, w.part), panels, size / panels})
		s.meta[w.name] = w.note(q.o.Scheme)
		s.plan = append(s.plan, loader.Planned{
			Name: w.name, DType: tensor.U8, Shape: tensor.Shape{panels, size / panels}, Align: loader.PackedAlign,
		})
	}
	for _, c := range others(q.m.claims, q.list) {
		t, _ := q.m.ckpt.Tensor(c.Name)
		s := q.room(c.Bytes)
		s.kept = append(s.kept, c.Name)
		s.plan = append(s.plan, loader.Planned{Name: c.Name, DType: t.DType, Shape: t.Shape})
	}
	return nil
}

// room is the shard that takes n more bytes.
func (q *quantizer) room(n int) *shard {
	limit := or(q.o.Shard, 5e9)
	q.total += int64(n)
	if k := len(q.shards); k > 0 && q.shards[k-1].size+int64(n) <= limit {
		q.shards[k-1].size += int64(n)
		return q.shards[k-1]
	}
	s := &shard{meta: map[string]string{"format": loader.PackedFormat}, size: int64(n)}
	q.shards = append(q.shards, s)
	return s
}

func (q *quantizer) shardName(i int) string {
	if len(q.shards) == 1 {
		return "model.safetensors"
	}
	return fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(q.shards))
}

// packBuffer is how many packed bytes are made at once: enough for every thread to have work, or one panel where that
// is more.
const packBuffer = 64 << 20

func (q *quantizer) bufSize() int {
	n := packBuffer
	for _, s := range q.shards {
		for _, w := range s.packed {
			n = max(n, w.bytes)
		}
	}
	return n
}

// shard writes one file.
func (q *quantizer) shard(path string, s *shard) error {
	f, err := loader.Create(path, s.plan, s.meta)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := q.writePacked(f, s.packed); err != nil {
		return err
	}
	for _, name := range s.kept {
		if err := q.writeKept(f, name); err != nil {
			return err
		}
	}
	return f.Commit()
}

// piece is panels [first, …) of a weight, in the buffer.
type piece struct {
	name  string
	first int
	data  []byte
}

// writePacked fills the buffer with as many panels as it takes, packs them all in parallel and writes them.
func (q *quantizer) writePacked(f *loader.Stream, list []*packedWeight) error {
	var pieces []piece
	free := q.buf
	flush := func() error {
		err := q.pack.run()
		for i := 0; i < len(pieces) && err == nil; i++ {
			err = f.Put(pieces[i].name, pieces[i].first, pieces[i].data)
			q.wrote(len(pieces[i].data))
		}
		pieces, free = pieces[:0], q.buf
		return err
	}
	for _, w := range list {
		for p := 0; p < w.panels; {
			n := min(len(free)/w.bytes, w.panels-p)
			if n == 0 {
				if err := flush(); err != nil {
					return err
				}
				continue
			}
			data := free[: n*w.bytes : n*w.bytes]
			m, err := kernels.PackedMatrix(w.dtype, min(n*panelRows, w.rows-p*panelRows), w.cols, data)
			if err != nil {
				return fmt.Errorf("%s: %w", w.source, err)
			}
			q.pack.add(w.weight, m, p*panelRows)
			pieces = append(pieces, piece{w.name, p, data})
			free, p = free[n*w.bytes:], p+n
		}
	}
	return flush()
}

func (q *quantizer) wrote(n int) {
	if q.done += int64(n); q.o.Progress != nil {
		q.o.Progress(q.done, q.total)
	}
}

// writeKept copies a tensor as it is, some megabytes at a time.
func (q *quantizer) writeKept(f *loader.Stream, name string) error {
	t, _ := q.m.ckpt.Tensor(name)
	step := max(1, t.Shape[0]*(8<<20)/max(len(t.Data), 1)) // every tensor of a model has a dimension
	for a := 0; a < t.Shape[0]; a += step {
		if err := q.ctx.Err(); err != nil {
			return err
		}
		part := t.Rows(a, min(a+step, t.Shape[0])).Data
		if err := f.Put(name, a, part); err != nil {
			return err
		}
		q.m.ckpt.Release(part)
		q.wrote(len(part))
	}
	return nil
}

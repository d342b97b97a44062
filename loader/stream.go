package loader

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Planned is a tensor of a file whose bytes come later. Align, where it is more than the size of an element, says that
// the tensor is to begin at a multiple of it in the file: at most 64, and every tensor of that Align that many bytes long
// or a multiple.
type Planned struct {
	Name  string
	DType tensor.DType
	Shape tensor.Shape
	Align int
}

// align is what the tensor's place in the file is a multiple of.
func (p *Planned) align() int { return max(p.Align, p.DType.Size()) }

// Stream writes a safetensors file whose shapes are known before its numbers are, in bounded memory: rows of any tensor
// in any order. Until Commit the file stands under a temporary name beside its place; Abort leaves nothing. Rows that
// were never put are zero. Not safe for concurrent use.
type Stream struct {
	path, target string
	f            *os.File
	at           map[string]int64 // where a tensor begins in the file
	plan         map[string]Planned
}

// Create makes room for the planned tensors. Errors: [ErrTensor], or the operating system's.
func Create(path string, plan []Planned, metadata map[string]string) (*Stream, error) {
	ordered := slices.Clone(plan)
	slices.SortStableFunc(ordered, func(a, b Planned) int { return b.align() - a.align() })
	s := &Stream{path: path, at: map[string]int64{}, plan: map[string]Planned{}}
	size := 0
	for _, p := range ordered {
		n, err := p.Shape.Bytes(p.DType)
		if _, dup := s.plan[p.Name]; err != nil || dup || p.DType.Size() == 0 {
			return nil, &Fault{Kind: ErrTensor, Field: p.Name, Want: "a name of its own, a dtype and a shape", Found: fmt.Sprint(p.DType, p.Shape)}
		}
		if p.Align > 64 || size%p.align() != 0 {
			return nil, &Fault{Kind: ErrTensor, Field: p.Name, Want: "a place that is aligned", Found: fmt.Sprintf("byte %d for %d", size, p.Align)}
		}
		s.plan[p.Name], s.at[p.Name] = p, int64(size)
		size += n
	}
	head := headerText64(ordered, metadata)
	for name := range s.at {
		s.at[name] += int64(len(head))
	}
	var err error
	if s.f, s.target, err = beside(path); err != nil {
		return nil, err
	}
	if _, err = s.f.Write(head); err == nil {
		err = s.f.Truncate(int64(len(head) + size))
	}
	if err != nil {
		s.Abort()
		return nil, fmt.Errorf("%s: cannot be written: %w", path, cause(err))
	}
	return s, nil
}

// Put writes rows of a tensor, from row on along the first dimension; data is their bytes. It panics on rows that the
// plan does not have: that is a mistake of the program.
func (s *Stream) Put(name string, row int, data []byte) error {
	p, ok := s.plan[name]
	size := p.DType.Size()
	for _, d := range p.Shape[min(1, len(p.Shape)):] {
		size *= d
	}
	if !ok || row < 0 || len(p.Shape) == 0 || row*size+len(data) > p.Shape[0]*size {
		panic(fmt.Sprintf("loader.Stream.Put: %q has no place for %d bytes at row %d", name, len(data), row))
	}
	if _, err := s.f.WriteAt(data, s.at[name]+int64(row*size)); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", s.path, cause(err))
	}
	return nil
}

// Commit syncs and renames: the file is there, whole. After an error nothing is left.
func (s *Stream) Commit() error {
	for _, step := range []func() error{s.f.Sync, s.f.Close, func() error { return os.Rename(s.f.Name(), s.target) }} {
		if err := step(); err != nil {
			s.Abort()
			return fmt.Errorf("%s: cannot be written: %w", s.path, cause(err))
		}
	}
	s.f = nil
	syncFolder(filepath.Dir(s.target))
	return nil
}

// Abort drops what was written; after Commit it does nothing.
func (s *Stream) Abort() {
	if s.f == nil {
		return
	}
	_ = s.f.Close() // it may be closed already
	_ = os.Remove(s.f.Name())
	s.f = nil
}

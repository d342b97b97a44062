package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// File is one open safetensors file. All methods are safe for concurrent use, except Close.
type File struct {
	name    string
	data    []byte // the whole file
	close   func() error
	entries map[string]*entry
	meta    map[string]string
	start   int

	mu    sync.Mutex
	moved map[string][]byte // aligned copies of tensors that lie askew in the file
}

// OpenFile maps a safetensors file and checks its header; it reads nothing else. The tensors are views of the mapping
// and die with Close. Errors: [ErrHeader], or what the operating system says.
func OpenFile(path string) (*File, error) {
	data, unmap, err := mapFile(path)
	if err != nil {
		return nil, osFault(ErrHeader, path, err)
	}
	f, err := ParseFile(path, data)
	if err != nil {
		return nil, errors.Join(err, unmap())
	}
	f.close = unmap
	return f, nil
}

// ParseFile reads the bytes of a safetensors file; name is for messages. The tensors are views of data, which must not
// change. Errors: [ErrHeader].
func ParseFile(name string, data []byte) (*File, error) {
	h, err := parseHeader(data)
	if err != nil {
		return nil, &Fault{Kind: ErrHeader, File: name, Field: "header", Found: err.Error()}
	}
	f := &File{name: name, data: data, meta: h.meta, start: h.start}
	f.entries = make(map[string]*entry, len(h.entries))
	for i := range h.entries {
		f.entries[h.entries[i].name] = &h.entries[i]
	}
	return f, nil
}

// osFault wraps an error of the operating system, without the path that it repeats.
func osFault(kind error, path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &Fault{Kind: kind, File: path, Err: err}
}

// Name is the path or name the file was opened by.
func (f *File) Name() string { return f.name }

// Size is the size of the file in bytes.
func (f *File) Size() int64 { return int64(len(f.data)) }

// Names lists the tensors, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.entries)) }

// Metadata is a copy of the header's __metadata__; empty where there is none.
func (f *File) Metadata() map[string]string {
	if f.meta == nil {
		return map[string]string{}
	}
	return maps.Clone(f.meta)
}

// Tensor is a view of one tensor, aligned for its element type; false where the file has none of that name. The bytes
// are read-only and die with Close. Where the file holds a tensor askew, it is copied to owned memory on the first call.
func (f *File) Tensor(name string) (*tensor.Tensor, bool) {
	e, ok := f.entries[name]
	if !ok {
		return nil, false
	}
	d := f.bytes(e)
	if askew(d, e.dtype.Size()) {
		d = f.aligned(name, e, d)
	}
	return &tensor.Tensor{DType: e.dtype, Shape: e.shape, Data: d}, true
}

func askew(d []byte, size int) bool {
	return len(d) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(d)))%uintptr(size) != 0
}

func (f *File) aligned(name string, e *entry, d []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.moved[name]; ok {
		return c
	}
	c := tensor.New(e.dtype, e.shape...).Data
	copy(c, d)
	if f.moved == nil {
		f.moved = map[string][]byte{}
	}
	f.moved[name] = c
	return c
}

// mapped says whether the tensor's bytes are the file's own.
func (f *File) mapped(name string) bool {
	e := f.entries[name]
	return e.own == nil && !askew(f.bytes(e), e.dtype.Size())
}

// Close gives the mapping back: every tensor of the file is dead. A second Close does nothing.
func (f *File) Close() error {
	unmap := f.close
	f.data, f.close, f.entries, f.moved = nil, nil, nil, nil
	if unmap == nil {
		return nil
	}
	return unmap()
}

// openRegular opens a plain file and says how long it is. Folders, pipes and devices are refused before they are
// opened, so that a pipe cannot hang the caller.
func openRegular(path string) (*os.File, int, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, err
	}
	if err := regular(info); err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	return f, int(info.Size()), err
}

func regular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return errors.New("want a file, found a folder")
	case !info.Mode().IsRegular():
		return fmt.Errorf("want a plain file, found %v", info.Mode())
	case int64(int(info.Size())) != info.Size():
		return fmt.Errorf("want a file that fits the address space, found %d bytes", info.Size())
	}
	return nil
}

// Place says where a tensor's bytes begin in the file, for readers that go through a large tensor piece by piece and do not
// want it in the mapping; false where the file has none of that name.
func (f *File) Place(name string) (offset int64, ok bool) {
	e, ok := f.entries[name]
	if !ok {
		return 0, false
	}
	return int64(f.start + e.begin), true
}

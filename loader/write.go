package loader

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Named is a tensor with its name in a file.
type Named struct {
	Name   string
	Tensor *tensor.Tensor
}

// Write writes a safetensors file with the tensors in the given order of dtype size (larger first, so that all stay
// aligned), then of the list. It writes to a temporary file in the same folder, syncs, and renames: a reader sees the
// old file or the whole new one, and after an error nothing is left. Errors: [ErrTensor], or the operating system's.
func Write(path string, tensors []Named, metadata map[string]string) error {
	ordered := slices.Clone(tensors)
	slices.SortStableFunc(ordered, func(a, b Named) int { return b.Tensor.DType.Size() - a.Tensor.DType.Size() })
	head, err := headerOf(ordered, metadata)
	if err != nil {
		return err
	}
	return replaceFile(path, func(w io.Writer) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		for _, t := range ordered {
			if _, err := w.Write(t.Tensor.Data); err != nil {
				return err
			}
		}
		return nil
	})
}

// headerOf makes the length and the JSON text, padded with spaces so that the data begins at a multiple of 64.
func headerOf(tensors []Named, metadata map[string]string) ([]byte, error) {
	var text strings.Builder
	sep, at := "{", 0
	add := func(key string, v any) {
		k, _ := json.Marshal(key) // strings and ints always marshal
		b, _ := json.Marshal(v)
		text.WriteString(sep + string(k) + ":" + string(b))
		sep = ","
	}
	if len(metadata) > 0 {
		add("__metadata__", metadata)
	}
	seen := map[string]bool{"__metadata__": true}
	for _, t := range tensors {
		n, err := t.Tensor.Shape.Bytes(t.Tensor.DType)
		if err != nil || n != len(t.Tensor.Data) || seen[t.Name] {
			return nil, &Fault{Kind: ErrTensor, Field: t.Name, Want: "a name of its own and bytes that fill the shape",
				Found: fmt.Sprintf("%d bytes for %v %v", len(t.Tensor.Data), t.Tensor.DType, t.Tensor.Shape)}
		}
		seen[t.Name] = true
		shape := append([]int{}, t.Tensor.Shape...)
		add(t.Name, struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}{t.Tensor.DType.String(), shape, [2]int{at, at + n}})
		at += n
	}
	if sep == "{" {
		text.WriteString("{")
	}
	text.WriteString("}")
	for (8+text.Len())%64 != 0 {
		text.WriteByte(' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(text.Len())), text.String()...), nil
}

// replaceFile writes path by way of a temporary file beside it.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: want a plain file to write, found %v", path, info.Mode().Type())
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", path, cause(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: cannot be written: %w", path, cause(err)), ignoreClosed(f.Close()), os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	for _, step := range []func() error{
		func() error { return write(w) }, w.Flush, func() error { return f.Chmod(0o644) }, f.Sync, f.Close,
		func() error { return os.Rename(f.Name(), path) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// cause drops the temporary file's name from an error of the operating system.
func cause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// syncFolder makes a rename last; systems that cannot sync a folder lose nothing but that.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

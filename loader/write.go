package loader

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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
	return ReplaceFile(path, func(w io.Writer) error {
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
	seen := map[string]bool{"__metadata__": true}
	plan := make([]Planned, len(tensors))
	for i, t := range tensors {
		if _, err := sizeOf(t, seen); err != nil {
			return nil, err
		}
		seen[t.Name] = true
		plan[i] = Planned{Name: t.Name, DType: t.Tensor.DType, Shape: t.Tensor.Shape}
	}
	return headerText64(plan, metadata), nil
}

// headerText64 is the head of a file that holds the planned tensors one after the other; their sizes have been checked.
func headerText64(plan []Planned, metadata map[string]string) []byte {
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
	for _, p := range plan {
		n, _ := p.Shape.Bytes(p.DType)
		add(p.Name, struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}{p.DType.String(), append([]int{}, p.Shape...), [2]int{at, at + n}})
		at += n
	}
	if sep == "{" {
		text.WriteString("{")
	}
	text.WriteString("}")
	for (8+text.Len())%64 != 0 {
		text.WriteByte(' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(text.Len())), text.String()...)
}

// sizeOf checks a tensor and gives its bytes.
func sizeOf(t Named, seen map[string]bool) (int, error) {
	x := t.Tensor
	n, err := x.Shape.Bytes(x.DType)
	fault := &Fault{Kind: ErrTensor, Field: t.Name, Err: err}
	switch {
	case err != nil:
		return 0, fault
	case seen[t.Name] || !utf8.ValidString(t.Name):
		fault.Want, fault.Found = "a name of its own in UTF-8", strconv.Quote(t.Name)
	case x.DType.Size() == 0 || n != len(x.Data):
		fault.Want, fault.Found = "bytes that fill the shape", fmt.Sprintf("%d for %v %v", len(x.Data), x.DType, x.Shape)
	default:
		return n, nil
	}
	return 0, fault
}

// ReplaceFile writes path by way of a temporary file beside it. A symbolic link is followed, so that the file it names
// is replaced and not the link. Anything but a plain file is refused: renaming over a device would destroy it.
func ReplaceFile(path string, write func(io.Writer) error) error {
	f, target, err := beside(path)
	if err != nil {
		return err
	}
	if err := fill(f, target, write); err != nil {
		_ = f.Close() // the first error says more
		_ = os.Remove(f.Name())
		return fmt.Errorf("%s: cannot be written: %w", path, cause(err))
	}
	syncFolder(filepath.Dir(target))
	return nil
}

// ReplaceFiles writes several files as [ReplaceFile] does, all or none: none is renamed before all are on the disk.
func ReplaceFiles(files map[string][]byte) (err error) {
	var staged []*os.File
	var targets []string
	defer func() {
		for _, f := range staged { // those that were renamed are no longer there
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	paths := slices.Sorted(maps.Keys(files))
	for _, path := range paths {
		f, target, err := beside(path)
		if err != nil {
			return err
		}
		staged, targets = append(staged, f), append(targets, target)
		_, err = f.Write(files[path])
		if err = cmp.Or(err, f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("%s: cannot be written: %w", path, cause(err))
		}
	}
	for i, f := range staged {
		if err := os.Rename(f.Name(), targets[i]); err != nil {
			return fmt.Errorf("%s: cannot be written: %w", paths[i], cause(err))
		}
		syncFolder(filepath.Dir(targets[i]))
	}
	return nil
}

// beside makes the temporary file for a file that is to be written, and says what it will be renamed to.
func beside(path string) (f *os.File, target string, err error) {
	target, mode := path, os.FileMode(0o666) // less the umask
	if real, err := filepath.EvalSymlinks(path); err == nil {
		target = real
	}
	if info, err := os.Stat(target); err == nil {
		if !info.Mode().IsRegular() {
			found := "a device or pipe"
			if info.IsDir() {
				found = "a folder"
			}
			return nil, "", &Fault{Kind: ErrTensor, File: path, Want: "a plain file to write", Found: found}
		}
		mode = info.Mode().Perm()
	}
	if f, err = createTemp(filepath.Dir(target), mode); err != nil {
		return nil, "", fmt.Errorf("%s: cannot be written: %w", path, cause(err))
	}
	return f, target, nil
}

// createTemp is os.CreateTemp with the mode of the file to be.
func createTemp(dir string, mode os.FileMode) (*os.File, error) {
	for try := 0; ; try++ {
		name := fmt.Sprintf(".switchyard-%d-%d.tmp", os.Getpid(), time.Now().UnixNano())
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if !errors.Is(err, os.ErrExist) || try == 100 {
			return f, err
		}
	}
}

// fill writes, syncs, closes and renames f.
func fill(f *os.File, target string, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(f, 1<<20)
	for _, step := range []func() error{
		func() error { return write(w) }, w.Flush, f.Sync, f.Close,
		func() error { return os.Rename(f.Name(), target) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
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

// syncFolder makes a rename last; systems that cannot sync a folder lose nothing but that.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

package loader

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Copy writes the checkpoint to a folder that does not exist yet, with tensors replaced by name: every safetensors file
// with its metadata, and every other plain file as it is. A tensor in replace that the checkpoint does not have, or of
// another shape, is an [ErrTensor]; dtypes may differ. The folder appears whole or not at all.
func (c *Checkpoint) Copy(dst string, replace map[string]*tensor.Tensor) error {
	if _, err := os.Lstat(dst); err == nil {
		return &Fault{Kind: ErrTensor, File: dst, Want: "a folder that is not there yet", Found: "one"}
	}
	for name, t := range replace {
		old, ok := c.Tensor(name)
		if !ok || !old.Shape.Equal(t.Shape) {
			found := "none"
			if ok {
				found = old.Shape.String()
			}
			return &Fault{Kind: ErrTensor, Field: name, Want: t.Shape.String(), Found: found}
		}
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dst), ".switchyard-*")
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", dst, cause(err))
	}
	defer os.RemoveAll(tmp) // where it is still there
	if err := c.copyTo(tmp, replace); err != nil {
		return fmt.Errorf("%s: %w", dst, err)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := os.Rename(tmp, dst); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", dst, cause(err))
	}
	syncFolder(filepath.Dir(dst))
	return nil
}

func (c *Checkpoint) copyTo(dir string, replace map[string]*tensor.Tensor) error {
	weights := map[string]bool{}
	for _, f := range c.files {
		name := filepath.Base(f.name)
		weights[name] = true
		var list []Named
		for _, n := range f.Names() {
			t, _ := f.Tensor(n)
			if r := replace[n]; r != nil {
				t = r
			}
			list = append(list, Named{n, t})
		}
		if err := Write(filepath.Join(dir, name), list, f.Metadata()); err != nil {
			return err
		}
	}
	entries, err := fs.ReadDir(c.folder.fsys, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := fs.Stat(c.folder.fsys, e.Name())
		if err != nil || !info.Mode().IsRegular() || weights[e.Name()] || strings.HasSuffix(e.Name(), ".safetensors") {
			continue
		}
		data, err := c.ReadFile(e.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

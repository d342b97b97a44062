package loader

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// folder is where a checkpoint lies: on disk, or in some file system.
type folder struct {
	dir  string // empty for a file system
	fsys fs.FS
	open func(name string) (*File, error)
}

// path is how messages name a file of the folder.
func (d folder) path(name string) string { return filepath.Join(d.dir, name) }

// has says whether the name is there at all; what keeps it from being opened is for the opener to say.
func (d folder) has(name string) bool {
	_, err := fs.Stat(d.fsys, name)
	return !errors.Is(err, fs.ErrNotExist)
}

// check says why a folder is no model at all, naming what it looks like instead.
func (d folder) check() error {
	missing := ""
	switch {
	case !d.has(configName):
		missing = configName
	case !d.has(singleName) && !d.has(indexName):
		missing = singleName + " or " + indexName
	default:
		return nil
	}
	entries, err := fs.ReadDir(d.fsys, ".")
	if err != nil {
		return osFault(ErrNotModel, cmp.Or(d.dir, "."), err)
	}
	return &Fault{Kind: ErrNotModel, File: cmp.Or(d.dir, "."), Want: "a model folder with " + missing, Found: looksLike(entries)}
}

// looksLike names the first file that says what a folder without safetensors is.
func looksLike(entries []fs.DirEntry) string {
	foreign := []struct{ suffix, what string }{
		{".bin", "PyTorch weights, which only Python can read: convert them to safetensors"},
		{".pth", "PyTorch weights, which only Python can read: convert them to safetensors"},
		{".pt", "PyTorch weights, which only Python can read: convert them to safetensors"},
		{".gguf", "a GGUF file: convert it to safetensors"},
		{".safetensors", "safetensors under another name"},
	}
	for _, f := range foreign {
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), f.suffix) {
				return clean(e.Name()) + " (" + f.what + ")"
			}
		}
	}
	if len(entries) == 0 {
		return "an empty folder"
	}
	return "no such file"
}

// read reads a file of at most most bytes.
func (d folder) read(name string, most int64) ([]byte, error) {
	info, err := fs.Stat(d.fsys, name)
	if err != nil {
		return nil, err
	}
	if err := regular(info); err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, &Fault{Kind: ErrNotModel, Want: "at most " + itoa(most) + " bytes", Found: itoa(info.Size())}
	}
	f, err := d.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, info.Size())
	_, err = io.ReadFull(f, data)
	return data, err
}

func (d folder) fields(name string) (*Fields, error) {
	data, err := d.read(name, maxConfig)
	if err != nil {
		return nil, osFault(ErrConfig, d.path(name), err)
	}
	return ParseFields(d.path(name), data)
}
